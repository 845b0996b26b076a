//! What a tenant says: `brand`, autofill, `texts` and `whatsapp_templates`. `message` judges the texts themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, Country, Locale, PurposeName, PurposePolicy, TenantId};
use otter_message::{Catalogue, Flaw, Override, Place, TemplateProblem, TenantTexts, WhatsAppTemplate};

use crate::problem::{Notes, below};
use crate::section::{Section, one_of};
use crate::tenants::TenantEntry;

/// Where in the file's lists each text stands that could be read.
#[derive(Debug, Default)]
pub(crate) struct Places {
    texts: Vec<usize>,
    templates: Vec<usize>,
}

impl Places {
    /// Where the text that was read as this one stands in the file's list.
    pub(crate) fn text(&self, index: usize) -> usize {
        self.texts.get(index).copied().unwrap_or(index)
    }
}

pub(crate) fn read(
    section: &Section<'_>,
    purposes: &BTreeMap<PurposeName, PurposePolicy>,
    countries: Option<Vec<Country>>,
) -> (TenantTexts, Places) {
    if section.value("brand").is_none() {
        section.missing("brand", "what messages call you, for example \"ExampleCo\"");
    }
    let (texts, overrides) = section.tables("texts").into_iter().filter_map(own_text).unzip();
    let (templates, whatsapp) = section.tables("whatsapp_templates").into_iter().filter_map(template).unzip();
    let written = TenantTexts {
        web_otp_host: section.text("web_otp_host").map(str::to_owned),
        app_hash: section.text("app_hash").map(str::to_owned),
        max_parts: section.number("max_sms_parts", 1..=10, Some(1)),
        countries,
        locales: purposes.values().filter_map(|purpose| purpose.locale.clone()).collect(),
        purposes: purposes.iter().map(|(name, purpose)| (name.clone(), purpose.payment)).collect(),
        overrides,
        whatsapp,
        ..TenantTexts::new(section.text("brand").unwrap_or_default())
    };
    (written, Places { texts, templates })
}

fn own_text((place, entry): (usize, Section<'_>)) -> Option<(usize, Override)> {
    let expected = one_of([Channel::Sms, Channel::Rcs, Channel::Voice].map(Channel::as_str));
    for (key, expected) in [("channel", expected.as_str()), ("text", "the text, with {code} in it")] {
        if entry.table().is_none_or(|table| !table.contains_key(key)) {
            entry.missing(key, expected);
        }
    }
    let purpose = purpose(&entry);
    let locale = needed_locale(&entry);
    let channel = entry.parsed("channel", &expected, Channel::parse);
    let text = entry.text("text").map(str::to_owned);
    entry.done();
    Some((place, Override { purpose, locale: locale?, channel: channel?, text: text? }))
}

fn template((place, entry): (usize, Section<'_>)) -> Option<(usize, WhatsAppTemplate)> {
    for (key, expected) in [("name", "its name as registered"), ("language", "its language as registered")] {
        if entry.table().is_none_or(|table| !table.contains_key(key)) {
            entry.missing(key, expected);
        }
    }
    let purpose = purpose(&entry);
    let locale = needed_locale(&entry);
    let name = entry.text("name").map(str::to_owned);
    let language = entry.text("language").map(str::to_owned);
    let send_ttl = entry.span("send_ttl", Duration::from_secs(30)..=Duration::from_secs(900), None);
    entry.done();
    Some((place, WhatsAppTemplate { purpose, locale: locale?, name: name?, language: language?, send_ttl }))
}

fn purpose(entry: &Section<'_>) -> Option<PurposeName> {
    entry.parsed("purpose", "the name of one of the tenant's purposes", |text| PurposeName::parse(text).ok())
}

fn needed_locale(entry: &Section<'_>) -> Option<Locale> {
    const EXPECTED: &str = "a language tag such as \"en\" or \"pt-BR\"";
    if entry.value("locale").is_none() {
        entry.missing("locale", EXPECTED);
    }
    entry.parsed("locale", EXPECTED, |text| Locale::parse(text).ok())
}

/// Checks every tenant's texts; `None` after a problem with any of them.
pub(crate) fn catalogue(tenants: &BTreeMap<TenantId, TenantEntry>, notes: &Notes) -> Option<Catalogue> {
    let texts = tenants.iter().map(|(id, entry)| (id.clone(), entry.texts.clone())).collect();
    match Catalogue::new(texts) {
        Ok(catalogue) => Some(catalogue),
        Err(problems) => {
            let place = |problem: &TemplateProblem| {
                let tenant = below("tenants", problem.tenant.as_str());
                let path = path(&tenant, problem, tenants.get(&problem.tenant));
                (tenant, path)
            };
            // All are looked at before one is noted: what one place has wrong hides nothing else that it has wrong.
            let untold: Vec<_> = problems
                .iter()
                .map(|problem| (problem, place(problem)))
                .filter(|(problem, (tenant, path))| !is_told(problem, tenant, path, notes))
                .collect();
            for (problem, (tenant, path)) in untold {
                notes.problem(path, message(&tenant, problem));
            }
            None
        }
    }
}

/// Whether it only follows from what was reported already: a brand that is no text, a purpose that was left out.
fn is_told(problem: &TemplateProblem, tenant: &str, path: &str, notes: &Notes) -> bool {
    if let Flaw::UnknownPurpose(name) = &problem.flaw {
        return notes.has_problem_below(&format!("{tenant}.purposes.{name}"));
    }
    notes.has_problem_at(path)
}

fn path(tenant: &str, problem: &TemplateProblem, entry: Option<&TenantEntry>) -> String {
    let places = entry.map(|entry| &entry.places);
    let at = |list: &str, places: Option<&Vec<usize>>, index: usize| {
        let place = places.and_then(|places| places.get(index)).copied().unwrap_or(index);
        format!("{tenant}.{list}[{place}]")
    };
    match &problem.place {
        Place::BuiltIn { .. } => below(tenant, entry.map_or("brand", |entry| lengthens(&entry.texts))),
        Place::Brand => below(tenant, "brand"),
        Place::WebOtpHost => below(tenant, "web_otp_host"),
        Place::AppHash => below(tenant, "app_hash"),
        Place::MaxParts => below(tenant, "max_sms_parts"),
        Place::Override { index, .. } => at("texts", places.map(|places| &places.texts), *index),
        Place::WhatsApp { index, .. } => {
            at("whatsapp_templates", places.map(|places| &places.templates), *index)
        }
    }
}

/// The setting that makes built-in texts long: they leave room for brands, and less for lines.
fn lengthens(texts: &TenantTexts) -> &'static str {
    match (&texts.web_otp_host, &texts.app_hash) {
        (Some(_), _) => "web_otp_host",
        (None, Some(_)) => "app_hash",
        (None, None) => "brand",
    }
}

/// What is wrong, with every setting that could mend it by its whole path.
fn message(tenant: &str, problem: &TemplateProblem) -> String {
    let message = match &problem.place {
        Place::BuiltIn { .. } => format!("makes the {} too long: {}", problem.place, problem.flaw),
        Place::Brand
        | Place::WebOtpHost
        | Place::AppHash
        | Place::MaxParts
        | Place::Override { .. }
        | Place::WhatsApp { .. } => problem.flaw.to_string(),
    };
    ["max_sms_parts", "web_otp_host", "app_hash", "whatsapp_templates"]
        .into_iter()
        .fold(message, |message, key| message.replace(key, &below(tenant, key)))
}
