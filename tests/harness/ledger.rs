//! What must be true after any run, whatever was done to whom.
//!
//! Four parties tell what happened, and none of them knows the others: people know what they were answered
//! ([`Told`]), the store knows how every verification ended, the vendor knows which requests really came
//! ([`Received`]), and a consumer of events knows what was published. [`Ledger::judge`] holds them against each other.

mod figures;
mod judge;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use otter_contract::v1::{AttemptState, Verification, VerificationState};
use otter_decision::challenge;
use otter_domain::{AttemptNumber, Moment, PartitionCount, VerificationId};
use otter_sandbox_vendor::Received;
use prost_types::Timestamp;

pub use figures::Figures;

use crate::fleet::Blow;
use crate::listener::Stories;
use crate::visit::Told;
use crate::world::INSTALL_KEY;

/// The partitions of test configurations.
const PARTITIONS: u16 = 16;

/// Everything that the four parties know.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What people were answered.
    pub told: Vec<Told>,
    /// Every accepted verification as it reads at the end; `None` if it is not there any more.
    pub finals: BTreeMap<String, Option<Verification>>,
    /// Every request that the vendor received, in order.
    pub journal: Vec<Received>,
    /// What was published.
    pub stories: Stories,
    /// Those that had not come to rest when the accounts were read, and may have gone on in between.
    pub open: BTreeSet<String>,
    /// What was done to processes.
    pub blows: Vec<Blow>,
    /// When all this was read.
    pub read_at: Moment,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The verification; empty if there is none.
    pub id: String,
    /// Which promise.
    pub kind: BreachKind,
}

/// The promises of DESIGN section 1 that a ledger can see broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreachKind {
    /// It was accepted and nobody knows it any more.
    Lost,
    /// The same request was answered with another verification.
    AnsweredTwice,
    /// A server found a defect in itself.
    Defect(String),
    /// Two different checks succeeded.
    SecondSuccess,
    /// A check was answered verified, and the verification reads otherwise.
    SuccessForgotten,
    /// It reads verified, and nobody submitted the right code.
    SuccessFromNowhere,
    /// A right code was called wrong.
    RightCodeRefused,
    /// A code that was never in a message, or was cancelled, succeeded.
    WrongCodeTaken,
    /// A cancellation was answered with OK, and the verification reads otherwise.
    CancellationForgotten,
    /// It reads pending although its time has run out.
    Overdue,
    /// The vendor received a message that no attempt was booked for.
    Unbooked,
    /// The vendor received this attempt's message more often than the attempt was begun.
    SentMoreThanBegun(u32),
    /// The vendor received this attempt's message again after it had taken it.
    SentTwice(u32),
    /// The vendor took this attempt's message, and the attempt is booked as not sent.
    SentButBookedAsUnsent(u32),
    /// This attempt is booked as accepted, and the vendor never took its message.
    AcceptedButNeverSent(u32),
    /// A person got one more message, and neither an ambiguous attempt, nor silence, nor a wish of theirs explains it.
    ExtraMessage(u32),
    /// A code reached the vendor after its life, or too late to be of use.
    DeadCode(u32),
    /// The vendor received this attempt's message after the attempt had been declared lost with its worker.
    SentAfterLoss(u32),
    /// An attempt was queued while another was live.
    TwoLive(u32),
    /// An attempt is live although the verification has ended.
    LiveAfterTheEnd(u32),
    /// Its end was published more than once, or differs from what it reads.
    EndedTwice,
    /// What was published is not what was stored.
    StoryDiffers(String),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.id)
    }
}

/// What a ledger comes to.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The figures of the report.
    pub figures: Figures,
    /// Every broken promise.
    pub breaches: Vec<Breach>,
}

impl Judgement {
    /// Asserts that no promise was broken and that every accepted verification is in exactly one state.
    ///
    /// # Panics
    ///
    /// With the breaches, if there are any.
    pub fn assert_sound(&self) {
        self.assert_sound_but_for(|_| false);
    }

    /// The same, but some promises are not given under this fault (DESIGN section 6).
    ///
    /// # Panics
    ///
    /// With the other breaches, if there are any.
    pub fn assert_sound_but_for(&self, is_allowed: impl Fn(&BreachKind) -> bool) {
        let broken: Vec<_> = self.breaches.iter().filter(|breach| !is_allowed(&breach.kind)).collect();
        let shown: Vec<_> = broken.iter().take(20).map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{} promises were broken: {shown:#?}", broken.len());
        let lost = if is_allowed(&BreachKind::Lost) { self.figures.lost } else { 0 };
        assert_eq!(self.figures.accepted, self.figures.sum_of_states() + lost, "the states do not add up");
    }
}

impl Ledger {
    /// Everything that is known of one verification, for whoever looks into a breach.
    pub fn show(&self, id: &str) -> String {
        let told = self.told.iter().find(|told| told.ids.first().is_some_and(|known| known == id));
        let number = told.map(|told| told.number.as_str());
        let received: Vec<_> =
            self.journal.iter().filter(|received| Some(received.number.reveal()) == number).collect();
        let (verification, story) = (self.finals.get(id), self.stories.get(id));
        format!("{told:#?}\n{verification:#?}\n{story:#?}\n{received:#?}")
    }
}

/// One attempt with the requests that the vendor received for it.
struct Handed<'a> {
    attempt: &'a otter_contract::v1::Attempt,
    received: Vec<&'a Received>,
}

impl Handed<'_> {
    fn messages(&self) -> usize {
        self.received.iter().filter(|received| received.handling.is_a_message()).count()
    }
}

/// The requests of a journal by the name of the message.
fn by_message(journal: &[Received]) -> BTreeMap<&str, Vec<&Received>> {
    let mut found: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for received in journal {
        found.entry(received.message_id.as_deref().unwrap_or_default()).or_default().push(received);
    }
    found
}

/// What the vendor is told that an attempt's message is called.
pub(crate) fn message_id(verification: &str, attempt: u32) -> String {
    let id = VerificationId::parse(verification).expect("ids are UUIDs");
    let count = PartitionCount::new(PARTITIONS).expect("it is in bounds");
    let home = id.partition(count).expect("the installation made it");
    let number =
        AttemptNumber::new(u8::try_from(attempt).expect("attempts are few")).expect("they start at 1");
    let key: Vec<u8> = (0..INSTALL_KEY.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&INSTALL_KEY[at..at + 2], 16).expect("it is hex"))
        .collect();
    challenge::message_id(&key, id, number, home).to_string()
}

/// An instant of the contract.
pub(crate) fn moment(time: Timestamp) -> Moment {
    let millis = time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    Moment::from_millis(u64::try_from(millis).expect("it is after 1970"))
}

fn is_live(state: AttemptState) -> bool {
    matches!(state, AttemptState::Queued | AttemptState::Claimed | AttemptState::Retrying)
}

/// Whether nothing will change about a verification any more by itself.
pub(crate) fn is_settled(verification: &Verification) -> bool {
    verification.state() != VerificationState::Pending
        && !verification.attempts.iter().any(|attempt| is_live(attempt.state()))
}
