//! What a person does, and what they were told.

use std::sync::Arc;
use std::time::Duration;

use otter_contract::v1::{
    CancelOtpRequest, CheckOtpRequest, CheckOtpResponse, CheckOutcome, ResendOtpRequest, SendOtpRequest,
    SendOtpResponse,
};
use otter_domain::{Clock as _, Moment};
use otter_runtime::WallClock;
use otter_sandbox_vendor::Handset;

use crate::callers::{Callers, Line, Unanswered};
use crate::ledger::moment;
use crate::people::{Habit, Names, Person};
use crate::stopwatch::Stopwatch;

/// How long a person's application repeats a call that nobody answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a call is repeated that has no name, as it may then be done twice.
const NAMELESS_TRIES: usize = 4;

/// How many wrong codes use up the budget of any verification.
const MOST_CHECKS: usize = 10;

/// How many in a thousand ask for their code again under the same name although they were answered.
const ASKS_AGAIN: usize = 40;

/// Everything that one person's application was told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The number.
    pub number: String,
    /// Whether the number steers the vendor.
    pub is_steered: bool,
    /// The verification, as every answer to the same request named it; more than one is a broken promise.
    pub ids: Vec<String>,
    /// When the first answer came, and how long after the first call that was.
    pub accepted: Option<(Moment, Duration)>,
    /// When the code expires, as the answer said.
    pub expires_at: Moment,
    /// Every check, with what it was answered.
    pub checks: Vec<Check>,
    /// Whether a cancellation was answered with OK.
    pub is_cancelled: bool,
    /// How many further messages were promised.
    pub resends: usize,
    /// Every refusal for good.
    pub refusals: Vec<String>,
    /// Every defect that a server reported of itself.
    pub defects: Vec<String>,
}

/// One submission of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The name of the call; empty if it had none.
    pub request_id: String,
    /// Whether a message to this person had this code in it, and nobody had cancelled.
    pub is_right: bool,
    /// The answer; `None` if none came.
    pub outcome: Option<CheckOutcome>,
}

/// One person's dealings, from the first call to the last.
pub(crate) struct Visit {
    pub(crate) person: Person,
    pub(crate) callers: Callers,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) handset: Handset,
    pub(crate) ttl: Duration,
    /// How long to wait for a message.
    pub(crate) patience: Duration,
    pub(crate) told: Told,
}

impl Visit {
    /// Asks for a code and does what this person does with it.
    pub(crate) async fn go(mut self) -> Told {
        self.told.number.clone_from(&self.person.number);
        self.told.is_steered = self.person.is_steered;
        let Some(id) = self.send().await else { return self.told };
        match self.person.habit {
            Habit::Leaves => {}
            Habit::Guesses => self.guess(&id, MOST_CHECKS).await,
            Habit::Cancels => self.cancel(&id).await,
            Habit::Resends => self.resend(&id).await,
            Habit::Types | Habit::TypesTwiceAtOnce(_) | Habit::Repeats | Habit::Fumbles(_) => {
                self.type_code(&id).await;
            }
        }
        self.told
    }

    async fn send(&mut self) -> Option<String> {
        let began = Stopwatch::start();
        let answer = self.ask_for_code().await?;
        self.told.accepted = Some((self.clock.now(), began.elapsed()));
        self.told.expires_at = answer.expire_time.map(moment).unwrap_or_default();
        let id = answer.verification_id;
        self.told.ids.push(id.clone());
        if self.person.draws.happens(ASKS_AGAIN)
            && let Some(again) = self.ask_for_code().await
            && again.verification_id != id
        {
            self.told.ids.push(again.verification_id);
        }
        Some(id)
    }

    async fn ask_for_code(&mut self) -> Option<SendOtpResponse> {
        let request = SendOtpRequest {
            recipient: self.person.number.clone(),
            purpose: "login".to_owned(),
            locale: "en".to_owned(),
            ttl: Some(self.ttl.try_into().expect("it is short")),
            request_id: format!("send-{}", self.person.index),
            ..SendOtpRequest::default()
        };
        let call = |mut line: Line| {
            let request = request.clone();
            async move { line.send_otp(request).await }
        };
        let answer = self.callers.ask(PATIENCE, call).await;
        self.heard("SendOtp", answer)
    }

    async fn type_code(&mut self, id: &str) {
        let Some(code) = self.read().await else { return };
        match self.person.habit {
            Habit::TypesTwiceAtOnce(names) => return self.submit_twice(id, &code, names).await,
            Habit::Fumbles(wrong) => self.guess(id, wrong).await,
            Habit::Types
            | Habit::Repeats
            | Habit::Guesses
            | Habit::Cancels
            | Habit::Resends
            | Habit::Leaves => {}
        }
        let name = format!("check-{}", self.person.index);
        self.submit(id, &code, true, &name).await;
        if self.person.habit == Habit::Repeats {
            self.submit(id, &code, true, &name).await;
        }
    }

