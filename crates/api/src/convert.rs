//! Between the wire and the domain. Requests are read once and then trusted; answers hold neither code nor number.

pub(crate) mod event;
pub(crate) mod explain;
pub(crate) mod plan;
pub(crate) mod rate;
pub(crate) mod request;
pub(crate) mod verification;

use std::time::Duration;

use otter_contract::v1;
use otter_domain::{Channel, ChannelClass, Moment};
use prost_types::Timestamp;

/// A moment as the wire writes it.
pub(crate) fn timestamp(moment: Moment) -> Timestamp {
    let millis = moment.as_millis();
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(millis % 1000 * 1_000_000).expect("less than a second of nanoseconds fits");
    Timestamp { seconds, nanos }
}

/// A span as the wire writes it.
pub(crate) fn duration(span: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(span.subsec_nanos()).expect("less than a second of nanoseconds fits");
    prost_types::Duration { seconds, nanos }
}

pub(crate) fn channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Sms => v1::Channel::Sms,
        Channel::WhatsApp => v1::Channel::Whatsapp,
        Channel::Rcs => v1::Channel::Rcs,
        Channel::Voice => v1::Channel::Voice,
    }
}

pub(crate) fn channel_class(class: ChannelClass) -> v1::ChannelClass {
    match class {
        ChannelClass::Pstn => v1::ChannelClass::Pstn,
        ChannelClass::App => v1::ChannelClass::App,
    }
}

/// A field that counts; what is counted here is never more than the field holds.
pub(crate) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
