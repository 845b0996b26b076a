//! What the catalogue refuses, chooses and renders.

use std::time::Duration;

use otter_domain::{
    Channel, Code, Content, Context, Country, Locale, Payment, PaymentPolicy, PurposeName, TenantId,
};
use otter_message::sms::Encoding;
use otter_message::{Catalogue, Flaw, NoContent, Override, Place, TenantTexts, WhatsAppTemplate, Wish};

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn purpose(name: &str) -> PurposeName {
    PurposeName::parse(name).unwrap()
}

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

fn texts() -> TenantTexts {
    let purposes =
        vec![(purpose("login"), PaymentPolicy::NotAPayment), (purpose("payment"), PaymentPolicy::Required)];
    TenantTexts { purposes, ..TenantTexts::new("ExampleCo") }
}

fn own(purpose_name: Option<&str>, tag: &str, channel: Channel, text: &str) -> Override {
    Override { purpose: purpose_name.map(purpose), locale: locale(tag), channel, text: text.into() }
}

fn approved(tag: &str, name: &str, seconds: u64) -> WhatsAppTemplate {
    WhatsAppTemplate {
        purpose: None,
        locale: locale(tag),
        name: name.into(),
        language: tag.replace('-', "_"),
        send_ttl: Duration::from_secs(seconds),
    }
}

fn catalogue(texts: TenantTexts) -> Catalogue {
    Catalogue::new(vec![(tenant(), texts)]).unwrap()
}

fn problems(texts: TenantTexts) -> Vec<(Place, Flaw)> {
    let problems = Catalogue::new(vec![(tenant(), texts)]).unwrap_err();
    problems.into_iter().map(|problem| (problem.place, problem.flaw)).collect()
}

/// What to ask a catalogue for; the rest of the wish is the same in every test.
struct Case {
    purpose: &'static str,
    locale: &'static str,
    channel: Channel,
    context: Context,
    remaining: u64,
}

const LOGIN: Case =
    Case { purpose: "login", locale: "en", channel: Channel::Sms, context: Context::None, remaining: 300 };

fn payment() -> Case {
    let payment = Payment {
        currency: "EUR".into(),
        minor_units: 4999,
        payee_id: "DE89370400440532013000".into(),
        payee_name: "Book Shop GmbH".into(),
    };
    Case { purpose: "payment", context: Context::Payment(payment), ..LOGIN }
}

fn render(catalogue: &Catalogue, case: &Case) -> Result<Content, NoContent> {
    let (tenant, purpose, locale) = (tenant(), purpose(case.purpose), locale(case.locale));
    let wish = Wish {
        tenant: &tenant,
        purpose: &purpose,
        locale: &locale,
        country: Country::NONE,
        channel: case.channel,
        context: &case.context,
        remaining: Duration::from_secs(case.remaining),
    };
    let content = catalogue.render(&wish, &Code::parse("042137").unwrap());
    let named = catalogue.text_name(&wish);
    assert_eq!(named.map(|_| ()), content.as_ref().map(|_| ()).map_err(Clone::clone));
    content
}

fn text(catalogue: &Catalogue, case: &Case) -> String {
    match render(catalogue, case).unwrap() {
        Content::Sms(sms) => sms.text.reveal().to_owned(),
        Content::Rcs(rcs) => rcs.text.reveal().to_owned(),
        Content::WhatsApp(call) => format!("{} {}", call.template, call.language),
        Content::Voice(spoken) => {
            format!("[{}] {} | {} | {}", spoken.locale, spoken.intro, spoken.again, spoken.goodbye)
        }
    }
}

#[test]
fn built_in_texts_speak_the_language_asked_for() {
    let catalogue = catalogue(texts());
    let check = |tag, expected| assert_eq!(text(&catalogue, &Case { locale: tag, ..LOGIN }), expected);
    check("en", "042137 is your ExampleCo code. It expires in 5 minutes. Do not share it.");
    check("de-AT", "042137 ist dein ExampleCo-Code. Er läuft in 5 Minuten ab. Gib ihn nicht weiter.");
    check("es", "042137 es tu codigo de ExampleCo. Caduca en 5 minutos. No lo compartas.");
    check("pt-BR", "042137 é seu codigo ExampleCo. Expira em 5 minutos. Nunca o compartilhe.");
    check("zh-Hant-TW", "驗證碼042137，5分鐘內有效，請勿告訴他人。【ExampleCo】");
    check("tlh", "042137 is your ExampleCo code. It expires in 5 minutes. Do not share it.");
    let last_minute = Case { remaining: 90, ..LOGIN };
    assert!(text(&catalogue, &last_minute).contains("in 1 minute."));
}

