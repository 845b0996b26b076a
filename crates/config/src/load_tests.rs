#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use otter_domain::{
    Channel, CodePolicy, KeyId, Moment, PaymentPolicy, ProviderName, PurposeName, Ranking, RouteName,
    SucceedOn, TenantId,
};

use crate::fixture::{GOOD, changed, environment, loaded, loaded_with, read_file};
use crate::{Engine, Origin, Problem, Scope, Settings, Sources, load};

fn good() -> Settings {
    let loaded = loaded(GOOD).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("tenants.shop.purposes.transfer.route (line "), "{warnings:?}");
    loaded.settings
}

fn problems(file: &str) -> Vec<Problem> {
    loaded(file).unwrap_err()
}

/// The one problem of a file.
fn problem(file: &str) -> Problem {
    let mut problems = problems(file);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

/// The fixture with one part changed has one problem, at this path and with these words.
fn refused(from: &str, to: &str, path: &str, words: &str) {
    let problem = problem(&changed(from, to));
    assert_eq!(problem.path, path, "{problem}");
    assert!(problem.message.contains(words), "{problem}");
}

/// The fixture with one part changed works, with a warning at this path.
fn warned(from: &str, to: &str, path: &str, words: &str) {
    let warnings = loaded(&changed(from, to)).unwrap().warnings;
    let found = warnings.iter().any(|warning| warning.path == path && warning.message.contains(words));
    assert!(found, "{warnings:#?}");
}

#[test]
fn defaults_come_from_the_reference() {
    let settings = good();
    assert_eq!(settings.grpc.max_connections, 1024);
    assert_eq!(settings.grpc.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.grpc.max_message_bytes, 65_536);
    assert_eq!(settings.store.engine, Engine::Embedded(PathBuf::from("/var/lib/otter")));
    assert_eq!(settings.store.partitions.get(), 16);
    assert_eq!(settings.shutdown.drain, Duration::from_secs(20));
    assert_eq!(settings.metrics.countries.len(), 20);
    assert_eq!(settings.telemetry.otlp, None);
    assert_eq!(settings.receipts.public_url, None);
}

#[test]
fn keys_come_from_where_they_are_named_and_keep_their_order() {
    let keys = good().keys;
    assert_eq!(keys.install.reveal()[..3], [0, 1, 2]);
    assert_eq!(keys.pepper.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [KeyId(2), KeyId(1)]);
    assert_eq!(keys.sealing[0].1.reveal().len(), 32);
}

#[test]
fn a_route_is_read_with_the_defaults_of_steps() {
    let settings = good();
    let route = &settings.routes[&RouteName::parse("login").unwrap()];
    let [sms, whatsapp, voice] = route.steps.as_slice() else { panic!("{route:?}") };
    assert_eq!(
        (sms.channel, sms.ranking, sms.succeed_on),
        (Channel::Sms, Ranking::Priority, SucceedOn::Delivered)
    );
    assert_eq!((sms.wait, sms.max_queue_wait), (Duration::from_secs(30), Duration::from_secs(5)));
    assert_eq!((whatsapp.providers[0].weight, whatsapp.ranking), (7, Ranking::Weighted));
    assert_eq!((voice.wait, voice.succeed_on), (Duration::from_secs(60), SucceedOn::Verified));
}

#[test]
fn a_purpose_is_read_with_the_defaults_of_purposes() {
    let settings = good();
    let policy = &settings.tenants[&TenantId::parse("shop").unwrap()].policy;
    let login = &policy.purposes[&PurposeName::parse("login").unwrap()];
    assert_eq!((login.ttl, login.code_digits, login.budget), (Duration::from_secs(300), 6, 5));
    assert_eq!(login.lifecycle.codes, CodePolicy::FreshAcceptRecent(3));
    assert_eq!(login.lifecycle.resend.cooldowns.len(), 3);
    assert_eq!(login.payment, PaymentPolicy::NotAPayment);
    let transfer = &policy.purposes[&PurposeName::parse("transfer").unwrap()];
    assert_eq!((transfer.ttl, transfer.budget), (Duration::from_secs(600), 3));
    assert_eq!((transfer.lifecycle.codes, transfer.payment), (CodePolicy::Same, PaymentPolicy::Required));
}

#[test]
fn a_tenant_is_read_with_its_limits_and_callers() {
    let settings = good();
    let tenant = &settings.tenants[&TenantId::parse("shop").unwrap()];
    assert_eq!(tenant.policy.rate.unwrap().burst, 10);
    assert_eq!(tenant.policy.recipient_limits.len(), 2);
    assert_eq!(tenant.policy.countries.as_ref().unwrap().len(), 2);
    let key = &tenant.api_keys[0];
    assert_eq!((key.digest[0], key.digest[31]), (0, 0xff));
    assert_eq!(key.scopes, [Scope::Send, Scope::Check]);
    assert_eq!(key.expires, Some(Moment::from_millis(1_801_353_600_000)));
}

#[test]
fn a_variable_overrides_the_file() {
    let overrides = [
        ("OTTER__TENANTS__SHOP__PURPOSES__LOGIN__TTL", "4m"),
        ("OTTER__STORE__URL", "redis://:sesame@redis:6379/0"),
        ("OTTER__RECEIPTS__PUBLIC_URL", "https://otp.example.com/in/"),
    ];
    let settings = loaded_with(GOOD, &overrides).unwrap().settings;
    let policy = &settings.tenants[&TenantId::parse("shop").unwrap()].policy;
    assert_eq!(policy.purposes[&PurposeName::parse("login").unwrap()].ttl, Duration::from_secs(240));
    assert!(matches!(settings.store.engine, Engine::Redis(_)));
    assert_eq!(settings.receipts.public_url.as_deref(), Some("https://otp.example.com/in"));
    assert!(!format!("{settings:?}").contains("sesame"));
    assert!(!settings.show().contains("sesame"));
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let file = changed("brand = \"ExampleCo\"", "brand = 7\nbrnad = \"x\"")
        .replace("payment = true", "payment = \"yes\"")
        .replace("kind = \"chat\"", "kind = \"fax\"")
        .replace("wait = \"60s\"", "wait = \"1h\"");
    let overrides = [("OTTER__GRPC__LISTEN", "here"), ("OTTER__STROE__URL", "memory:")];
    let found = loaded_with(&file, &overrides).unwrap_err();
    let paths: Vec<_> = found.iter().map(|problem| problem.path.as_str()).collect();
    for path in [
        "grpc.listen",
        "stroe",
        "providers.chat.kind",
        "routes.login.steps[2].wait",
        "tenants.shop.brand",
        "tenants.shop.brnad",
        "tenants.shop.purposes.transfer.payment",
    ] {
        assert!(paths.contains(&path), "{path} in {found:#?}");
    }
    assert_eq!(paths.len(), 7, "{found:#?}");
    let listen = found.iter().find(|problem| problem.path == "grpc.listen").unwrap();
    assert_eq!(listen.origin, Some(Origin::Variable("OTTER__GRPC__LISTEN".to_owned())));
    let wait = found.iter().find(|problem| problem.path.ends_with("wait")).unwrap();
    let line = file.lines().position(|line| line.contains("1h")).unwrap() + 1;
    assert_eq!(wait.origin, Some(Origin::Line(line)));
    assert_eq!(
        wait.to_string(),
        format!(
            "routes.login.steps[2].wait (line {line}): must be a span such as \"90s\", \"500ms\", \"5m\" or \"24h\" from 5s \
         to 5m, not \"1h\""
        )
    );
}

#[test]
fn without_keys_each_is_named() {
    let sources = Sources { file: None, environment: Vec::new(), read_file: &read_file };
    let problems = load(&sources, &[]).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["install.key", "keys.pepper", "keys.sealing", "keys.token"]);
}

