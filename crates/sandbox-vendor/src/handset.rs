//! The phones that messages arrive at.
//!
//! A handset exists as soon as somebody asks for it or a message arrives, holds its last [`MAX_MESSAGES`] messages, and
//! numbers them from 1. At most [`MAX_HANDSETS`] are kept; the one that came first goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otter_domain::{Channel, Moment, Secret};
use tokio::sync::watch;

/// How many messages a handset keeps.
const MAX_MESSAGES: usize = 100;
/// How many handsets there are.
const MAX_HANDSETS: usize = 100_000;

/// What a person reads or hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandsetMessage {
    /// Its number on this handset, from 1.
    pub sequence: u64,
    /// The vendor's name for it.
    pub id: String,
    /// The account that sent it.
    pub account: String,
    /// The way it came.
    pub channel: Channel,
    /// The whole text; of a call, the words.
    pub text: Secret,
    /// When it arrived.
    pub arrived_at: Moment,
}

impl HandsetMessage {
    /// The code, found as a person finds it: the first 6 to 10 digits in a row, or digits said one by one.
    pub fn code(&self) -> Option<String> {
        let text = self.text.reveal();
        let runs = text.split(|letter: char| !letter.is_ascii_digit());
        let written = runs.into_iter().find(|run| (6..=10).contains(&run.len())).map(str::to_owned);
        written.or_else(|| spoken_digits(text))
    }
}

/// The first digits that stand alone, one after the other, with nothing but commas between them.
fn spoken_digits(text: &str) -> Option<String> {
    let mut digits = String::new();
    for word in text.split_whitespace() {
        let word = word.trim_end_matches([',', '.']);
        match word.as_bytes() {
            [digit] if digit.is_ascii_digit() => digits.push(char::from(*digit)),
            _ if digits.len() >= 6 => break,
            _ => digits.clear(),
        }
    }
    (digits.len() >= 6).then_some(digits)
}

/// A message that arrived on some handset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The handset's number, as the sender wrote it. Silent in `Debug`.
    pub number: Secret,
    /// The message.
    pub message: HandsetMessage,
}

/// A look at one handset. Each look has its own place in the stream of messages, beginning with the first that is kept.
#[derive(Debug)]
pub struct Handset {
    inbox: Arc<Inbox>,
    seen: u64,
}

impl Handset {
    /// Everything that is kept, oldest first.
    pub fn messages(&self) -> Vec<HandsetMessage> {
        self.inbox.after(0)
    }

    /// The next message that this look has not seen; waits for it.
    pub async fn next(&mut self) -> HandsetMessage {
        let message = self.inbox.first_after(self.seen).await;
        self.seen = message.sequence;
        message
    }

    /// Takes everything so far as seen, so that [`Self::next`] waits for something new.
    pub fn skip_to_now(&mut self) {
        self.seen = *self.inbox.arrived.borrow();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    messages: Mutex<VecDeque<HandsetMessage>>,
    arrived: watch::Sender<u64>,
}

impl Inbox {
    pub(crate) fn deliver(&self, message: HandsetMessage) {
        let mut messages = locked(&self.messages);
        let sequence = *self.arrived.borrow() + 1;
        messages.push_back(HandsetMessage { sequence, ..message });
        if messages.len() > MAX_MESSAGES {
            messages.pop_front();
        }
        // Inside the lock, so that numbers and order agree.
        self.arrived.send_replace(sequence);
    }

    pub(crate) fn after(&self, seen: u64) -> Vec<HandsetMessage> {
        locked(&self.messages).iter().filter(|message| message.sequence > seen).cloned().collect()
    }

    pub(crate) async fn first_after(&self, seen: u64) -> HandsetMessage {
        let mut arrived = self.arrived.subscribe();
        loop {
            if let Some(message) = self.after(seen).into_iter().next() {
                return message;
            }
            // The sender is a field of `self`, so it cannot be gone.
            let _ = arrived.changed().await;
        }
    }
}

/// All handsets.
#[derive(Debug, Default)]
pub(crate) struct Handsets(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    inboxes: HashMap<String, Arc<Inbox>>,
    order: VecDeque<String>,
}

impl Handsets {
    /// The inbox of a number, with or without `+`.
    pub(crate) fn inbox(&self, number: &str) -> Arc<Inbox> {
        let digits = number.trim_start_matches('+');
        let mut shelf = locked(&self.0);
        if let Some(inbox) = shelf.inboxes.get(digits) {
            return Arc::clone(inbox);
        }
        if shelf.order.len() >= MAX_HANDSETS
            && let Some(oldest) = shelf.order.pop_front()
        {
            shelf.inboxes.remove(&oldest);
        }
        shelf.order.push_back(digits.to_owned());
        Arc::clone(shelf.inboxes.entry(digits.to_owned()).or_default())
    }

    pub(crate) fn look(&self, number: &str) -> Handset {
        Handset { inbox: self.inbox(number), seen: 0 }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> HandsetMessage {
        HandsetMessage {
            sequence: 0,
            id: "sbx-1".to_owned(),
            account: "north".to_owned(),
            channel: Channel::Sms,
            text: Secret::new(text),
            arrived_at: Moment::EPOCH,
        }
    }

    #[test]
    fn a_person_finds_the_code_in_a_text_and_in_a_call() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(message(text).code().as_deref(), expected, "{text}")
        };
        check("042137 is your ExampleCo code.\n@example.com #042137", Some("042137"));
        check("Your code of 2024 is 12345678", Some("12345678"));
        check("Your code is 0, 4, 2, 1, 3, 7. Again: 0, 4, 2, 1, 3, 7. Goodbye", Some("042137"));
        check("Call 1 of 2: 4, 2, 1, 3, 7, 9", Some("421379"));
        check("Nothing to see", None);
        check("12345678901", None);
    }

    #[test]
    fn a_handset_keeps_its_last_messages_in_order() {
        let handsets = Handsets::default();
        for _ in 0..MAX_MESSAGES + 5 {
            handsets.inbox("+491").deliver(message("x"));
        }
        let sequences: Vec<_> =
            handsets.look("491").messages().iter().map(|message| message.sequence).collect();
        assert_eq!(sequences, (6..=105).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_look_waits_for_what_it_has_not_seen() {
        let handsets = Handsets::default();
        handsets.inbox("+491").deliver(message("first"));
        let mut look = handsets.look("+491");
        assert_eq!(look.next().await.text.reveal(), "first");
        let mut fresh = handsets.look("+491");
        fresh.skip_to_now();
        let inbox = handsets.inbox("+491");
        let (both, ()) = tokio::join!(async { (look.next().await, fresh.next().await) }, async {
            tokio::task::yield_now().await;
            inbox.deliver(message("second"));
        });
        assert_eq!(both.0.text.reveal(), "second");
        assert_eq!(both.1, both.0);
    }
}
