//! The reference tells the truth: it is all there, all of it is known, and the manual quotes it.
#![allow(clippy::unwrap_used)]

use crate::REFERENCE;
use crate::fixture::{KEY, environment, loaded, read_file};
use crate::{Sources, load};

/// The reference with every commented setting switched on.
pub(crate) fn everything_on() -> String {
    let setting = |line: &str| {
        let line = line.strip_prefix("# ")?;
        let code = line.starts_with('[')
            || line.starts_with("    {")
            || line == "]"
            || line.split_once(" = ").is_some_and(|(key, _)| {
                key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter == '.')
            });
        code.then(|| line.to_owned())
    };
    REFERENCE.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn every_setting_that_is_commented_out_is_a_setting() {
    let file = everything_on()
        .replace("…64 hex digits…", &"0123456789abcdef".repeat(4))
        .replace("twilio-eu", "acme-eu")
        .replace("twilio", "acme")
        .replace(", { name = \"acme\", weight = 2 }", ", { name = \"other\", weight = 2 }")
        .replace(
            "kind = \"acme\"",
            "kind = \"acme\"\nauth_token = \"x\"\n[providers.other]\nkind = \"mute\"",
        );
    let pair = rcgen::generate_simple_self_signed(["otter.example.com".to_owned()]).unwrap();
    let read = |path: &std::path::Path| {
        let key = |first: u8| Ok((0..32).map(|place| format!("{:02x}", first + place)).collect());
        match path.file_name().unwrap().to_str().unwrap() {
            "install" => Ok(KEY.to_owned()),
            "pepper-1" => key(40),
            "sealing-1" => key(80),
            "token-1" => key(120),
            "tls.key" => Ok(pair.signing_key.serialize_pem()),
            "sentinel" => Ok("sesame".to_owned()),
            "tls.crt" | "clients.crt" | "ca.crt" => Ok(pair.cert.pem()),
            _ => read_file(path),
        }
    };
    let sources = Sources { file: Some(&file), environment: environment(), read_file: &read };
    let registrations = crate::fixture::REGISTRATIONS;
    let settings = load(&sources, &registrations).map(|loaded| loaded.settings);
    let settings = settings.unwrap_or_else(|problems| panic!("{problems:#?} in {file}"));
    assert!(settings.grpc.tls.is_some() && settings.telemetry.otlp.is_some());
    assert_eq!(settings.tenants.len(), 1);
}

#[test]
fn every_key_that_is_known_somewhere_is_in_the_reference() {
    let sections = [
        "install",
        "keys",
        "store",
        "store.tls",
        "store.sentinel",
        "store.retention",
        "grpc",
        "grpc.tls",
        "receipts",
        "admin",
        "shutdown",
        "metrics",
        "telemetry",
        "telemetry.otlp",
        "defaults",
        "defaults.tenant",
        "defaults.tenant.limits",
        "defaults.purpose",
        "defaults.purpose.resend",
        "defaults.step",
        "routes.x",
        "tenants.x",
        "tenants.x.limits",
        "tenants.x.purposes.x",
        "tenants.x.purposes.x.resend",
    ];
    let list = [
        "tenants.x.api_keys",
        "tenants.x.texts",
        "tenants.x.whatsapp_templates",
        "routes.x.steps",
        "keys.pepper",
    ];
    for header in
        sections.map(|path| format!("[{path}]")).into_iter().chain(list.map(|path| format!("[[{path}]]")))
    {
        let problems = loaded(&format!("{header}\nnonsense = 1")).unwrap_err();
        let told = problems
            .iter()
            .find(|problem| problem.path.ends_with("nonsense"))
            .unwrap_or_else(|| panic!("{header}"));
        let known = told.message.split_once("known here are: ").unwrap().1.to_owned();
        for key in known.split(", ") {
            let shown = [
                format!("{key} ="),
                format!("{key}."),
                format!(".{key}]"),
                format!("[{key}]"),
                format!("{key}.{key}"),
            ];
            assert!(shown.iter().any(|text| REFERENCE.contains(text.as_str())), "{key} of {header}");
        }
    }
}

#[test]
fn the_manual_quotes_the_reference() {
    let manual = include_str!("../../../docs/operating/configuration.md");
    assert!(
        manual.contains(&format!("```toml\n{REFERENCE}```")),
        "copy config/default.toml into the manual's last block"
    );
}
