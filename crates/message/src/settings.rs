//! What the operator writes about a tenant's messages, as it was read and before it is checked.

use std::time::Duration;

use otter_domain::{Channel, Country, Locale, PaymentPolicy, PurposeName};

/// The texts of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTexts {
    /// Who the message is from, as `{brand}` shows it: 1 to 32 characters on one line.
    pub brand: String,
    /// The site that may fill in the code, for example `example.com`; adds the last line of FMT-10 to SMS.
    pub web_otp_host: Option<String>,
    /// The Android app that may fill in the code: its 11-character hash, on a line of its own (FMT-13).
    pub app_hash: Option<String>,
    /// How many parts an SMS may take with its longest values: 1 to 10, 1 by default.
    pub max_parts: u8,
    /// The countries whose languages built-in texts have to fit in; `None` is all, the default. A text in another
    /// language is used where it fits, too.
    pub countries: Option<Vec<Country>>,
    /// Further languages that built-in texts have to fit in: those that purposes name.
    pub locales: Vec<Locale>,
    /// The tenant's purposes, and whether they are about payments.
    pub purposes: Vec<(PurposeName, PaymentPolicy)>,
    /// Texts of the operator's own, in place of the built-in ones.
    pub overrides: Vec<Override>,
    /// The authentication templates that the vendor approved.
    pub whatsapp: Vec<WhatsAppTemplate>,
}

impl TenantTexts {
    /// The built-in texts under this brand, without autofill lines and WhatsApp templates.
    pub fn new(brand: impl Into<String>) -> Self {
        Self {
            brand: brand.into(),
            web_otp_host: None,
            app_hash: None,
            max_parts: 1,
            countries: None,
            locales: Vec::new(),
            purposes: Vec::new(),
            overrides: Vec::new(),
            whatsapp: Vec::new(),
        }
    }
}

/// A text of the operator's own.
///
/// It may contain `{code}`, `{brand}`, `{minutes}`, and for payments `{amount}` and `{payee}`. Where the word for minutes
/// depends on their number it says `{minutes, plural, one {# minute} other {# minutes}}` with the forms of CLDR. A voice
/// text contains `{code}` twice: what stands before, between and after is said around the digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The purpose that it is for; `None` is every purpose that is not about payments.
    pub purpose: Option<PurposeName>,
    /// The language it is in; it also serves the language's regions that have no text of their own.
    pub locale: Locale,
    /// The channel: SMS, RCS or voice. WhatsApp texts are the vendor's.
    pub channel: Channel,
    /// The text.
    pub text: String,
}

/// An authentication template as the vendor approved it (FMT-30 to FMT-33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatsAppTemplate {
    /// The purpose that it is for; `None` is every purpose that is not about payments.
    pub purpose: Option<PurposeName>,
    /// The language it is in.
    pub locale: Locale,
    /// Its name as registered: 1 to 512 characters of `a-z`, `0-9` and `_`.
    pub name: String,
    /// Its language as the vendor writes it, for example `en` or `pt_BR`.
    pub language: String,
    /// How long the vendor keeps trying, as registered with the template: 30 to 900 s (FMT-32).
    pub send_ttl: Duration,
}
