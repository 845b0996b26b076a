//! What the vendor does, apart from steered numbers.

use std::time::Duration;

use otter_domain::Channel;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::Refusal;

/// The text is not a script.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("could not read the script: {0}")]
pub struct InvalidScript(String);

/// The rules that the vendor follows; the first that fits a send applies. Without one, everything is delivered and
/// reported at once.
///
/// As JSON: `{"rules":[{"account":"north","channel":"sms","arrival":"2s","loss":0.05,"outage":"silence"}]}`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules, most particular first.
    pub rules: Vec<Rule>,
}

/// How sends of one account on one channel fare. Shares are from 0 to 1, spans as JSON are texts such as `"250ms"`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Only this account.
    pub account: Option<String>,
    /// Only this channel.
    #[serde(deserialize_with = "channel")]
    pub channel: Option<Channel>,
    /// How long the answer takes.
    #[serde(deserialize_with = "span")]
    pub latency: Duration,
    /// How long an accepted message takes to the handset, at least.
    #[serde(deserialize_with = "span")]
    pub arrival: Duration,
    /// How much longer it may take; evenly distributed.
    #[serde(deserialize_with = "span")]
    pub arrival_spread: Duration,
    /// How long after arrival the receipt leaves.
    #[serde(deserialize_with = "span")]
    pub receipt: Duration,
    /// The share of accepted messages that do not arrive; they are reported as undelivered.
    #[serde(deserialize_with = "share")]
    pub loss: f64,
    /// The share of messages that nothing is reported on.
    #[serde(deserialize_with = "share")]
    pub unreported: f64,
    /// The share of delivered WhatsApp and RCS messages that are opened.
    #[serde(deserialize_with = "share")]
    pub read: f64,
    /// The share of sends that meet [`Self::error`].
    #[serde(deserialize_with = "share")]
    pub errors: f64,
    /// What those sends meet.
    pub error: Mishap,
    /// What every send meets as long as this rule stands.
    pub outage: Option<Mishap>,
    /// What some sends meet, by their number.
    pub windows: Vec<Window>,
}

/// An outage from one send to another. Sends are counted from 1, per account and channel, since the vendor started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first send that meets it.
    pub from: u64,
    /// The last send that meets it.
    pub until: u64,
    /// What they meet.
    pub outage: Mishap,
}

/// How a send can go wrong, one for each of Otter's failure classes and a few more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mishap {
    /// The content is rejected.
    Reject,
    /// Fraud control stops it.
    Block,
    /// The person cannot be reached on this channel.
    Unroutable,
    /// Too fast; wait a second.
    Throttle,
    /// Down.
    #[default]
    Unavailable,
    /// The key is refused.
    Misconfigured,
    /// The balance is used up.
    NoBalance,
    /// A 500 that says that the outcome is unknown; nothing arrives.
    Unknown,
    /// The request is read and never answered; nothing arrives.
    Silence,
}

impl Mishap {
    /// The answer; `None` is silence.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Reject => Some(Refusal::ContentRejected),
            Self::Block => Some(Refusal::Blocked),
            Self::Unroutable => Some(Refusal::Unreachable),
            Self::Throttle => Some(Refusal::TooFast),
            Self::Unavailable => Some(Refusal::Down),
            Self::Misconfigured => Some(Refusal::Unauthorized),
            Self::NoBalance => Some(Refusal::NoBalance),
            Self::Unknown => Some(Refusal::OutcomeUnknown),
            Self::Silence => None,
        }
    }
}

impl Script {
    /// Reads a script from JSON. The error names the field, and never repeats more than a word of the script.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidScript> {
        serde_json::from_slice(json).map_err(|error| InvalidScript(error.to_string()))
    }

    /// The rule for a send; the ordinary one if none fits.
    pub(crate) fn rule(&self, account: &str, channel: Channel) -> Rule {
        let fits = |rule: &&Rule| {
            rule.account.as_deref().is_none_or(|name| name == account)
                && rule.channel.is_none_or(|wanted| wanted == channel)
        };
        self.rules.iter().find(fits).cloned().unwrap_or_default()
    }
}

impl Rule {
    /// What the send with this number meets whatever the dice say.
    pub(crate) fn outage_at(&self, request: u64) -> Option<Mishap> {
        let window = self.windows.iter().find(|window| (window.from..=window.until).contains(&request));
        self.outage.or(window.map(|window| window.outage))
    }
}

fn channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Channel>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let channel = Channel::parse(&word);
    channel.map(Some).ok_or_else(|| serde::de::Error::custom("channel must be sms, whatsapp, rcs or voice"))
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    let fits = (0.0..=1.0).contains(&share);
    fits.then_some(share).ok_or_else(|| serde::de::Error::custom("a share must be from 0 to 1"))
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let millis = match text.strip_suffix("ms") {
        Some(count) => count.parse().ok(),
        None => text.strip_suffix('s').and_then(|count| count.parse::<u64>().ok()?.checked_mul(1000)),
    };
    let fits = millis.filter(|millis| *millis <= MAX_SPAN.as_millis() as u64).map(Duration::from_millis);
    fits.ok_or_else(|| {
        serde::de::Error::custom("a span must be a text such as \"250ms\" or \"2s\", at most one hour")
    })
}

/// The longest span in a script.
const MAX_SPAN: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_rule_that_fits_applies() {
        let script = Script::parse(
            br#"{"rules":[
                {"account":"north","channel":"sms","outage":"silence"},
                {"account":"north","latency":"250ms","arrival":"2s","loss":0.5},
                {"channel":"voice","windows":[{"from":2,"until":3,"outage":"throttle"}]}
            ]}"#,
        )
        .unwrap();
        assert_eq!(script.rule("north", Channel::Sms).outage_at(9), Some(Mishap::Silence));
        let rule = script.rule("north", Channel::Voice);
        assert_eq!((rule.latency, rule.arrival), (Duration::from_millis(250), Duration::from_secs(2)));
        let rule = script.rule("south", Channel::Voice);
        let met: Vec<_> = (1..=4).map(|request| rule.outage_at(request)).collect();
        assert_eq!(met, [None, Some(Mishap::Throttle), Some(Mishap::Throttle), None]);
        assert_eq!(script.rule("south", Channel::Sms), Rule::default());
    }

    #[test]
    fn a_script_that_is_none_is_refused_with_the_reason() {
        let check = |json: &str, expected: &str| {
            let error = Script::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("", "EOF");
        check(r#"{"rules":[{"chanel":"sms"}]}"#, "unknown field `chanel`");
        check(r#"{"rules":[{"channel":"fax"}]}"#, "sms, whatsapp, rcs or voice");
        check(r#"{"rules":[{"loss":1.5}]}"#, "from 0 to 1");
        check(r#"{"rules":[{"latency":"2h"}]}"#, "such as");
        check(r#"{"rules":[{"latency":"99999999s"}]}"#, "one hour");
        check(r#"{"rules":[{"outage":"flood"}]}"#, "unknown variant");
    }
}