#[test]
fn bounds_hold() {
    let login = "[tenants.shop.purposes.login]";
    let with = |setting: &str| format!("{login}\n{setting}");
    let at = |key: &str| format!("tenants.shop.purposes.login.{key}");
    refused(login, &with("code_digits = 5"), &at("code_digits"), "from 6 to 10");
    refused(login, &with("ttl = \"601s\""), &at("ttl"), "from 1m to 10m");
    refused(login, &with("ttl = \"60s\"\nmin_useful = \"46s\""), &at("ttl"), "at least 61s");
    refused(login, &with("check_budget = 11"), &at("check_budget"), "from 1 to 10");
    refused(login, &with("accept_recent = 4"), &at("accept_recent"), "from 1 to 3");
    refused(login, &with("codes = \"new\""), &at("codes"), "\"fresh_accept_recent\"");
    refused(login, &with("resend.cooldowns = [\"30s\", 5]"), &at("resend.cooldowns[1]"), "not 5");
    refused(
        "check_budget = 3",
        "check_budget = 6",
        "tenants.shop.purposes.transfer.check_budget",
        "at most 5 for payments",
    );
    refused("weight = 7", "weight = 0", "routes.login.steps[1].providers[0].weight", "from 1 to 1000");
    refused("burst = 10", "burst = -1", "tenants.shop.limits.rate.burst", "not -1");
}

