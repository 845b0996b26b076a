//! The ways to a person.

use std::fmt;

/// How a message reaches a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A text message over the phone network.
    Sms,
    /// A WhatsApp authentication template.
    WhatsApp,
    /// A message over Google RCS Business Messaging.
    Rcs,
    /// A phone call that reads the digits.
    Voice,
}

impl Channel {
    /// Every channel, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Sms, Self::WhatsApp, Self::Rcs, Self::Voice];

    /// The word used in configuration, metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::WhatsApp => "whatsapp",
            Self::Rcs => "rcs",
            Self::Voice => "voice",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }

    /// Whether it proves control of a number and not of a device: what NIST calls a restricted authenticator (SEC-16).
    pub fn is_restricted(self) -> bool {
        match self {
            Self::Sms | Self::Voice | Self::WhatsApp => true,
            Self::Rcs => false,
        }
    }

    /// Which counter of failed checks the channel belongs to (SEC-05).
    pub fn class(self) -> ChannelClass {
        match self {
            Self::Sms | Self::Voice => ChannelClass::Pstn,
            Self::WhatsApp | Self::Rcs => ChannelClass::App,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of authenticator that a channel is, for the counter of failed checks (SEC-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelClass {
    /// Over the phone network: SMS and voice.
    Pstn,
    /// In an app bound to the number: WhatsApp and RCS.
    App,
}

impl ChannelClass {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Pstn, Self::App];

    /// The word used in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pstn => "pstn",
            Self::App => "app",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}