#[test]
fn sms_tells_its_parts_and_alphabet() {
    let catalogue = catalogue(texts());
    let Ok(Content::Sms(english)) = render(&catalogue, &LOGIN) else { panic!("an SMS is a text") };
    assert_eq!((english.parts, english.unicode), (1, false));
    let hindi = Case { locale: "hi", ..LOGIN };
    let Ok(Content::Sms(hindi)) = render(&catalogue, &hindi) else { panic!("an SMS is a text") };
    assert_eq!((hindi.parts, hindi.unicode), (1, true));
}

#[test]
fn voice_splits_the_words_around_the_digits_fmt_50() {
    let catalogue = catalogue(texts());
    let voice = Case { channel: Channel::Voice, locale: "de-AT", ..LOGIN };
    assert_eq!(
        text(&catalogue, &voice),
        "[de-AT] Dein ExampleCo-Code lautet | Noch einmal | Auf Wiederhören"
    );
    let unknown = Case { channel: Channel::Voice, locale: "tlh", ..LOGIN };
    assert_eq!(text(&catalogue, &unknown), "[en] Your ExampleCo code is | Again | Goodbye");
    let payment = Case { channel: Channel::Voice, ..payment() };
    let intro = "You are paying EUR 49.99 to Book Shop GmbH with ExampleCo. Your code is";
    assert_eq!(text(&catalogue, &payment), format!("[en] {intro} | Again | Goodbye"));
}

#[test]
fn autofill_line_follows_sms_only_fmt_10() {
    let host = Some("example.com".to_owned());
    let catalogue = catalogue(TenantTexts { web_otp_host: host, max_parts: 2, ..texts() });
    assert!(text(&catalogue, &LOGIN).ends_with("Do not share it.\n\n@example.com #042137"));
    assert!(text(&catalogue, &Case { channel: Channel::Rcs, ..LOGIN }).ends_with("Do not share it."));
}

#[test]
fn autofill_line_costs_sentences_before_it_costs_a_part() {
    let host = Some("example.com".to_owned());
    let purposes = vec![(purpose("login"), PaymentPolicy::NotAPayment)];
    let catalogue = catalogue(TenantTexts { web_otp_host: host, purposes, ..texts() });
    let chinese = text(&catalogue, &Case { locale: "zh", ..LOGIN });
    assert_eq!(chinese, "验证码042137，5分钟内有效，请勿泄露。【ExampleCo】\n\n@example.com #042137");
    let hindi = text(&catalogue, &Case { locale: "hi", ..LOGIN });
    assert_eq!(hindi, "042137 ExampleCo कोड है। साझा न करें।\n\n@example.com #042137");
}

#[test]
fn own_text_of_the_purpose_goes_before_the_tenants_and_the_built_in_one() {
    let overrides = vec![
        own(Some("login"), "pt", Channel::Sms, "{code} para entrar em {brand}"),
        own(None, "pt-BR", Channel::Sms, "{code} de {brand}"),
        own(None, "ru", Channel::Sms, "Код {brand}: {code}"),
        own(None, "en", Channel::Sms, "{code} from {brand}"),
    ];
    let purposes =
        vec![(purpose("login"), PaymentPolicy::NotAPayment), (purpose("signup"), PaymentPolicy::NotAPayment)];
    let catalogue = catalogue(TenantTexts { overrides, purposes, ..texts() });
    let check = |purpose, locale, expected| {
        assert_eq!(text(&catalogue, &Case { purpose, locale, ..LOGIN }), expected);
    };
    check("login", "pt-BR", "042137 para entrar em ExampleCo");
    check("signup", "pt-BR", "042137 de ExampleCo");
    check("signup", "ru-RU", "Код ExampleCo: 042137");
    check("login", "tlh", "042137 from ExampleCo");
    check("login", "de", "042137 ist dein ExampleCo-Code. Er läuft in 5 Minuten ab. Gib ihn nicht weiter.");
}