    async fn cancel(&mut self, id: &str) {
        let code = self.read().await;
        let request = CancelOtpRequest { verification_id: id.to_owned() };
        let call = |mut line: Line| {
            let request = request.clone();
            async move { line.cancel_otp(request).await }
        };
        let answer = self.callers.ask(PATIENCE, call).await;
        self.told.is_cancelled = self.heard("CancelOtp", answer).is_some();
        if let Some(code) = code {
            let is_right = !self.told.is_cancelled;
            self.submit(id, &code, is_right, "check-cancelled").await;
        }
    }

    /// Asks for one more message as soon as that is allowed, and types what came last.
    async fn resend(&mut self, id: &str) {
        let Some(first) = self.read().await else { return };
        let request = ResendOtpRequest {
            verification_id: id.to_owned(),
            request_id: format!("resend-{}", self.person.index),
            ..ResendOtpRequest::default()
        };
        // The cooldown of test configurations.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let call = |mut line: Line| {
            let request = request.clone();
            async move { line.resend_otp(request).await }
        };
        let answer = self.callers.ask(PATIENCE, call).await;
        let mut code = first;
        if self.heard("ResendOtp", answer).is_some() {
            self.told.resends += 1;
            code = self.read().await.unwrap_or(code);
        }
        self.submit(id, &code, true, &format!("check-{}", self.person.index)).await;
    }

    /// Types wrong codes until told that there is no use.
    async fn guess(&mut self, id: &str, times: usize) {
        for time in 0..times {
            let name = format!("guess-{}-{time}", self.person.index);
            let guess = self.person.draws.below(1_000_000);
            self.submit(id, &format!("{guess:06}"), false, &name).await;
            let last = self.told.checks.last().and_then(|check| check.outcome);
            if last != Some(CheckOutcome::WrongCode) {
                return;
            }
        }
    }

    async fn submit_twice(&mut self, id: &str, code: &str, names: Names) {
        let name = |which: &str| match names {
            Names::One => format!("check-{}", self.person.index),
            Names::Two => format!("check-{}-{which}", self.person.index),
            Names::None => String::new(),
        };
        let (one, two) = (name("one"), name("two"));
        let (first, second) =
            tokio::join!(check(&self.callers, id, code, &one), check(&self.callers, id, code, &two));
        for (answers, name) in [(first, one), (second, two)] {
            self.note(answers, true, &name);
        }
    }

    async fn submit(&mut self, id: &str, code: &str, is_right: bool, name: &str) {
        let answers = check(&self.callers, id, code, name).await;
        self.note(answers, is_right, name);
    }

    fn note(&mut self, answers: Vec<Result<CheckOtpResponse, Unanswered>>, is_right: bool, name: &str) {
        for answer in answers {
            let outcome = self.heard("CheckOtp", answer).map(|answer| answer.outcome());
            self.told.checks.push(Check { request_id: name.to_owned(), is_right, outcome });
        }
    }

    /// The next code on the handset, if one comes while it is of use.
    async fn read(&mut self) -> Option<String> {
        let message = tokio::time::timeout(self.patience, self.handset.next()).await.ok()?;
        message.code()
    }

    fn heard<T>(&mut self, call: &str, answer: Result<T, Unanswered>) -> Option<T> {
        match answer {
            Ok(answer) => return Some(answer),
            Err(Unanswered::Refused(status)) => {
                self.told.refusals.push(format!("{call}: {}", crate::reason(&status)));
            }
            Err(Unanswered::Defect(status)) => {
                self.told.defects.push(format!("{call}: {}", status.message()))
            }
            Err(Unanswered::Silence) => {}
        }
        None
    }
}

/// Submits a code until it is answered. Without a name every repeat is a check of its own.
async fn check(
    callers: &Callers,
    id: &str,
    code: &str,
    name: &str,
) -> Vec<Result<CheckOtpResponse, Unanswered>> {
    let request = CheckOtpRequest {
        verification_id: id.to_owned(),
        code: code.to_owned(),
        purpose: "login".to_owned(),
        request_id: name.to_owned(),
        ..CheckOtpRequest::default()
    };
    let call = |mut line: Line| {
        let request = request.clone();
        async move { line.check_otp(request).await }
    };
    if !name.is_empty() {
        return vec![callers.ask(PATIENCE, call).await];
    }
    let mut answers = Vec::new();
    for _ in 0..NAMELESS_TRIES {
        let answer = callers.ask(Duration::ZERO, call).await;
        let is_answered = !matches!(answer, Err(Unanswered::Silence));
        answers.push(answer);
        if is_answered {
            break;
        }
    }
    answers
}
