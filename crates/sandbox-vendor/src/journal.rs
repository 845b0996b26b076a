//! Every request to send, as it came: what tests hold against the attempts that were booked.

use std::sync::{Mutex, PoisonError};

use otter_domain::{Channel, Moment, Secret};

use crate::wire::Submission;

/// One complete request to send, repeats and refused ones included. It holds a number and a code in the clear, which
/// `Debug` does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When its last byte had been read.
    pub at: Moment,
    /// The account that it came on.
    pub account: String,
    /// The way that it asked for.
    pub channel: Channel,
    /// To whom.
    pub number: Secret,
    /// The sender's name for the message.
    pub message_id: Option<String>,
    /// What the person is to read or hear.
    pub text: Secret,
    /// What became of it.
    pub handling: Handling,
}

/// What the vendor made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// It was taken: there is one more message, whatever becomes of it.
    Taken,
    /// It repeats a message that was taken before: there is none more.
    Repeated,
    /// It was refused: there is no message.
    Refused,
    /// It was never answered, and there is one more message.
    TakenInSilence,
    /// It was never answered, and there is no message.
    DroppedInSilence,
}

impl Handling {
    /// Whether it made one more message.
    pub fn is_a_message(self) -> bool {
        match self {
            Self::Taken | Self::TakenInSilence => true,
            Self::Repeated | Self::Refused | Self::DroppedInSilence => false,
        }
    }
}

/// The requests so far, if they are kept at all. Unbounded: it is for runs with an end.
#[derive(Debug)]
pub(crate) struct Journal(Option<Mutex<Vec<Received>>>);

impl Journal {
    pub(crate) fn new(is_kept: bool) -> Self {
        Self(is_kept.then(Mutex::default))
    }

    /// Begins an entry; nothing is copied if nothing is kept.
    pub(crate) fn entry(&self, at: Moment, account: &str, submission: &Submission) -> Option<Received> {
        self.0.as_ref()?;
        Some(Received {
            at,
            account: account.to_owned(),
            channel: submission.channel,
            number: Secret::new(submission.to.reveal()),
            message_id: submission.message_id.clone(),
            text: Secret::new(submission.text.reveal()),
            handling: Handling::Refused,
        })
    }

    pub(crate) fn write(&self, received: Received) {
        if let Some(entries) = &self.0 {
            entries.lock().unwrap_or_else(PoisonError::into_inner).push(received);
        }
    }

    pub(crate) fn read(&self) -> Vec<Received> {
        let entries = self.0.as_ref();
        entries
            .map(|entries| entries.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }
}