#[test]
fn references_must_lead_somewhere() {
    refused(
        "providers = [\"acme-eu\"] }",
        "providers = [\"acme\"] }",
        "routes.login.steps[0].providers[0]",
        "one of \"acme-eu\", \"chat\"",
    );
    refused(
        "channel = \"sms\", providers",
        "channel = \"rcs\", providers",
        "routes.login.steps[0].providers[0]",
        "cannot do rcs",
    );
    refused(
        "route = \"login\"\npayment",
        "route = \"lgoin\"\npayment",
        "tenants.shop.purposes.transfer.route",
        "must be \"login\"",
    );
    refused(
        "{ env = \"ACME_TOKEN\" }\n\n[routes",
        "{ env = \"NOPE\" }\n\n[routes",
        "providers.chat.auth_token",
        "\"NOPE\", which is not set",
    );
    refused("/secrets/sealing", "/secrets/gone", "keys.sealing[0].secret", "cannot be read");
    refused(
        "{ env = \"TOKEN\" }",
        "{ env = \"TOKEN\", file = \"x\" }",
        "keys.token[0].secret",
        "must be a secret",
    );
    refused(
        "purpose = \"login\", locale",
        "purpose = \"logon\", locale",
        "tenants.shop.texts[0]",
        "no purpose `logon`",
    );
}

