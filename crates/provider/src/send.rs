//! Sending a message and taking it back.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    AttemptNumber, Channel, Clock, Content, ErrorClass, Failure, FailureClass, MessageId, Moment,
    PhoneNumber, ProviderReference, VerificationId,
};

/// Hands messages to one vendor account.
///
/// The caller sends each attempt once at a time and decides about repeats; an implementation never repeats by itself.
#[async_trait]
pub trait Sender: Send + Sync + fmt::Debug {
    /// Sends one message and says what became of it, within [`crate::Capabilities::timeout`] and a second.
    ///
    /// `Ok` means that the vendor took it, with the vendor's name for it if there is one. A failure whose bytes may
    /// have left is [`otter_domain::FailureClass::Ambiguous`], whatever the vendor's answer looked like. No complete
    /// request leaves after `dispatch.send_before`, or once `dispatch.hold` is lost: that is `Unavailable` with
    /// [`otter_domain::ErrorClass::Expired`].
    async fn send(&self, dispatch: &Dispatch) -> Result<Option<ProviderReference>, Failure>;
}

/// Takes back messages that one vendor account was handed.
#[async_trait]
pub trait Revoker: Send + Sync + fmt::Debug {
    /// Asks the vendor to take the message back, or to hang up. A repeat is harmless.
    async fn revoke(&self, recall: &Recall) -> Result<RecallOutcome, Failure>;
}

/// Whether whoever sends still has the right to.
///
/// A process that was stopped for longer than its lease finds its work declared lost when it wakes, and must not do it
/// any more. Implementations read a clock that goes on meanwhile.
pub trait Hold: Send + Sync + fmt::Debug {
    /// Whether the right is held at this moment.
    fn is_held(&self) -> bool;
}

/// A right that cannot be lost, for senders that share their work with nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unshared;

impl Hold for Unshared {
    fn is_held(&self) -> bool {
        true
    }
}

/// One message to hand over, complete: an implementation looks nothing up.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The verification, for spans; vendors never see it.
    pub verification: VerificationId,
    /// Which send it is.
    pub attempt: AttemptNumber,
    /// The recipient.
    pub number: PhoneNumber,
    /// The way to the person; always the one of `content`.
    pub channel: Channel,
    /// What to deliver. Contains the code.
    pub content: Content,
    /// No complete request leaves after this.
    pub send_before: Moment,
    /// How long the code is still valid: the vendor is asked to give up after that.
    pub validity: Duration,
    /// Finds the attempt again and nobody can forge it: for the callback URL or the vendor's client reference. URL-safe.
    pub token: String,
    /// Where this attempt's receipts go, with the token in it; `None` when no public address is configured.
    pub callback_url: Option<String>,
    /// The same for every try of this attempt: for vendors that take the message's id from us.
    pub message_id: MessageId,
    /// Read again at the moment when the body leaves.
    pub clock: Arc<dyn Clock>,
    /// Asked again at that moment too.
    pub hold: Arc<dyn Hold>,
}

impl Dispatch {
    /// How long a vendor that takes this span may keep the message, in whole seconds.
    ///
    /// A code that is valid for less than the vendor's shortest span must not go there, for the message could come after
    /// the code's end: the failure, `Unavailable` with [`ErrorClass::Expired`], is to be returned instead of a request.
    pub fn lifetime(&self, within: RangeInclusive<Duration>) -> Result<Duration, Failure> {
        if self.validity < *within.start() {
            return Err(Failure::new(FailureClass::Unavailable, ErrorClass::Expired));
        }
        Ok(Duration::from_secs(self.validity.min(*within.end()).as_secs()))
    }
}

/// One message to take back.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The verification, for spans.
    pub verification: VerificationId,
    /// Which send it was.
    pub attempt: AttemptNumber,
    /// The recipient.
    pub number: PhoneNumber,
    /// The way to the person.
    pub channel: Channel,
    /// What the vendor calls the message, if it told us.
    pub reference: Option<ProviderReference>,
    /// What we called it.
    pub message_id: MessageId,
    /// Read when credentials have to be signed or renewed.
    pub clock: Arc<dyn Clock>,
}

/// What became of the wish to take a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallOutcome {
    /// It will not arrive any more.
    Revoked,
    /// It has arrived, ended, or the vendor does not know it.
    TooLate,
}
