//! Carries operations out.

use std::sync::Arc;
use std::time::Duration;

use otter_delivery::{CheckRequest, Refusal, ReportRequest, ResendRequest, SendRequest};
use otter_domain::{
    Channel, Code, Context, PhoneNumber, PurposeName, RequestId, TenantId, Verification, VerificationId,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::calls::{Answer, Asked, Entered};
use crate::chance::Chance;
use crate::operations::{Body, Name, Operation, Typed};
use crate::process::Process;
use crate::town::Town;

/// Whoever operates the town: calls processes, lets time pass and things go wrong.
pub(crate) struct Operator {
    town: Arc<Town>,
    chance: Chance,
    /// What goes wrong and will be right again.
    mending: JoinSet<()>,
}

fn tenant() -> TenantId {
    TenantId::parse("shop").unwrap()
}

fn purpose() -> PurposeName {
    PurposeName::parse("login").unwrap()
}

fn request_id(name: Name) -> Option<RequestId> {
    name.map(|name| RequestId::parse(&format!("request-{name}")).unwrap())
}

pub(crate) fn number(person: usize) -> PhoneNumber {
    PhoneNumber::parse(&format!("+49151123456{:02}", 10 + person)).unwrap()
}

impl Operator {
    pub(crate) fn new(town: Arc<Town>, seed: u64) -> Self {
        Self { town, chance: Chance::new(seed), mending: JoinSet::new() }
    }

    pub(crate) async fn perform(&mut self, operation: &Operation) {
        let place = self.chance.below(2);
        match operation {
            Operation::Wait(time) => return sleep(*time).await,
            Operation::Crash { process, back_after } => self.crash(*process, *back_after),
            Operation::Pause { process, time } => self.pause(*process, *time),
            Operation::Cut { process, time } => self.cut(*process, *time),
            Operation::Storm { time } => self.storm(*time),
            Operation::Send { .. }
            | Operation::Resend { .. }
            | Operation::Check { .. }
            | Operation::Cancel { .. }
            | Operation::Report { .. }
            | Operation::Look { .. } => {
                if let Some(process) = self.town.process(place) {
                    self.ask(&process, operation);
                }
            }
        }
        if self.chance.percent(60) {
            sleep(self.chance.millis(0, 60)).await;
        }
    }

    /// Waits until everything that went wrong is right again.
    pub(crate) async fn mend(&mut self) {
        while self.mending.join_next().await.is_some() {}
    }

    fn crash(&mut self, place: usize, back_after: Duration) {
        let Some(process) = self.town.process(place) else { return };
        self.town.weather.trouble(back_after);
        self.town.crash(&process);
        let town = Arc::clone(&self.town);
        self.mending.spawn(async move {
            sleep(back_after).await;
            town.start_process().await;
        });
    }

    fn pause(&mut self, place: usize, time: Duration) {
        let Some(process) = self.town.process(place) else { return };
        self.town.weather.trouble(time);
        self.town.note(format!("process {} stands still", process.number));
        process.gate.pause();
        let town = Arc::clone(&self.town);
        self.mending.spawn(async move {
            sleep(time).await;
            town.note(format!("process {} goes on", process.number));
            process.gate.resume();
        });
    }

    fn cut(&mut self, place: usize, time: Duration) {
        let Some(process) = self.town.process(place) else { return };
        self.town.weather.trouble(time);
        self.town.note(format!("process {} is cut from the store", process.number));
        process.gate.cut();
        let town = Arc::clone(&self.town);
        self.mending.spawn(async move {
            sleep(time).await;
            town.note(format!("process {} reaches the store again", process.number));
            process.gate.mend();
        });
    }

    fn storm(&mut self, time: Duration) {
        let town = Arc::clone(&self.town);
        town.weather.trouble(time);
        town.note("a storm begins".to_owned());
        town.weather.storm();
        self.mending.spawn(async move {
            sleep(time).await;
            town.note("the storm is over".to_owned());
            town.weather.calm_down();
        });
    }

    fn ask(&self, process: &Process, operation: &Operation) {
        match operation {
            Operation::Send { person, name, body } => self.send(process, *person, *name, *body),
            Operation::Resend { of, name } => self.resend(process, *of, *name),
            Operation::Check { of, typed, name, times } => {
                for _ in 0..*times {
                    self.check(process, *of, *typed, *name);
                }
            }
            Operation::Cancel { of } => {
                if let Some(id) = self.known(*of) {
                    self.cancel(process, id);
                }
            }
            Operation::Report { of, verified } => self.report(process, *of, *verified),
            Operation::Look { of } => self.look(process, *of),
            Operation::Wait(_)
            | Operation::Crash { .. }
            | Operation::Pause { .. }
            | Operation::Cut { .. }
            | Operation::Storm { .. } => {}
        }
    }

    /// The verifications that callers know, as they came to know them.
    pub(crate) fn all_known(&self) -> Vec<VerificationId> {
        let mut known = Vec::new();
        for call in self.town.calls.lock().unwrap().iter() {
            if let Answer::Sent { id, repeated: false } = call.answer {
                known.push(id);
            }
        }
        known
    }

    fn known(&self, back: usize) -> Option<VerificationId> {
        let known = self.all_known();
        known.len().checked_sub(back + 1).map(|place| known[place])
    }

    fn person_of(&self, id: VerificationId) -> usize {
        let calls = self.town.calls.lock().unwrap();
        let asked = calls.iter().find_map(|call| match (&call.asked, &call.answer) {
            (Asked::Send { person, .. }, Answer::Sent { id: sent, .. }) if *sent == id => Some(*person),
            _ => None,
        });
        asked.expect("a known verification was sent to somebody")
    }

    fn send(&self, process: &Process, person: usize, name: Name, body: Body) {
        let request = SendRequest {
            tenant: tenant(),
            number: number(person),
            purpose: purpose(),
            subject: None,
            context: Context::None,
            locales: Vec::new(),
            allowed: if body == Body::OnlySms { vec![Channel::Sms] } else { Vec::new() },
            preferred: Vec::new(),
            code: None,
            ttl: (body == Body::ShortLived).then(|| Duration::from_secs(26)),
            request_id: request_id(name),
            dry_run: false,
        };
        let intake = process.intake.clone();
        self.town.call(process, Asked::Send { person, name, body }, async move {
            match intake.send(request).await {
                Ok(sent) => match sent.verification {
                    Some(verification) => Answer::Sent { id: verification.id, repeated: sent.repeated },
                    None => Answer::Absurd("accepted without a verification".to_owned()),
                },
                Err(refusal) => refusal.into(),
            }
        });
    }

    fn resend(&self, process: &Process, of: usize, name: Name) {
        let Some(id) = self.known(of) else { return };
        let request = ResendRequest { tenant: tenant(), id, channel: None, request_id: request_id(name) };
        let intake = process.intake.clone();
        self.town.call(process, Asked::Resend { person: self.person_of(id), name, id }, async move {
            intake.resend(request).await.map_or_else(Answer::from, |_| Answer::Resent)
        });
    }

    fn check(&self, process: &Process, of: usize, typed: Typed, name: Name) {
        let Some(id) = self.known(of) else { return };
        let (typed, code) = self.typed(id, typed);
        let request = CheckRequest {
            tenant: tenant(),
            id,
            code,
            purpose: purpose(),
            context: Context::None,
            request_id: request_id(name),
        };
        let intake = process.intake.clone();
        self.town.call(process, Asked::Check { id, name, typed }, async move {
            let checked = intake.check(request).await;
            checked.map_or_else(Answer::from, |checked| Answer::Checked(checked.verdict))
        });
    }

    /// A code that a vendor took, or one that no generator draws because it is too long.
    fn typed(&self, id: VerificationId, typed: Typed) -> (Entered, Code) {
        let requests = self.town.requests.lock().unwrap();
        let mut taken = requests.iter().rev().filter(|request| request.id == id && request.taken);
        let of = match typed {
            Typed::Taken(back) => taken.nth(back),
            Typed::Wrong => None,
        };
        match of {
            Some(request) => (Entered::Of(request.attempt), request.code.clone()),
            None => (Entered::Wrong, Code::parse("0000000").unwrap()),
        }
    }

    pub(crate) fn cancel(&self, process: &Process, id: VerificationId) {
        let intake = process.intake.clone();
        self.town.call(
            process,
            Asked::Cancel { id },
            async move { seen(intake.cancel(&tenant(), id).await) },
        );
    }

    fn report(&self, process: &Process, of: usize, verified: bool) {
        let Some(id) = self.known(of) else { return };
        let request = ReportRequest { tenant: tenant(), id, verified, attempt: None };
        let intake = process.intake.clone();
        self.town.call(
            process,
            Asked::Report { id, verified },
            async move { seen(intake.report(request).await) },
        );
    }

    fn look(&self, process: &Process, of: usize) {
        let Some(id) = self.known(of) else { return };
        let intake = process.intake.clone();
        self.town.call(process, Asked::Look { id }, async move { seen(intake.get(&tenant(), id).await) });
    }
}

fn seen(found: Result<Verification, Refusal>) -> Answer {
    found.map_or_else(Answer::from, |verification| Answer::Seen(verification.state))
}