#[test]
fn callers_are_told_apart() {
    let key = "api_keys = [";
    let again = "{ id = \"other\", digest = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", scopes = [\"read\"] },";
    refused(key, &format!("{key}\n{again}"), "tenants.shop.api_keys", "a second time");
    refused("id = \"backend\"", "id = \"Back End\"", "tenants.shop.api_keys[0].id", "a name of");
    refused("[\"send\", \"check\"]", "[]", "tenants.shop.api_keys[0].scopes", "at least one of \"send\"");
    refused("2027-01-31T00:00:00Z", "2027-01-31", "tenants.shop.api_keys[0].expires", "with offset");
    refused(
        key,
        &format!("mtls_identities = [\"spiffe://x\"]\n{key}"),
        "tenants.shop.mtls_identities[0]",
        "grpc.tls.client_ca",
    );
}

#[test]
fn a_text_for_calls_is_in_a_language_that_the_voices_speak() {
    let with = |locale: &str, channel: &str| {
        let text = "\"{code} is your {brand} code. Again: {code}.\"";
        changed(
            "texts = [",
            &format!("texts = [{{ locale = \"{locale}\", channel = \"{channel}\", text = {text} }}, "),
        )
    };
    for spoken in ["en", "de-AT", "fr-CA"] {
        assert!(loaded(&with(spoken, "voice")).is_ok(), "{spoken}");
    }
    assert!(loaded(&with("cy", "rcs").replace(" Again: {code}.", "")).is_ok());
    let problem = problem(&with("cy", "voice"));
    assert_eq!(problem.path, "tenants.shop.texts[0].locale");
    assert!(problem.message.contains("\"cy\"") && problem.message.contains("acme-eu"), "{problem:?}");
}

#[test]
fn texts_are_checked_when_the_configuration_is_loaded() {
    refused("{code} is your {brand} code.", "hello {brand}", "tenants.shop.texts[0]", "{code}");
    refused(
        "send_ttl = \"120s\"",
        "send_ttl = \"5s\"",
        "tenants.shop.whatsapp_templates[0].send_ttl",
        "from 30s",
    );
    let broken_first = "texts = [{ locale = \"??\", channel = \"sms\", text = \"{code}\" }, ";
    let file = changed("texts = [", broken_first).replace("{code} is your {brand} code.", "no code");
    let paths: Vec<_> = problems(&file).into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["tenants.shop.texts[0].locale", "tenants.shop.texts[1]"]);
}

/// Loads a tenant that asks for payments to these countries, with these settings more.
fn payments(countries: &str, more: &str) -> Vec<Problem> {
    let file = changed("countries = [\"DE\", \"FR\"]", &format!("countries = {countries}\n{more}"));
    loaded(&file).map(|_| Vec::new()).unwrap_or_else(|problems| problems)
}

#[test]
fn texts_have_to_fit_in_the_languages_that_a_tenant_meets() {
    for countries in ["[\"DE\"]", "[\"DE\", \"FR\", \"ES\", \"US\", \"NL\"]"] {
        for host in ["example.com", "login.example.com"] {
            assert_eq!(payments(countries, &format!("web_otp_host = \"{host}\"")), [], "{countries} {host}");
        }
    }
    let problems = payments("[\"DE\", \"SA\", \"CN\", \"IN\"]", "web_otp_host = \"a.long.example.com\"");
    assert!(problems.iter().all(|problem| problem.path == "tenants.shop.web_otp_host"), "{problems:#?}");
    for language in ["ar", "hi"] {
        let built_in = format!(
            "makes the built-in payment text, locale {language}, channel sms too long: takes 2 SMS parts"
        );
        let told = problems.iter().find(|problem| problem.message.starts_with(&built_in));
        let told = told.unwrap_or_else(|| panic!("{language}: {problems:#?}"));
        assert!(told.message.ends_with("or raise tenants.shop.max_sms_parts to 2"), "{told}");
        assert!(!told.message.contains(" web_otp_host"), "{told}");
    }
    let all = payments("\"all\"", "web_otp_host = \"a.long.example.com\"");
    assert!(all.len() > problems.len(), "{all:#?}");
    assert_eq!(payments("\"all\"", "web_otp_host = \"a.long.example.com\"\nmax_sms_parts = 2"), []);
    let usual = changed("locale = \"de\"", "locale = \"ar\"")
        .replace("brand =", "web_otp_host = \"a.long.example.com\"\nbrand =");
    let found = loaded(&usual).map(|_| ()).unwrap_err();
    assert!(found.iter().any(|problem| problem.message.contains("locale ar")), "{found:#?}");
}

#[test]
fn everything_that_is_wrong_with_one_text_is_told_at_once() {
    let file = changed("{code} is your {brand} code.", "Hello 2024 {code} and {code}, see example.com ");
    let found = problems(&file);
    assert!(found.iter().all(|problem| problem.path == "tenants.shop.texts[0]"), "{found:#?}");
    for words in ["2 times", "`2024`", "`example.com`", "ends with a newline or space"] {
        assert!(found.iter().any(|problem| problem.message.contains(words)), "{words}: {found:#?}");
    }
}

