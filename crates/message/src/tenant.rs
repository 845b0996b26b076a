//! One tenant's texts: checked, and found again by purpose, language and channel.

use std::time::Duration;

use otter_domain::{Context, Country, Locale, PaymentPolicy, PurposeName, TenantId};

use crate::autofill::Lines;
use crate::builtin::{self, Kind, Language, Medium};
use crate::compose::Frame;
use crate::lint;
use crate::locale;
use crate::problem::{Flaw, Place, TemplateProblem};
use crate::settings::{Override, TenantTexts, WhatsAppTemplate};
use crate::template::{Slot, Template};

/// A tenant's texts, all of which may be used as they are.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    pub(crate) frame: Frame,
    pub(crate) purposes: Vec<(PurposeName, PaymentPolicy)>,
    pub(crate) own: Vec<OwnText>,
    /// Longest time to live first.
    approved: Vec<WhatsAppTemplate>,
    /// The built-in SMS texts, by their language's own tag, that do not fit with the brand and the lines.
    too_long: Vec<(Kind, Locale)>,
}

/// A text of the operator's.
#[derive(Debug, Clone)]
pub(crate) struct OwnText {
    purpose: Option<PurposeName>,
    pub(crate) locale: Locale,
    kind: Kind,
    medium: Medium,
    pub(crate) wording: Template,
}

/// Why no approved template can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoneApproved {
    /// There is none for the purpose.
    Missing,
    /// All of them would be kept longer than the code lives; this is the shortest time.
    Outlives(Duration),
}

impl Texts {
    /// Checks the settings; all problems are collected.
    pub(crate) fn check(
        tenant: &TenantId,
        settings: TenantTexts,
        languages: &[Language],
    ) -> Result<Self, Vec<TemplateProblem>> {
        let TenantTexts { brand, web_otp_host, app_hash, max_parts, countries, locales, .. } = settings;
        let TenantTexts { purposes, overrides, whatsapp, .. } = settings;
        let lines = Lines { host: web_otp_host, app_hash };
        let mut found = frame_flaws(&brand, &lines, max_parts);
        let frame_is_sound = found.is_empty();
        let frame = Frame { brand, lines, max_parts: max_parts.clamp(1, 10) };
        let mut texts = Self { frame, purposes, own: Vec::new(), approved: Vec::new(), too_long: Vec::new() };
        found.extend(texts.take_overrides(overrides));
        found.extend(texts.take_approved(whatsapp));
        if frame_is_sound {
            let met = met(countries.as_deref(), locales, languages);
            found.extend(texts.judge_built_in(languages, &met));
        }
        if found.is_empty() {
            return Ok(texts);
        }
        Err(found
            .into_iter()
            .map(|(place, flaw)| TemplateProblem { tenant: tenant.clone(), place, flaw })
            .collect())
    }

    fn take_overrides(&mut self, overrides: Vec<Override>) -> Vec<(Place, Flaw)> {
        let mut found = Vec::new();
        for (index, Override { purpose, locale, channel, text }) in overrides.into_iter().enumerate() {
            let place = Place::Override { index, purpose: purpose.clone(), locale: locale.clone(), channel };
            let mut flaws: Vec<Flaw> = self.unknown_purpose(purpose.as_ref()).into_iter().collect();
            match (Medium::of(channel), Template::parse(&text, locale.language())) {
                (None, _) => flaws.push(Flaw::FixedByVendor),
                (Some(_), Err(unreadable)) => flaws.extend(unreadable),
                (Some(medium), Ok(wording)) => {
                    let kind = self.kind_of_text(purpose.as_ref(), &wording);
                    flaws.extend(lint::text_flaws(&wording, kind, medium, &self.frame));
                    let own = OwnText { purpose, locale, kind, medium, wording };
                    if self.own.iter().any(|earlier| earlier.stands_for_the_same(&own)) {
                        flaws.push(Flaw::Duplicate);
                    }
                    self.own.push(own);
                }
            }
            found.extend(flaws.into_iter().map(|flaw| (place.clone(), flaw)));
        }
        found
    }

