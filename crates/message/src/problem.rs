//! What can be wrong with a tenant's texts, and where.

use std::fmt;
use std::time::Duration;

use otter_domain::{Channel, Locale, PurposeName, TenantId};
use thiserror::Error;

use crate::sms::Encoding;

/// The most parts that may be allowed.
const MAX_PARTS: usize = 10;

/// One thing that is wrong with a tenant's texts: where, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("tenant {tenant}, {place}: {flaw}")]
pub struct TemplateProblem {
    /// Whose.
    pub tenant: TenantId,
    /// Which setting.
    pub place: Place,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// A setting of [`TenantTexts`](crate::TenantTexts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `brand`.
    Brand,
    /// `web_otp_host`.
    WebOtpHost,
    /// `app_hash`.
    AppHash,
    /// `max_sms_parts`.
    MaxParts,
    /// One of `texts`.
    Override {
        /// Its place in the list, from 0.
        index: usize,
        /// The purpose that it is for.
        purpose: Option<PurposeName>,
        /// Its language.
        locale: Locale,
        /// Its channel.
        channel: Channel,
    },
    /// One of `whatsapp_templates`.
    WhatsApp {
        /// Its place in the list, from 0.
        index: usize,
        /// The purpose that it is for.
        purpose: Option<PurposeName>,
        /// Its language.
        locale: Locale,
    },
    /// A built-in text, which the tenant's brand or autofill lines make too long.
    BuiltIn {
        /// Whether it is the text for payments.
        payment: bool,
        /// Its language.
        locale: Locale,
        /// Its channel.
        channel: Channel,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brand => f.write_str("brand"),
            Self::WebOtpHost => f.write_str("web_otp_host"),
            Self::AppHash => f.write_str("app_hash"),
            Self::MaxParts => f.write_str("max_sms_parts"),
            Self::Override { index: _, purpose, locale, channel } => {
                write!(f, "{}, locale {locale}, channel {channel}", Whose(purpose.as_ref()))
            }
            Self::WhatsApp { index: _, purpose, locale } => {
                write!(f, "{}, locale {locale}, whatsapp template", Whose(purpose.as_ref()))
            }
            Self::BuiltIn { payment, locale, channel } => {
                let kind = if *payment { "built-in payment text" } else { "built-in text" };
                write!(f, "{kind}, locale {locale}, channel {channel}")
            }
        }
    }
}

struct Whose<'a>(Option<&'a PurposeName>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(purpose) => write!(f, "purpose {purpose}"),
            None => f.write_str("every purpose"),
        }
    }
}

/// What else helps a text of so many parts.
fn or_raise(parts: usize) -> String {
    if parts > MAX_PARTS { String::new() } else { format!(", or raise max_sms_parts to {parts}") }
}

