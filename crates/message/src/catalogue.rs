//! All texts of an installation, and the message of one attempt.

use std::collections::HashMap;
use std::time::Duration;

use otter_domain::{
    Channel, Code, Content, Context, Country, Locale, PurposeName, RcsText, TemplateCall, TenantId, TextName,
};
use thiserror::Error;

use crate::builtin::{self, Kind, Language, Medium};
use crate::compose::{self, Particulars};
use crate::locale;
use crate::money::Bill;
use crate::problem::TemplateProblem;
use crate::settings::{TenantTexts, WhatsAppTemplate};
use crate::template::Template;
use crate::tenant::{NoneApproved, Texts};

/// Every tenant's texts over the built-in ones, checked.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// English first.
    languages: Vec<Language>,
    tenants: HashMap<TenantId, Texts>,
}

/// Which message is wanted, all but its code.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whose brand and texts.
    pub tenant: &'a TenantId,
    /// What the code is for.
    pub purpose: &'a PurposeName,
    /// The language wanted; see [`Catalogue::locale`]. One that the channel has no text in, or for SMS none that fits the
    /// tenant's limit of parts, becomes the country's, or English (FMT-60).
    pub locale: &'a Locale,
    /// The way to the person.
    pub channel: Channel,
    /// The number's country, whose language is used where a channel has nothing in the one wanted.
    pub country: Country,
    /// Amount and payee, if the code confirms a payment.
    pub context: &'a Context,
    /// How long the code is still valid. Texts tell it in whole minutes, rounded down and at least 1; a WhatsApp
    /// template must not be kept longer (FMT-32).
    pub remaining: Duration,
}

/// Why there is no message for a wish.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoContent {
    /// The tenant is not in the configuration.
    #[error("there are no texts for tenant {0}")]
    UnknownTenant(TenantId),
    /// The purpose is about payments, and there is no amount and payee to show (CMP-21).
    #[error("purpose {0} needs a payment to show")]
    PaymentMissing(PurposeName),
    /// The channel's texts are fixed and cannot show amount and payee (CMP-23).
    #[error("a payment cannot go over {0}, whose text cannot show amount and payee")]
    PaymentUnsupported(Channel),
    /// The tenant has no approved template for the purpose.
    #[error("no approved {0} template is configured for the purpose")]
    NoTemplate(Channel),
    /// Every template would be kept by the vendor longer than the code lives (FMT-32).
    #[error(
        "the code has {} s left, less than the {} s that the vendor keeps the shortest-lived {channel} template",
        .remaining.as_secs(), .shortest.as_secs()
    )]
    TemplateOutlives {
        /// The channel.
        channel: Channel,
        /// The shortest time that a template is kept.
        shortest: Duration,
        /// How long the code is still valid.
        remaining: Duration,
    },
}

/// What a wish comes down to.
enum Choice<'a> {
    Written(&'a Texts, Medium, Wordings<'a>),
    Approved(&'a WhatsAppTemplate),
}

/// The wordings of a text, longest first, the language they are in, and whether the operator wrote them.
pub(crate) struct Wordings<'a> {
    pub(crate) wordings: &'a [Template],
    pub(crate) locale: &'a Locale,
    pub(crate) own: bool,
}

