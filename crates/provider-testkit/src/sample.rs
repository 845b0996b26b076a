//! Messages to send in tests, and clocks to send them by.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use otter_domain::{
    AttemptNumber, Channel, Clock, Code, Content, Locale, MessageId, Moment, PartitionCount, PhoneNumber,
    ProviderReference, RcsText, Secret, SmsText, Spoken, TemplateCall, VerificationId,
};
use otter_provider::{Dispatch, Recall, Unshared};

/// The code in every sample.
pub const CODE: &str = "48151623";
/// The recipient of every sample.
pub const NUMBER: &str = "+4915112345678";
/// The same without its country calling code.
pub const NATIONAL_NUMBER: &str = "15112345678";
/// The token of every sample.
pub const TOKEN: &str = "k1.07.AbC-123_xyz";
/// Where receipts go in every sample.
pub const CALLBACK_URL: &str = "https://otp.example.net/receipts/vendor-test/k1.07.AbC-123_xyz";
/// When every sample is sent.
pub const NOW: Moment = Moment::from_millis(1_700_000_000_000);

/// What the message of a channel looks like.
pub fn content(channel: Channel) -> Content {
    let code = Code::parse(CODE).expect("the sample is a code");
    let text = Secret::new(format!("{CODE} is your ExampleCo code."));
    match channel {
        Channel::Sms => Content::Sms(SmsText { text, parts: 1, unicode: false }),
        Channel::WhatsApp => Content::WhatsApp(TemplateCall {
            template: "login_code".to_owned(),
            language: "en_US".to_owned(),
            send_ttl: Duration::from_secs(120),
            code,
        }),
        Channel::Rcs => Content::Rcs(RcsText { text }),
        Channel::Voice => Content::Voice(Spoken {
            locale: Locale::english(),
            intro: "Your ExampleCo code is".to_owned(),
            code,
            again: "Again".to_owned(),
            goodbye: "Goodbye".to_owned(),
        }),
    }
}

/// A message to send in time.
pub fn dispatch(channel: Channel) -> Dispatch {
    Dispatch {
        verification: verification(),
        attempt: AttemptNumber::FIRST,
        number: number(),
        channel,
        content: content(channel),
        send_before: NOW + Duration::from_secs(90),
        validity: Duration::from_secs(120),
        token: TOKEN.to_owned(),
        callback_url: Some(CALLBACK_URL.to_owned()),
        message_id: message_id(),
        clock: Arc::new(FixedClock(NOW)),
        hold: Arc::new(Unshared),
    }
}

/// The wish to take the sample back.
pub fn recall(channel: Channel, reference: Option<ProviderReference>) -> Recall {
    Recall {
        verification: verification(),
        attempt: AttemptNumber::FIRST,
        number: number(),
        channel,
        reference,
        message_id: message_id(),
        clock: Arc::new(FixedClock(NOW)),
    }
}

/// The id that the sample's message has from us.
pub fn message_id() -> MessageId {
    let home = PartitionCount::DEFAULT.at(7).expect("there are sixteen partitions");
    MessageId::from_hash(home, *b"sixteen bytes id")
}

/// The id of another message of ours.
pub(crate) fn other_message_id() -> MessageId {
    let home = PartitionCount::DEFAULT.at(3).expect("there are sixteen partitions");
    MessageId::from_hash(home, *b"another sixteen!")
}

fn number() -> PhoneNumber {
    PhoneNumber::parse(NUMBER).expect("the sample is a number")
}

fn verification() -> VerificationId {
    let home = PartitionCount::DEFAULT.at(7).expect("there are sixteen partitions");
    VerificationId::new(NOW, home, [7; 8])
}

/// A clock that stands still.
#[derive(Debug)]
pub struct FixedClock(pub Moment);

impl Clock for FixedClock {
    fn now(&self) -> Moment {
        self.0
    }
}

/// A clock that is read a few times in time and then too late, like the one of a process that stalls.
#[derive(Debug)]
pub struct StallingClock {
    early: Moment,
    readings_early: usize,
    late: Moment,
    readings: AtomicUsize,
}

impl StallingClock {
    /// Tells `early` for this many readings, then `late`.
    pub fn new(early: Moment, readings_early: usize, late: Moment) -> Self {
        Self { early, readings_early, late, readings: AtomicUsize::new(0) }
    }

    /// Whether it has told `late`.
    pub fn has_stalled(&self) -> bool {
        self.readings.load(Ordering::SeqCst) > self.readings_early
    }
}

impl Clock for StallingClock {
    fn now(&self) -> Moment {
        let before = self.readings.fetch_add(1, Ordering::SeqCst);
        if before < self.readings_early { self.early } else { self.late }
    }
}