#[test]
fn a_new_tenant_may_send_nowhere_until_it_says_where() {
    refused("countries = [\"DE\", \"FR\"]", "", "tenants.shop.countries", "or \"all\"");
    let countries = |list: &str| format!("countries = {list}");
    for (list, place, words) in [
        (
            "[\"DE\", \"Germany\"]",
            "[1]",
            "is \"Germany\"; must be a two-letter country code of ISO 3166-1 such as DE; did you mean DE?",
        ),
        ("[\"UK\"]", "[0]", "did you mean GB?"),
        ("[\"EU\"]", "[0]", "name each country"),
        ("[\"all\"]", "[0]", "name each country"),
        ("[\"ZZ\"]", "[0]", "numbers of no country"),
        ("[49]", "[0]", "did you mean DE?"),
        ("\"DE\"", "", "a list of countries such as [\"DE\", \"FR\"], or \"all\", not \"DE\""),
    ] {
        let path = format!("tenants.shop.countries{place}");
        refused("countries = [\"DE\", \"FR\"]", &countries(list), &path, words);
    }
    warned("countries = [\"DE\", \"FR\"]", &countries("[]"), "tenants.shop.countries", "is empty");
    warned(
        "countries = [\"DE\", \"FR\"]",
        &countries("[\"DE\", \"de\"]"),
        "tenants.shop.countries[1]",
        "a second time",
    );
    let kosovo = "[\"XK\", \"AC\", \"TA\"]";
    assert!(loaded(&changed("countries = [\"DE\", \"FR\"]", &countries(kosovo))).is_ok());
    let all = loaded(&changed("countries = [\"DE\", \"FR\"]", "countries = \"all\"")).unwrap().settings;
    assert_eq!(all.tenants[&TenantId::parse("shop").unwrap()].policy.countries, None);
}

#[test]
fn what_works_but_is_probably_not_meant_is_a_warning() {
    warned("wait = \"60s\"", "wait = \"300s\"", "tenants.shop.purposes.login.ttl", "waits are shortened");
    warned("{ env = \"ACME_TOKEN\" }", "\"sesame\"", "providers.acme-eu.auth_token", "everybody");
    warned("{ env = \"TOKEN\" }", "{ env = \"PEPPER\" }", "keys", "one key for two things");
    warned(
        "kind = \"acme\"\naccount = \"A1\"\nauth_token = { env = \"ACME_TOKEN\" }\n",
        "kind = \"acme\"\nauth_token = { env = \"ACME_TOKEN\" }\n[providers.spare]\nkind = \"mute\"\n",
        "providers.spare",
        "not used",
    );
    warned("send_ttl = \"120s\"", "send_ttl = \"900s\"", "tenants.shop.purposes.login.ttl", "WhatsApp");
    warned(
        "[providers.chat]",
        "[grpc]\nlisten = \"0.0.0.0:1\"\n[providers.chat]",
        "grpc.listen",
        "without TLS",
    );
    warned(
        "[providers.chat]",
        "[metrics]\ncountries = []\n[providers.chat]",
        "metrics.countries",
        "is empty, so labels call every country `other`",
    );
    warned(
        "[providers.chat]",
        "[receipts]\npublic_url = \"http://otp.example.com\"\n[providers.chat]",
        "receipts.public_url",
        "use https",
    );
    warned(
        "[providers.chat]",
        "[receipts]\npublic_url = \"https://otp.example.com/receipts/\"\n[providers.chat]",
        "receipts.public_url",
        "probably not meant",
    );
}