#[test]
fn payments_show_amount_and_payee_cmp_21() {
    let overrides = vec![own(None, "en", Channel::Sms, "{code} from {brand}")];
    let catalogue = catalogue(TenantTexts { overrides, ..texts() });
    let expected = "042137 confirms your ExampleCo payment of EUR 49.99 to Book Shop GmbH (DE89...3000). \
                    Valid 5 min. Never share this code.";
    assert_eq!(text(&catalogue, &payment()), expected);
    let without = Case { purpose: "payment", ..LOGIN };
    assert_eq!(render(&catalogue, &without), Err(NoContent::PaymentMissing(purpose("payment"))));
}

#[test]
fn whatsapp_template_never_outlives_the_code_fmt_32() {
    let whatsapp =
        vec![approved("en", "short", 60), approved("en", "long", 300), approved("de", "lang", 600)];
    let catalogue = catalogue(TenantTexts { whatsapp, ..texts() });
    let check = |locale, remaining, expected: &str| {
        let case = Case { channel: Channel::WhatsApp, locale, remaining, ..LOGIN };
        assert_eq!(text(&catalogue, &case), expected);
    };
    check("en-US", 600, "long en");
    check("en", 299, "short en");
    check("de", 600, "lang de");
    check("de", 300, "long en");
    check("fr", 600, "long en");
    let late = Case { channel: Channel::WhatsApp, remaining: 59, ..LOGIN };
    let expected = NoContent::TemplateOutlives {
        channel: Channel::WhatsApp,
        shortest: Duration::from_secs(60),
        remaining: Duration::from_secs(59),
    };
    assert_eq!(render(&catalogue, &late), Err(expected));
}

#[test]
fn any_approved_template_serves_a_language_that_has_none_fmt_60() {
    let whatsapp = vec![approved("pt-BR", "codigo", 300)];
    let catalogue = catalogue(TenantTexts { whatsapp, ..texts() });
    let case = Case { channel: Channel::WhatsApp, locale: "fr", ..LOGIN };
    assert_eq!(text(&catalogue, &case), "codigo pt_BR");
}

#[test]
fn payments_never_go_over_whatsapp_cmp_23() {
    let whatsapp = vec![approved("en", "otp", 60)];
    let catalogue = catalogue(TenantTexts { whatsapp, ..texts() });
    let case = Case { channel: Channel::WhatsApp, ..payment() };
    assert_eq!(render(&catalogue, &case), Err(NoContent::PaymentUnsupported(Channel::WhatsApp)));
}

#[test]
fn tenants_without_texts_or_templates_get_a_reason() {
    let without_templates = catalogue(texts());
    let case = Case { channel: Channel::WhatsApp, ..LOGIN };
    assert_eq!(render(&without_templates, &case), Err(NoContent::NoTemplate(Channel::WhatsApp)));
    let empty = Catalogue::new(Vec::new()).unwrap();
    assert_eq!(render(&empty, &LOGIN), Err(NoContent::UnknownTenant(tenant())));
}

