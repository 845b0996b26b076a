//! One request to prove control of a number, from its first send to its end.

use crate::{
    Attempt, AttemptEnd, AttemptNumber, Code, CodeSlot, Country, Locale, Moment, Phase, PhoneNumber, Plan,
    PurposeName, RecipientRef, Subject, TenantId, VerificationId, Version,
};

/// One request to prove control of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Its id; names its partition.
    pub id: VerificationId,
    /// Counts its committed changes.
    pub version: Version,
    /// Who called.
    pub tenant: TenantId,
    /// What the code is for; part of its digest (SEC-14).
    pub purpose: PurposeName,
    /// The keyed hash of the number.
    pub recipient: RecipientRef,
    /// The number's country.
    pub country: Country,
    /// The number as it may be shown.
    pub masked: String,
    /// The account that the caller named, for the counter of failed checks.
    pub subject: Option<Subject>,
    /// When it was accepted.
    pub created_at: Moment,
    /// From here on it reads as expired (SEC-02).
    pub expires_at: Moment,
    /// From here on no code of it is handed to a provider (RTE-30).
    pub send_before: Moment,
    /// Where it stands.
    pub state: State,
    /// How many checks were counted.
    pub checks: u8,
    /// How many checks it allows, shared by all its codes (SEC-04).
    pub budget: u8,
    /// Its sends, in order. The last one is the current one; only it can be live.
    pub attempts: Vec<Attempt>,
    /// Its valid codes, oldest first; empty once it has ended.
    pub slots: Vec<CodeSlot>,
    /// What is erased when it ends.
    pub private: Option<Private>,
    /// What the caller was told of it when it was accepted, and who is tried. It outlives the end, so that a repeat is
    /// answered alike and the attempts stay explained; `None` if its record is from before this was kept apart and its
    /// private part is gone or does not open.
    pub acceptance: Option<Acceptance>,
}

impl Verification {
    /// The state as it reads at `now`: past its deadline a pending verification is expired, whether or not somebody has
    /// written it down yet.
    pub fn state_at(&self, now: Moment) -> State {
        match self.state {
            State::Pending if now >= self.expires_at => {
                State::Ended { how: Ending::Expired, at: self.expires_at }
            }
            State::Pending | State::Ended { .. } => self.state,
        }
    }

    /// The attempts as they read at `now`: once the verification has ended, what nobody had claimed is withdrawn,
    /// whether or not somebody has written it down yet.
    pub fn attempts_at(&self, now: Moment) -> impl Iterator<Item = Attempt> {
        let state = self.state_at(now);
        self.attempts.iter().map(move |attempt| match (state, &attempt.phase) {
            (State::Ended { at, .. }, Phase::Queued { .. } | Phase::Retrying { .. }) => {
                Attempt { phase: Phase::Ended { at, how: AttemptEnd::Withdrawn }, ..attempt.clone() }
            }
            (State::Ended { .. } | State::Pending, _) => attempt.clone(),
        })
    }

    /// Who is tried, in order.
    pub fn plan(&self) -> Option<&Plan> {
        self.acceptance.as_ref().map(|acceptance| &acceptance.plan)
    }

    /// The latest attempt.
    pub fn current(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The attempt with this number.
    pub fn attempt(&self, number: AttemptNumber) -> Option<&Attempt> {
        self.attempts.get(number.index())
    }

    /// Whether it is written down as pending; see [`Self::state_at`] for how it reads at a moment.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending)
    }
}

/// What the answer that accepted a verification said and that nothing else of it tells later. Only its plan can
/// change, when a class of channel is shut before a resend or a failover. Holds neither number nor code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Who is tried, in order, and why.
    pub plan: Plan,
    /// The language of the message.
    pub locale: Locale,
    /// From when on one more message could be asked for, by the policy of that moment; `None` if never.
    pub resend_allowed_at: Option<Moment>,
}

/// Where a verification stands. Ended is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A code may still be sent or entered.
    Pending,
    /// Nothing changes any more but receipts and revocations.
    Ended {
        /// How.
        how: Ending,
        /// When, on the store's clock.
        at: Moment,
    },
}

/// How a verification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The code was entered.
    Verified {
        /// The attempt that carried it, where codes tell attempts apart.
        by: Option<AttemptNumber>,
    },
    /// Its time ran out.
    Expired,
    /// Nobody could send it: the plan is exhausted and no code is on its way.
    Failed,
    /// Its check budget is used up (SEC-04).
    Exhausted,
    /// The caller took it back.
    Cancelled,
}

impl Ending {
    /// The word used in records, events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word of [`Self::as_str`], with the attempt that counts for `verified`.
    pub fn parse(word: &str, by: Option<AttemptNumber>) -> Option<Self> {
        [Self::Verified { by }, Self::Expired, Self::Failed, Self::Exhausted, Self::Cancelled]
            .into_iter()
            .find(|ending| ending.as_str() == word)
    }
}

/// What only the send path may read; sealed in the store and erased when the verification ends (SEC-11, CMP-14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// The recipient.
    pub number: PhoneNumber,
    /// The code of the live attempt, or of all attempts under [`crate::CodePolicy::Same`].
    pub code: Option<Code>,
    /// Whether the caller brought the code; then it is the same for all attempts.
    pub callers_code: bool,
    /// What the code is bound to and what the text shows.
    pub context: Context,
    /// The language asked for, or guessed from the country.
    pub locale: Locale,
}

/// What a code is bound to besides its purpose (SEC-14).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Context {
    /// Nothing.
    #[default]
    None,
    /// Free text of the caller's.
    Text(String),
    /// A payment's amount and payee (CMP-20).
    Payment(Payment),
}

impl Context {
    /// The form that goes into the digest: empty, the text, or `currency|minor units|payee id`.
    pub fn canonical(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(text) => text.clone(),
            Self::Payment(payment) => {
                format!("{}|{}|{}", payment.currency, payment.minor_units, payment.payee_id)
            }
        }
    }
}

/// A payment that a code confirms (CMP-20, CMP-21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// ISO 4217, upper case.
    pub currency: String,
    /// The amount in the currency's smallest unit.
    pub minor_units: u64,
    /// Who is paid, as an account or other id.
    pub payee_id: String,
    /// Who is paid, as the text names them.
    pub payee_name: String,
}
