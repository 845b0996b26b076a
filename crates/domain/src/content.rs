//! What a provider is asked to deliver: rendered, and holding the code.

use std::time::Duration;

use crate::{Code, Locale, Secret};

/// A message ready for its channel. It contains the code, so every text in it is a [`Secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text for a phone.
    Sms(SmsText),
    /// A call of a template that the vendor approved.
    WhatsApp(TemplateCall),
    /// A text for an RCS agent to send.
    Rcs(RcsText),
    /// A text to be read aloud.
    Voice(Spoken),
}

/// An SMS and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsText {
    /// The whole text, autofill line included.
    pub text: Secret,
    /// How many parts it takes (FMT-01, FMT-02).
    pub parts: u8,
    /// Whether it needs UCS-2.
    pub unicode: bool,
}

/// A WhatsApp authentication template with its only parameter (FMT-33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateCall {
    /// The template's name as registered with the vendor.
    pub template: String,
    /// The template's language as the vendor writes it, for example `pt_BR`.
    pub language: String,
    /// How long the vendor keeps trying, as registered with the template (FMT-32).
    pub send_ttl: Duration,
    /// The code, for the body and the button alike.
    pub code: Code,
}

/// An RCS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcsText {
    /// The whole text.
    pub text: Secret,
}

/// A call's words. Digits are said one by one, never as a number (FMT-50).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The language of the voice.
    pub locale: Locale,
    /// What is said before the digits, for example `Your ExampleCo code is`.
    pub intro: String,
    /// The digits.
    pub code: Code,
    /// What is said before the digits the second time, for example `Again`.
    pub again: String,
    /// What is said at the end.
    pub goodbye: String,
}