#[test]
fn language_is_the_one_asked_for_then_the_countrys_then_english_fmt_60() {
    let catalogue = catalogue(TenantTexts {
        overrides: vec![own(None, "nl", Channel::Sms, "{code} van {brand}")],
        ..texts()
    });
    let check = |asked: Option<&str>, country, expected| {
        let asked: Vec<Locale> = asked.map(Locale::wishes).unwrap_or_default();
        let found = catalogue.locale(&tenant(), &asked, None, Country::recorded(country).unwrap());
        assert_eq!(found.as_str(), expected, "{asked:?} {country}");
    };
    check(Some("pt-BR"), "DE", "pt-BR");
    check(Some("de-CH"), "FR", "de-CH");
    check(Some("tlh"), "FR", "fr");
    check(Some("nl-BE"), "FR", "nl-BE");
    check(None, "NL", "nl");
    check(None, "KR", "en");
    check(None, "TW", "zh-Hant");
    check(Some("tlh"), "ZZ", "en");
    check(Some("tlh, fr;q=0.5"), "DE", "fr");
    check(Some("zh_TW_#Hant"), "US", "zh-Hant-TW");
    check(Some("yue"), "US", "zh-Hant");
    check(Some("iw, in"), "DE", "id");
    check(Some("*"), "DE", "de");
    let usual = catalogue.locale(&tenant(), &[], Some(&locale("it")), Country::parse("DE").unwrap());
    assert_eq!(usual.as_str(), "it");
    let asked = catalogue.locale(&tenant(), &[locale("yue")], Some(&locale("it")), Country::NONE);
    assert_eq!(asked.as_str(), "zh-Hant");
}

#[test]
fn chinese_is_written_in_the_script_that_its_country_writes_fmt_60() {
    let catalogue = catalogue(TenantTexts {
        overrides: vec![own(None, "zh", Channel::Sms, "{brand} {code} 简体")],
        ..texts()
    });
    let check = |tag, expected: &str| {
        assert!(text(&catalogue, &Case { locale: tag, ..LOGIN }).contains(expected), "{tag}");
    };
    check("zh-CN", "简体");
    check("zh-SG", "简体");
    check("zh-Hans-HK", "简体");
    check("zh-TW", "驗證碼");
    check("zh-HK", "驗證碼");
    check("zh-Hant-MY", "驗證碼");
}

#[test]
fn a_channel_without_the_language_uses_the_countrys_fmt_60() {
    let whatsapp = vec![approved("nl", "code_nl", 60), approved("en-US", "code_en", 60)];
    let catalogue = catalogue(TenantTexts { whatsapp, ..texts() });
    let (tenant, purpose, germany) = (tenant(), purpose("login"), Country::parse("DE").unwrap());
    let locale = catalogue.locale(&tenant, &[locale("nl-BE")], None, germany);
    assert_eq!(locale.as_str(), "nl-BE");
    let told = |channel| {
        let wish = Wish {
            tenant: &tenant,
            purpose: &purpose,
            locale: &locale,
            country: germany,
            channel,
            context: &Context::None,
            remaining: Duration::from_secs(300),
        };
        match catalogue.render(&wish, &Code::parse("042137").unwrap()).unwrap() {
            Content::Sms(sms) => sms.text.reveal().to_owned(),
            Content::WhatsApp(call) => format!("{} {}", call.template, call.language),
            Content::Rcs(_) | Content::Voice(_) => unreachable!("neither was asked for"),
        }
    };
    assert_eq!(told(Channel::WhatsApp), "code_nl nl");
    assert!(told(Channel::Sms).starts_with("042137 ist dein"));
}

/// Which template is called for a wish, of one in each of these languages.
fn template_for(templates: &[&str], asked: &str, country: &str) -> String {
    let whatsapp = templates.iter().map(|tag| approved(tag, "code", 60)).collect();
    let catalogue = catalogue(TenantTexts { whatsapp, ..texts() });
    let country = Country::parse(country).unwrap();
    let locale = catalogue.locale(&tenant(), &[locale(asked)], None, country);
    let wish = Wish {
        tenant: &tenant(),
        purpose: &purpose("login"),
        locale: &locale,
        country,
        channel: Channel::WhatsApp,
        context: &Context::None,
        remaining: Duration::from_secs(300),
    };
    match catalogue.render(&wish, &Code::parse("042137").unwrap()).unwrap() {
        Content::WhatsApp(call) => call.language,
        Content::Sms(_) | Content::Rcs(_) | Content::Voice(_) => unreachable!("WhatsApp was asked for"),
    }
}

#[test]
fn a_template_is_used_in_languages_without_texts_too() {
    for tag in ["nl", "el", "fi", "da", "nb", "hu", "he", "bg", "hr", "sk", "fa", "ka", "sw", "af"] {
        assert_eq!(template_for(&["en-US", "de", tag], tag, "DE"), tag);
    }
}