    fn take_approved(&mut self, templates: Vec<WhatsAppTemplate>) -> Vec<(Place, Flaw)> {
        let mut found = Vec::new();
        for (index, template) in templates.into_iter().enumerate() {
            let (purpose, locale) = (template.purpose.clone(), template.locale.clone());
            let mut flaws: Vec<Flaw> = self.unknown_purpose(purpose.as_ref()).into_iter().collect();
            let kind = self.kind_of_purpose(purpose.as_ref()).unwrap_or(Kind::Plain);
            flaws.extend(lint::approved_flaws(&template, kind));
            let same = |earlier: &WhatsAppTemplate| {
                earlier.purpose == purpose
                    && earlier.locale == locale
                    && earlier.send_ttl == template.send_ttl
            };
            if self.approved.iter().any(same) {
                flaws.push(Flaw::Duplicate);
            }
            self.approved.push(template);
            let place = Place::WhatsApp { index, purpose, locale };
            found.extend(flaws.into_iter().map(|flaw| (place.clone(), flaw)));
        }
        self.approved.sort_by_key(|template| std::cmp::Reverse(template.send_ttl));
        found
    }

    /// Remembers which built-in texts do not fit with the brand and the lines, and finds fault with those that people get
    /// without anybody's wish. A wish for another language is met with a text that fits; see [`Self::fits`].
    fn judge_built_in(&mut self, languages: &[Language], met: &[Locale]) -> Vec<(Place, Flaw)> {
        let mut found = Vec::new();
        for kind in [Kind::Plain, Kind::Payment] {
            for language in languages {
                let Some(flaw) = lint::length_flaw(&self.frame, language.wordings(kind, Medium::Sms)) else {
                    continue;
                };
                self.too_long.push((kind, language.locale.clone()));
                if met.iter().any(|locale| self.needs_built_in(kind, language, locale, languages)) {
                    let (payment, locale) = (kind == Kind::Payment, language.locale.clone());
                    found.push((Place::BuiltIn { payment, locale, channel: Medium::Sms.channel() }, flaw));
                }
            }
        }
        found
    }

    /// Whether somebody with this language gets a built-in SMS, and it is this one.
    fn needs_built_in(&self, kind: Kind, language: &Language, locale: &Locale, all: &[Language]) -> bool {
        let english = Locale::english();
        let nearest = builtin::nearest(all, locale);
        if nearest.unwrap_or(&all[0]).locale != language.locale {
            return false;
        }
        let own = |purpose, locale: &Locale| self.own_text(kind, Medium::Sms, purpose, locale).is_some();
        let lacks_own = |purpose| !own(purpose, locale) && (nearest.is_some() || !own(purpose, &english));
        let purposes = self.purposes.iter().filter(|(_, policy)| kind_of(*policy) == kind);
        let purposes: Vec<Option<&PurposeName>> = purposes.map(|(name, _)| Some(name)).collect();
        match (purposes.as_slice(), kind) {
            ([], Kind::Payment) => false,
            ([], Kind::Plain) => lacks_own(None),
            (purposes, Kind::Plain | Kind::Payment) => purposes.iter().any(|purpose| lacks_own(*purpose)),
        }
    }

    /// Whether a built-in text keeps to the limits of parts and bytes with its longest values; the operator's own texts
    /// were held to them one by one.
    pub(crate) fn fits(&self, kind: Kind, medium: Medium, language: &Locale) -> bool {
        medium != Medium::Sms
            || !self.too_long.iter().any(|(too_long, locale)| *too_long == kind && locale == language)
    }

    fn unknown_purpose(&self, purpose: Option<&PurposeName>) -> Option<Flaw> {
        let purpose = purpose?;
        self.kind_of_purpose(Some(purpose)).is_none().then(|| Flaw::UnknownPurpose(purpose.clone()))
    }

    /// What a purpose is about, if the tenant has it. Without a purpose a text is for what is not a payment.
    fn kind_of_purpose(&self, purpose: Option<&PurposeName>) -> Option<Kind> {
        let Some(purpose) = purpose else { return Some(Kind::Plain) };
        let policy = self.purposes.iter().find(|(name, _)| name == purpose).map(|(_, policy)| *policy);
        policy.map(kind_of)
    }

    /// What a text is about. Under a purpose that does not exist the text itself tells, so that it is judged fairly.
    fn kind_of_text(&self, purpose: Option<&PurposeName>, wording: &Template) -> Kind {
        let told = if wording.count(Slot::Amount) > 0 { Kind::Payment } else { Kind::Plain };
        self.kind_of_purpose(purpose).unwrap_or(told)
    }

    /// What a message is about, or `None` for a payment purpose without a payment. A purpose that has left the
    /// configuration since the code was accepted counts as what the context says.
    pub(crate) fn kind_of_message(&self, purpose: &PurposeName, context: &Context) -> Option<Kind> {
        match (context, self.kind_of_purpose(Some(purpose))) {
            (Context::Payment(_), _) => Some(Kind::Payment),
            (Context::None | Context::Text(_), Some(Kind::Payment)) => None,
            (Context::None | Context::Text(_), Some(Kind::Plain) | None) => Some(Kind::Plain),
        }
    }