#[test]
fn a_public_url_that_vendors_would_refuse_is_a_problem() {
    let with = |url: &str| format!("[receipts]\npublic_url = \"{url}\"\n[providers.chat]");
    for (url, words) in [
        ("https://otp_eu.example.com", "no `_` in the host"),
        ("https://otp.example.com/?a=b", "without ? and #"),
        ("https://me@otp.example.com", "no user"),
        ("otp.example.com", "must be an https address such as"),
        ("ftp://otp.example.com", "must be an https address such as"),
        ("/otter", "must be an https address such as"),
    ] {
        refused("[providers.chat]", &with(url), "receipts.public_url", words);
    }
}

#[test]
fn listeners_have_places_of_their_own() {
    let with = |grpc: &str, receipts: &str, admin: &str| {
        let listen = [
            ("OTTER__GRPC__LISTEN", grpc),
            ("OTTER__RECEIPTS__LISTEN", receipts),
            ("OTTER__ADMIN__LISTEN", admin),
        ];
        let paths =
            |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>();
        loaded_with(GOOD, &listen).map_err(paths).err().unwrap_or_default()
    };
    let nothing: [&str; 0] = [];
    assert_eq!(with("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"), nothing);
    assert_eq!(with("127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:0"), nothing);
    assert_eq!(with("127.0.0.1:1", "127.0.0.2:1", "[::1]:1"), nothing);
    assert_eq!(with("0.0.0.0:1", "[::1]:1", "10.0.0.1:2"), nothing);
    assert_eq!(with("127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:3"), ["receipts.listen"]);
    assert_eq!(with("0.0.0.0:1", "127.0.0.1:2", "127.0.0.1:1"), ["admin.listen"]);
    assert_eq!(with("127.0.0.1:1", "[::]:2", "0.0.0.0:2"), ["admin.listen"]);
    assert_eq!(with("[::]:1", "127.0.0.1:1", "[::1]:1"), ["receipts.listen", "admin.listen"]);
    assert_eq!(with("[::ffff:127.0.0.1]:1", "127.0.0.1:1", "127.0.0.1:2"), ["receipts.listen"]);
}

#[test]
fn a_send_that_may_outlast_the_drain_is_a_warning() {
    let warned_of = |drain: &str| {
        let warnings = loaded_with(GOOD, &[("OTTER__SHUTDOWN__DRAIN", drain)]).unwrap().warnings;
        let found = warnings.into_iter().find(|warning| warning.path == "providers.acme-eu.timeout");
        found.map(|warning| warning.message)
    };
    assert_eq!(warned_of("12s"), None);
    let message = warned_of("11500ms").unwrap();
    assert!(message.starts_with("is 10s, too long for shutdown.drain, which is 11500ms"), "{message}");
    assert!(message.ends_with("make shutdown.drain at least 12s, or this at most 9500ms"), "{message}");
    let message = warned_of("2s").unwrap();
    assert!(message.ends_with("make shutdown.drain at least 12s"), "no timeout would fit: {message}");
}

#[test]
fn a_vendors_problems_are_named_by_their_whole_path() {
    refused("account = \"A1\"", "account = 1", "providers.acme-eu.account", "must be a text");
    refused("account = \"A1\"", "acount = \"A1\"", "providers.acme-eu.acount", "not a setting of this kind");
    refused(
        "[providers.acme-eu]",
        "[providers.\"Acme EU\"]\nkind = \"mute\"\n[providers.acme-eu]",
        "providers.\"Acme EU\"",
        "1 to 40",
    );
    let configured = &good().providers[&ProviderName::parse("acme-eu").unwrap()];
    assert_eq!(configured.kind, "acme");
}

#[test]
fn what_is_shown_is_in_force_and_can_be_loaded_again() {
    let shown = good().show();
    let sources = Sources { file: Some(&shown), environment: environment(), read_file: &read_file };
    assert!(
        shown.contains("{ env = \"INSTALL_KEY\" }") || shown.contains("env = \"INSTALL_KEY\""),
        "{shown}"
    );
    assert_eq!(loaded(sources.file.unwrap()).unwrap().settings.show(), shown);
}