#[test]
fn a_template_in_the_right_script_is_taken() {
    let check = |templates: &[&str], asked, expected| {
        assert_eq!(template_for(templates, asked, "US"), expected, "{asked} of {templates:?}");
    };
    check(&["en-US", "zh-CN", "zh-HK"], "zh-TW", "zh_HK");
    check(&["en-US", "zh-CN", "zh-Hant"], "zh-TW", "zh_Hant");
    check(&["en-US", "zh-CN", "zh-TW"], "zh-Hant", "zh_TW");
    check(&["en-US", "zh-CN", "zh-TW"], "zh-HK", "zh_TW");
    check(&["en-US", "zh-HK", "zh-CN"], "zh-SG", "zh_CN");
    check(&["en-US", "zh-HK", "zh-CN"], "zh", "zh_CN");
    check(&["en-US", "pt-PT", "pt-BR"], "pt-BR", "pt_BR");
}

#[test]
fn all_problems_are_reported_with_their_places() {
    let overrides = vec![
        own(Some("login"), "de", Channel::Sms, "Dein Code bei {brnd}"),
        own(Some("payment"), "de", Channel::Sms, "{code} gilt"),
        own(Some("other"), "de", Channel::Sms, "{code}\n"),
        own(None, "de", Channel::WhatsApp, "{code}"),
        own(None, "fr", Channel::Sms, "{code} a"),
        own(None, "fr", Channel::Sms, "{code} b"),
    ];
    let whatsapp = vec![WhatsAppTemplate { purpose: Some(purpose("payment")), ..approved("en", "otp", 60) }];
    let found = problems(TenantTexts {
        brand: String::new(),
        web_otp_host: Some("https://example.com".into()),
        app_hash: Some("x".into()),
        max_parts: 0,
        overrides,
        whatsapp,
        ..texts()
    });
    let flaws: Vec<&Flaw> = found.iter().map(|(_, flaw)| flaw).collect();
    assert_eq!(
        flaws,
        [
            &Flaw::BrandShape,
            &Flaw::HostShape,
            &Flaw::HashShape,
            &Flaw::PartsRange(0),
            &Flaw::UnknownPlaceholder("brnd".into()),
            &Flaw::MissingInPayment("amount"),
            &Flaw::MissingInPayment("payee"),
            &Flaw::UnknownPurpose(purpose("other")),
            &Flaw::EndsWithSpace,
            &Flaw::FixedByVendor,
            &Flaw::Duplicate,
            &Flaw::PaymentOverWhatsApp,
        ]
    );
    let index = |place: &Place| match place {
        Place::Override { index, .. } | Place::WhatsApp { index, .. } => Some(*index),
        Place::Brand | Place::WebOtpHost | Place::AppHash | Place::MaxParts | Place::BuiltIn { .. } => None,
    };
    let indices: Vec<Option<usize>> = found.iter().map(|(place, _)| index(place)).collect();
    let (none, some) = (None::<usize>, Some);
    assert_eq!(
        indices,
        [none, none, none, none, some(0), some(1), some(1), some(2), some(2), some(3), some(5), some(0)]
    );
}

#[test]
fn problem_reads_as_a_sentence_that_names_the_place() {
    let overrides = vec![own(Some("login"), "de", Channel::Sms, "Dein Code")];
    let problems = Catalogue::new(vec![(tenant(), TenantTexts { overrides, ..texts() })]).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "tenant acme, purpose login, locale de, channel sms: contains {code} 0 times; must contain it once"
    );
}

#[test]
fn built_in_text_that_the_autofill_line_makes_too_long_is_reported() {
    let host = Some("a-rather-long-host-name.example.com".to_owned());
    let found = problems(TenantTexts { web_otp_host: host.clone(), ..texts() });
    let arabic = found.iter().find(|(place, _)| {
        matches!(place, Place::BuiltIn { payment: false, locale, channel: Channel::Sms } if locale.as_str() == "ar")
    });
    let Some((_, Flaw::TooManyParts { encoding: Encoding::Ucs2, parts: 2, max_parts: 1, .. })) = arabic
    else {
        panic!("the line takes 51 of 70 units: {found:?}");
    };
    assert!(
        Catalogue::new(vec![(tenant(), TenantTexts { web_otp_host: host, max_parts: 2, ..texts() })]).is_ok()
    );
}

