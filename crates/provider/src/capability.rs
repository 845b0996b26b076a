//! What a configured vendor account can do.

use std::time::Duration;

use otter_domain::{Channel, Country, Locale};

/// What a configured vendor account can do. Planning and the worker pool read it; it does not change until the
/// configuration does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The channels it can serve as configured, at least one.
    pub channels: Vec<ChannelAbility>,
    /// The countries it may be used for; `None` is all.
    pub countries: Option<Vec<Country>>,
    /// How many sends may run at once, over all processes each for itself; at least 1.
    pub concurrency: u16,
    /// How many sends a second the account may make over all processes; `None` is no limit of ours.
    pub rate: Option<u32>,
    /// How long one request may take before its outcome is ambiguous.
    pub timeout: Duration,
    /// The languages that its voices speak; a tag covers its regions. `None` if it has no voice, or speaks whatever it is
    /// given.
    pub languages: Option<Vec<Locale>>,
}

impl Capabilities {
    /// What it can do on a channel, if anything.
    pub fn on(&self, channel: Channel) -> Option<&ChannelAbility> {
        self.channels.iter().find(|ability| ability.channel == channel)
    }

    /// Whether it may be used for a country.
    pub fn serves(&self, country: Country) -> bool {
        self.countries.as_ref().is_none_or(|countries| countries.contains(&country))
    }

    /// Whether its voices speak a language, in whatever region.
    pub fn speaks(&self, language: &Locale) -> bool {
        let has = |languages: &Vec<Locale>| languages.iter().any(|known| language.distance(known).is_some());
        self.languages.as_ref().is_none_or(has)
    }
}

/// What a vendor account can do on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelAbility {
    /// The channel.
    pub channel: Channel,
    /// Whether a message can be taken back or a call hung up.
    pub revocable: bool,
    /// Whether a repeat with the same [`otter_domain::MessageId`] is recognised, so that it is safe after an ambiguous
    /// send.
    pub idempotent: bool,
    /// Whether the vendor reports deliveries.
    pub receipts: bool,
}