impl Catalogue {
    /// Checks every tenant's texts, and the built-in texts with every tenant's brand and autofill lines. Fails with all
    /// problems of all tenants. Of two entries for one tenant the last counts.
    pub fn new(tenants: Vec<(TenantId, TenantTexts)>) -> Result<Self, Vec<TemplateProblem>> {
        let languages = builtin::languages();
        let mut checked = HashMap::with_capacity(tenants.len());
        let mut problems = Vec::new();
        for (tenant, settings) in tenants {
            match Texts::check(&tenant, settings, &languages) {
                Ok(texts) => {
                    checked.insert(tenant, texts);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Self { languages, tenants: checked }) } else { Err(problems) }
    }

    /// Chooses the language for a recipient (FMT-60): the best fit of those asked for, the most wanted first, among the
    /// languages of all texts and templates; else the purpose's `usual` one, else the country's, else English.
    ///
    /// It keeps what was asked for more exactly than any text is (`de-AT`, for a voice), unless the nearest text is in
    /// another script or a related language: then it is that text's.
    pub fn locale(
        &self,
        tenant: &TenantId,
        asked: &[Locale],
        usual: Option<&Locale>,
        country: Country,
    ) -> Locale {
        let own = self.tenants.get(tenant).into_iter().flat_map(Texts::locales);
        let known: Vec<&Locale> = self.languages.iter().flat_map(Language::locales).chain(own).collect();
        let meet = |wishes: &[Locale]| {
            let best = Locale::best_fit(wishes, known.iter().copied())?;
            let is_met = |wish: &&Locale| wish.distance(best).is_some_and(|distance| !distance.is_far());
            Some(wishes.iter().find(is_met).unwrap_or(best).clone())
        };
        let usual = usual.and_then(|usual| meet(std::slice::from_ref(usual)));
        let of_country = || meet(&[locale::default_of(country)]);
        meet(asked).or(usual).or_else(of_country).unwrap_or_else(Locale::english)
    }

    /// Names the text or template that [`Self::render`] would use now, if it would give a message: for planning before
    /// there is a code, and for what is learnt about this text alone.
    pub fn text_name(&self, wish: &Wish<'_>) -> Result<TextName, NoContent> {
        Ok(match self.choose(wish)? {
            Choice::Approved(template) => TextName::of(&[&template.name, &template.language]),
            Choice::Written(_, _, text) => {
                TextName::of(&[wish.tenant.as_str(), wish.purpose.as_str(), text.locale.as_str()])
            }
        })
    }

    /// Renders the message of one attempt. The same wish and code always give the same message.
    pub fn render(&self, wish: &Wish<'_>, code: &Code) -> Result<Content, NoContent> {
        let (texts, medium, text) = match self.choose(wish)? {
            Choice::Approved(template) => return Ok(Content::WhatsApp(call(template, code))),
            Choice::Written(texts, medium, text) => (texts, medium, text),
        };
        let bill = match wish.context {
            Context::Payment(payment) => Some(Bill::of(payment)),
            Context::None | Context::Text(_) => None,
        };
        let minutes = compose::minutes(wish.remaining);
        let particulars = Particulars { minutes, bill: bill.as_ref(), code };
        let fullest = &text.wordings[0];
        Ok(match medium {
            Medium::Sms => Content::Sms(texts.frame.sms(text.wordings, particulars).into_sms()),
            Medium::Rcs => Content::Rcs(RcsText { text: texts.frame.rich(fullest, particulars) }),
            Medium::Voice => {
                let same_language = text.locale.language() == wish.locale.language();
                let voice = if same_language { wish.locale } else { text.locale };
                Content::Voice(texts.frame.spoken(fullest, particulars, voice.clone()))
            }
        })
    }

    fn choose<'a>(&'a self, wish: &Wish<'_>) -> Result<Choice<'a>, NoContent> {
        let Wish { tenant, purpose, locale, channel, country, context, remaining } = *wish;
        let texts = self.tenants.get(tenant).ok_or_else(|| NoContent::UnknownTenant(tenant.clone()))?;
        let kind = texts.kind_of_message(purpose, context);
        let kind = kind.ok_or_else(|| NoContent::PaymentMissing(purpose.clone()))?;
        let locales = [locale.clone(), locale::default_of(country)];
        match (Medium::of(channel), kind) {
            (Some(medium), Kind::Plain | Kind::Payment) => {
                let wordings = self.wordings(texts, kind, medium, Some(purpose), &locales);
                Ok(Choice::Written(texts, medium, wordings))
            }
            (None, Kind::Payment) => Err(NoContent::PaymentUnsupported(channel)),
            (None, Kind::Plain) => {
                let approved = texts.approved(purpose, &locales, remaining).map(Choice::Approved);
                approved.map_err(|none| match none {
                    NoneApproved::Missing => NoContent::NoTemplate(channel),
                    NoneApproved::Outlives(shortest) => {
                        NoContent::TemplateOutlives { channel, shortest, remaining }
                    }
                })
            }
        }
    }

    /// The wordings for a case, for the first of these languages that there are any for: the operator's in it, or the
    /// built-in ones; then the same in English. What does not fit the tenant's limits of parts is left to a language
    /// whose text does, as long as there is one.
    pub(crate) fn wordings<'a>(
        &'a self,
        texts: &'a Texts,
        kind: Kind,
        medium: Medium,
        purpose: Option<&PurposeName>,
        locales: &[Locale],
    ) -> Wordings<'a> {
        let own = |locale: &Locale| {
            let text = texts.own_text(kind, medium, purpose, locale)?;
            Some(Wordings { wordings: std::slice::from_ref(&text.wording), locale: &text.locale, own: true })
        };
        let built_in = |language: &'a Language| Wordings {
            wordings: language.wordings(kind, medium),
            locale: &language.locale,
            own: false,
        };
        let nearest = |locale: &Locale| builtin::nearest(&self.languages, locale).map(built_in);
        let english = || own(&Locale::english()).unwrap_or_else(|| built_in(&self.languages[0]));
        let found = || locales.iter().filter_map(|locale| own(locale).or_else(|| nearest(locale)));
        let fits = |text: &Wordings<'_>| text.own || texts.fits(kind, medium, text.locale);
        found()
            .find(fits)
            .or_else(|| Some(english()).filter(fits))
            .or_else(|| found().next())
            .unwrap_or_else(english)
    }

    pub(crate) fn languages(&self) -> &[Language] {
        &self.languages
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = (&TenantId, &Texts)> {
        self.tenants.iter()
    }
}

fn call(template: &WhatsAppTemplate, code: &Code) -> TemplateCall {
    TemplateCall {
        template: template.name.clone(),
        language: template.language.clone(),
        send_ttl: template.send_ttl,
        code: code.clone(),
    }
}