#[test]
fn built_in_text_is_judged_for_the_countries_and_languages_that_are_met() {
    let host = Some("a-rather-long-host-name.example.com".to_owned());
    let countries = |codes: &[&str]| Some(codes.iter().map(|code| Country::parse(code).unwrap()).collect());
    let judged = |codes: &[&str], named: &[&str]| {
        let locales = named.iter().map(|tag| locale(tag)).collect();
        let texts =
            TenantTexts { web_otp_host: host.clone(), countries: countries(codes), locales, ..texts() };
        let found = Catalogue::new(vec![(tenant(), texts)]).err().unwrap_or_default();
        let plain = |problem: otter_message::TemplateProblem| match &problem.place {
            Place::BuiltIn { payment: false, locale, .. } => Some(locale.to_string()),
            Place::BuiltIn { payment: true, .. } => None,
            Place::Brand
            | Place::WebOtpHost
            | Place::AppHash
            | Place::MaxParts
            | Place::Override { .. }
            | Place::WhatsApp { .. } => panic!("{problem}"),
        };
        found.into_iter().filter_map(plain).collect::<Vec<_>>()
    };
    assert_eq!(judged(&["DE", "AT", "US"], &[]), [""; 0]);
    assert_eq!(judged(&["DE", "SA"], &[]), ["ar"]);
    assert_eq!(judged(&["DE"], &["ar-EG"]), ["ar"]);
    assert!(judged(&["IN", "SA"], &[]).len() == 2);
}

#[test]
fn wish_for_a_language_that_does_not_fit_is_met_with_one_that_does() {
    let host = Some("a-rather-long-host-name.example.com".to_owned());
    let countries = Some(vec![Country::parse("DE").unwrap()]);
    let overrides = vec![own(None, "ru", Channel::Sms, "Код {code}")];
    let catalogue = catalogue(TenantTexts { web_otp_host: host, countries, overrides, ..texts() });
    let check = |locale, channel, start: &str| {
        let found = text(&catalogue, &Case { locale, channel, ..LOGIN });
        assert!(found.starts_with(start), "{locale} {channel}: {found}");
    };
    check("de", Channel::Sms, "042137 ist dein");
    check("ar", Channel::Rcs, "042137 هو");
    check("ar", Channel::Voice, "[ar]");
    check("ru", Channel::Sms, "Код 042137");
    check("es", Channel::Sms, "042137 es tu");
    let Ok(Content::Sms(arabic)) = render(&catalogue, &Case { locale: "ar", ..LOGIN }) else {
        panic!("an SMS is a text")
    };
    assert_eq!((arabic.parts, arabic.unicode), (1, false), "a language that fits stands for it");
}

#[test]
fn built_in_text_that_is_never_used_is_not_judged() {
    let long = "x".repeat(32).replace("xx", "xž");
    let overrides = |with: bool| {
        let short = own(None, "ar", Channel::Sms, "{code}");
        if with { vec![short] } else { Vec::new() }
    };
    let judged = |with: bool| {
        let purposes = vec![(purpose("login"), PaymentPolicy::NotAPayment)];
        let texts = TenantTexts {
            purposes,
            overrides: overrides(with),
            web_otp_host: Some("host.example.com".into()),
            ..TenantTexts::new(long.clone())
        };
        problems(texts)
            .iter()
            .any(|(place, _)| matches!(place, Place::BuiltIn { locale, .. } if locale.as_str() == "ar"))
    };
    assert!(judged(false));
    assert!(!judged(true));
}

#[test]
fn nothing_of_the_code_is_in_debug_output_sec_10() {
    let whatsapp = vec![approved("en", "otp", 60)];
    let catalogue =
        catalogue(TenantTexts { whatsapp, web_otp_host: Some("a.example".into()), max_parts: 2, ..texts() });
    for channel in Channel::ALL {
        let content = render(&catalogue, &Case { channel, ..LOGIN }).unwrap();
        assert!(!format!("{content:?}").contains("042137"), "{channel}");
    }
}
