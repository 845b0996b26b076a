//! Values as they are typed.

use std::convert::Infallible;
use std::time::Duration;

use clap::ValueEnum;
use otter_contract::v1::{Channel, Payment};
use otter_domain::Secret;

/// How a message reaches a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelName {
    Sms,
    Whatsapp,
    Rcs,
    Voice,
}

impl From<ChannelName> for Channel {
    fn from(name: ChannelName) -> Self {
        match name {
            ChannelName::Sms => Self::Sms,
            ChannelName::Whatsapp => Self::Whatsapp,
            ChannelName::Rcs => Self::Rcs,
            ChannelName::Voice => Self::Voice,
        }
    }
}

/// The channels as the contract numbers them.
pub(crate) fn channels(names: &[ChannelName]) -> Vec<i32> {
    names.iter().map(|name| Channel::from(*name).into()).collect()
}

/// The channel as the contract numbers it; the contract's "not chosen" without one.
pub(crate) fn channel(name: Option<ChannelName>) -> i32 {
    name.map_or(Channel::Unspecified, Channel::from).into()
}

/// Takes any text, so that no message about a wrong value can repeat it.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a Result")]
pub(crate) fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// Reads `300s`, `5m`, `1h`, `1500ms` or a bare number of seconds.
pub(crate) fn span(text: &str) -> Result<Duration, &'static str> {
    const RIGHT: &str = "must be a whole number with a unit: 1500ms, 300s, 5m or 1h";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| RIGHT)?;
    let millis = match unit {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    // A century is more than any server waits, and no sum of two such spans overflows.
    millis.filter(|millis| *millis < 3_155_760_000_000).map(Duration::from_millis).ok_or(RIGHT)
}

/// The span as the contract has it.
pub(crate) fn contract_span(span: Duration) -> prost_types::Duration {
    span.try_into().expect("spans that are typed are below a century")
}

/// Reads `CURRENCY:MINOR_UNITS:PAYEE_ID:PAYEE_NAME`; the name, which may contain colons, may be missing.
pub(crate) fn payment(text: &str) -> Result<Payment, &'static str> {
    const RIGHT: &str = "must be CURRENCY:MINOR_UNITS:PAYEE_ID:PAYEE_NAME, for example \
                         EUR:4999:DE89370400440532013000:Book Shop for EUR 49.99";
    let mut parts = text.splitn(4, ':');
    let (Some(currency), Some(minor_units), Some(payee_id)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(RIGHT);
    };
    let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let minor_units = minor_units.parse().map_err(|_| RIGHT)?;
    if !is_currency || minor_units < 1 || payee_id.is_empty() {
        return Err(RIGHT);
    }
    Ok(Payment {
        currency: currency.to_owned(),
        minor_units,
        payee_id: payee_id.to_owned(),
        payee_name: parts.next().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn spans_have_a_unit_or_are_seconds() {
        for (text, seconds) in [("300s", 300), ("300", 300), ("5m", 300), ("1h", 3_600), ("2000ms", 2)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "5 m", "-5s", "1.5s", "5d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_payment_has_three_parts_and_perhaps_a_name() {
        let full = payment("EUR:4999:DE89370400440532013000:Book: Shop").unwrap();
        assert_eq!((full.currency.as_str(), full.minor_units), ("EUR", 4_999));
        assert_eq!(
            (full.payee_id.as_str(), full.payee_name.as_str()),
            ("DE89370400440532013000", "Book: Shop")
        );
        assert_eq!(payment("JPY:1:shop").unwrap().payee_name, "");
        for text in ["", "EUR", "EUR:4999", "EUR:49.99:shop", "eur:4999:shop", "EUR:0:shop", "EUR:4999:"] {
            assert!(payment(text).is_err(), "{text}");
        }
    }
}