/// What is wrong with a text or a setting. The message is the second half of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// A placeholder that does not exist.
    #[error(
        "unknown placeholder {{{0}}}; known are {{code}}, {{brand}}, {{minutes}}, {{amount}} and {{payee}}"
    )]
    UnknownPlaceholder(String),
    /// Braces that do not match.
    #[error("a brace without its partner; braces may only enclose placeholders, like {{code}}")]
    UnmatchedBrace,
    /// A choice of plural forms that cannot be read.
    #[error(
        "plural forms that cannot be read ({0}); write {{minutes, plural, one {{# minute}} other {{# minutes}}}} with \
         any of zero, one, two, few, many, and other"
    )]
    UnreadablePlural(&'static str),
    /// A plural form that the language needs.
    #[error("the plural forms lack `{form}`, which {language} uses for {number}; add `{form} {{# …}}`")]
    MissingPlural {
        /// The form's CLDR name.
        form: &'static str,
        /// The language.
        language: String,
        /// A number of minutes that needs it.
        number: u8,
    },
    /// The code is missing or repeated.
    #[error("contains {{code}} {found} times; must contain it {wanted}")]
    CodeCount {
        /// How often it is there.
        found: usize,
        /// How often it must be there.
        wanted: &'static str,
    },
    /// The code comes too late (FMT-15).
    #[error(
        "a code of six digits ends at character {ends}; it must be within the first 30, so move {{code}} forward"
    )]
    CodeTooLate {
        /// Where it ends with everything before it at its longest.
        ends: usize,
    },
    /// A right-to-left text that hides the code in a line (FMT-61).
    #[error("a right-to-left text must begin with {{code}} or give it a line of its own")]
    CodeInsideRightToLeft,
    /// The code touches other digits.
    #[error("digits stand directly beside {{code}}; put a space or a word between them")]
    DigitsBesideCode,
    /// Digits that a phone could take for the code (FMT-12).
    #[error(
        "contains `{0}`, which a phone may take for the code; no other group of 4 to 10 digits is allowed"
    )]
    OtherDigits(String),
    /// Digits other than 0–9 (FMT-61).
    #[error("contains the digit `{0}`; digits must be ASCII 0-9 in every script")]
    ForeignDigit(char),
    /// A link (FMT-15).
    #[error("contains the address `{0}`; texts with codes must not contain URLs")]
    Url(String),
    /// An invisible character.
    #[error("contains the control character U+{:04X}; only line feeds are allowed", u32::from(*.0))]
    ControlCharacter(char),
    /// White space at the end, which would unbind an autofill line (FMT-11).
    #[error("ends with a newline or space; must end with visible text")]
    EndsWithSpace,
    /// Longer than allowed (FMT-04).
    #[error(
        "takes {parts} SMS parts with its longest values ({units} units of {encoding}); at most {max_parts} allowed: \
         shorten the text, brand or web_otp_host{}", or_raise(*.parts)
    )]
    TooManyParts {
        /// The alphabet it needs.
        encoding: Encoding,
        /// Its length in units of the alphabet.
        units: usize,
        /// How many parts that makes.
        parts: usize,
        /// How many are allowed.
        max_parts: u8,
    },
    /// Too long for the SMS Retriever (FMT-13).
    #[error(
        "takes {0} bytes with app_hash and its longest values; at most 140 allowed: shorten the text, brand or web_otp_host, or drop app_hash"
    )]
    TooManyBytes(usize),
    /// A payment text that does not show what is paid, or to whom (CMP-21).
    #[error("{{{0}}} is missing; payment texts must show {{amount}} and {{payee}}")]
    MissingInPayment(&'static str),
    /// A placeholder for payments in another text.
    #[error("{{{0}}} is only known for payments; name a purpose with payment = true or remove it")]
    OnlyInPayment(&'static str),
    /// A second text for the same case.
    #[error("stands twice; keep one of the two")]
    Duplicate,
    /// A purpose that the tenant does not have.
    #[error("the tenant has no purpose `{0}`; name one of its purposes, or leave purpose out")]
    UnknownPurpose(PurposeName),
    /// A text for a channel whose texts the vendor writes (FMT-30).
    #[error("the text is fixed by the vendor; name an approved template in whatsapp_templates instead")]
    FixedByVendor,
    /// A fixed text cannot show amount and payee (CMP-23).
    #[error(
        "a payment cannot go over WhatsApp, whose text cannot show amount and payee; use sms, rcs or voice"
    )]
    PaymentOverWhatsApp,
    /// A brand that does not fit on a line.
    #[error(
        "must be 1 to 32 visible characters on one line, without spaces at its ends, braces or an address"
    )]
    BrandShape,
    /// Not a bare host (FMT-10).
    #[error("must be a bare lower-case host such as example.com, without scheme, port or path")]
    HostShape,
    /// Not an app hash (FMT-13).
    #[error("must be the app's 11-character hash, letters, digits, + and /")]
    HashShape,
    /// A number of parts out of bounds.
    #[error("must be 1 to 10, is {0}")]
    PartsRange(u8),
    /// Not a template's name.
    #[error("name must be 1 to 512 characters of a-z, 0-9 and _")]
    TemplateName,
    /// Not a template's language.
    #[error("language must be as the vendor writes it, for example en or pt_BR")]
    TemplateLanguage,
    /// A time that the vendor does not register (FMT-32).
    #[error("send_ttl must be 30s to 900s, is {}s", .0.as_secs())]
    SendTtl(Duration),
}