    /// The operator's text for a case: the purpose's own before the tenant's, the nearest tag first; never one in another
    /// script, for which there may be a built-in text.
    pub(crate) fn own_text(
        &self,
        kind: Kind,
        medium: Medium,
        purpose: Option<&PurposeName>,
        locale: &Locale,
    ) -> Option<&OwnText> {
        let texts = self.own.iter().filter(|text| text.kind == kind && text.medium == medium);
        let found = nearest(texts, purpose, locale, |text| (text.purpose.as_ref(), &text.locale))?;
        locale.distance(&found.locale).is_some_and(|distance| !distance.is_far()).then_some(found)
    }

    /// The approved template for a code that lives this much longer (FMT-32): of the first of these languages that there
    /// is one for, then English, then whatever there is, and of these the one that the vendor keeps longest.
    pub(crate) fn approved(
        &self,
        purpose: &PurposeName,
        locales: &[Locale],
        remaining: Duration,
    ) -> Result<&WhatsAppTemplate, NoneApproved> {
        let serves =
            |template: &&WhatsAppTemplate| template.purpose.as_ref().is_none_or(|own| own == purpose);
        let of_purpose = self.approved.iter().filter(serves);
        let in_time = of_purpose.clone().filter(|template| template.send_ttl <= remaining);
        let nearest = |locale: &Locale| {
            nearest(in_time.clone(), Some(purpose), locale, |template| {
                (template.purpose.as_ref(), &template.locale)
            })
        };
        if let Some(found) = locales.iter().chain([&Locale::english()]).find_map(nearest) {
            return Ok(found);
        }
        let shortest = of_purpose.map(|template| template.send_ttl).min();
        let outlives = shortest.map_or(NoneApproved::Missing, NoneApproved::Outlives);
        in_time.clone().next().ok_or(outlives)
    }

    /// The languages of the operator's texts and approved templates.
    pub(crate) fn locales(&self) -> impl Iterator<Item = &Locale> {
        let approved = self.approved.iter().map(|template| &template.locale);
        self.own.iter().map(|text| &text.locale).chain(approved)
    }
}

impl OwnText {
    fn stands_for_the_same(&self, other: &Self) -> bool {
        self.purpose == other.purpose && self.locale == other.locale && self.medium == other.medium
    }
}

/// The languages that a tenant's recipients are written to unless somebody wishes for another.
fn met(countries: Option<&[Country]>, named: Vec<Locale>, languages: &[Language]) -> Vec<Locale> {
    let of_countries: Vec<Locale> = match countries {
        Some(countries) => countries.iter().map(|country| locale::default_of(*country)).collect(),
        None => languages.iter().map(|language| language.locale.clone()).collect(),
    };
    of_countries.into_iter().chain(named).collect()
}

fn kind_of(policy: PaymentPolicy) -> Kind {
    match policy {
        PaymentPolicy::NotAPayment => Kind::Plain,
        PaymentPolicy::Required => Kind::Payment,
    }
}

fn frame_flaws(brand: &str, lines: &Lines, max_parts: u8) -> Vec<(Place, Flaw)> {
    let brand = lint::brand_flaws(brand).into_iter().map(|flaw| (Place::Brand, flaw));
    let host = lines.host.as_deref().and_then(lint::host_flaw).map(|flaw| (Place::WebOtpHost, flaw));
    let hash = lines.app_hash.as_deref().and_then(lint::hash_flaw).map(|flaw| (Place::AppHash, flaw));
    let bounded = (1..=10).contains(&max_parts);
    let parts = (!bounded).then_some((Place::MaxParts, Flaw::PartsRange(max_parts)));
    brand.chain(host).chain(hash).chain(parts).collect()
}

/// Finds what stands for a purpose, or else for all of them, in the language that fits best (FMT-60). For the purpose comes
/// before nearer in region, but not before the right script.
fn nearest<'a, T>(
    items: impl Iterator<Item = &'a T> + Clone,
    purpose: Option<&PurposeName>,
    locale: &Locale,
    key: impl Fn(&'a T) -> (Option<&'a PurposeName>, &'a Locale),
) -> Option<&'a T> {
    let fits = items.filter_map(|item| {
        let (own, tag) = key(item);
        let is_general = own.is_none();
        let distance = locale.distance(tag).filter(|_| is_general || own == purpose)?;
        Some(((distance.is_far(), is_general, distance), item))
    });
    fits.min_by_key(|(order, _)| *order).map(|(_, item)| item)
}
