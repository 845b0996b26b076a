//! A verification under test together with everything that followed from its events.

use std::time::Duration;

use otter_decision::lifecycle::{self, Fresh, Opening, ResendRefusal, Step};
use otter_domain::*;

pub(crate) const T0: Moment = Moment::from_millis(1_700_000_000_000);

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn candidate(provider: &str, channel: Channel) -> Candidate {
    Candidate {
        provider: ProviderName::parse(provider).unwrap(),
        channel,
        step: 0,
        succeed_on: SucceedOn::Delivered,
        wait: seconds(30),
        max_queue_wait: seconds(5),
        revocable: channel == Channel::Rcs,
        idempotent: channel == Channel::Rcs,
    }
}

/// Two SMS providers, then WhatsApp, then RCS.
pub(crate) fn four_candidates() -> Vec<Candidate> {
    vec![
        candidate("alpha", Channel::Sms),
        candidate("beta", Channel::Sms),
        candidate("gamma", Channel::WhatsApp),
        candidate("delta", Channel::Rcs),
    ]
}

pub(crate) struct History {
    pub(crate) now: Moment,
    pub(crate) verification: Verification,
    pub(crate) effects: Vec<Effect>,
    pub(crate) policy: LifecyclePolicy,
    pub(crate) codes: u32,
    /// Providers that may not go at this moment, as far as anybody knows.
    pub(crate) out: Vec<&'static str>,
}

impl History {
    pub(crate) fn open(candidates: Vec<Candidate>, policy: LifecyclePolicy) -> Self {
        Self::lasting(seconds(300), candidates, policy)
    }

    /// One whose codes live for that long.
    pub(crate) fn lasting(ttl: Duration, candidates: Vec<Candidate>, policy: LifecyclePolicy) -> Self {
        let partition = PartitionCount::DEFAULT.at(7).unwrap();
        let opening = Opening {
            id: VerificationId::new(T0, partition, [7; 8]),
            tenant: TenantId::parse("shop").unwrap(),
            purpose: PurposeName::parse("login").unwrap(),
            number: PhoneNumber::parse("+4915112345678").unwrap(),
            recipient: RecipientRef::from_hash([1; 8]),
            subject: None,
            context: Context::None,
            locale: Locale::english(),
            plan: Plan {
                route: RouteName::parse("main").unwrap(),
                seed: 42,
                candidates,
                considered: Vec::new(),
            },
            callers_code: false,
            ttl,
            budget: 5,
        };
        let step = lifecycle::open(opening, &fresh(0), &policy, T0);
        Self { now: T0, verification: step.next, effects: step.effects, policy, codes: 1, out: Vec::new() }
    }

    pub(crate) fn login() -> Self {
        Self::open(four_candidates(), LifecyclePolicy::default())
    }

    pub(crate) fn after(&mut self, span: Duration) -> &mut Self {
        self.now = self.now + span;
        self
    }

    /// Applies an event as a store would commit it, and returns what followed from it.
    pub(crate) fn on(&mut self, event: Event) -> Vec<Effect> {
        let fresh = match lifecycle::travelling_code(&self.verification, &self.policy) {
            Some(code) => Fresh { code: code.clone(), ..fresh(0) },
            None => fresh(self.codes),
        };
        self.codes += 1;
        let may_go = |candidate: &Candidate| !self.out.contains(&candidate.provider.as_str());
        let step = lifecycle::step_by(&self.verification, &event, &may_go, &fresh, &self.policy, self.now);
        self.apply(step)
    }

    pub(crate) fn resend(&mut self, channel: Option<Channel>) -> Result<Vec<Effect>, ResendRefusal> {
        self.codes += 1;
        let fresh = fresh(self.codes);
        let step = lifecycle::resend(&self.verification, channel, &fresh, &self.policy, self.now)?;
        Ok(self.apply(step))
    }

    fn apply(&mut self, step: Step) -> Vec<Effect> {
        self.verification = step.next;
        self.effects.extend(step.effects.clone());
        step.effects
    }

    /// Does what a store does when a worker claims the current attempt's job.
    pub(crate) fn claim(&mut self) -> bool {
        let now = self.now;
        let due = self.verification.is_pending() && now < self.verification.send_before;
        let Some(attempt) = self.verification.attempts.last_mut().filter(|_| due) else { return false };
        let Phase::Queued { .. } = attempt.phase else { return false };
        let by = WorkerId::parse("worker").unwrap();
        attempt.phase = Phase::Claimed { by, lease_until: now + seconds(6) };
        attempt.claimed_at = attempt.claimed_at.or(Some(now));
        attempt.tries += 1;
        true
    }

    /// Does what a store does when a receipt comes, and lets the life cycle look at it.
    pub(crate) fn receipt(&mut self, number: AttemptNumber, status: ReceiptStatus) -> Vec<Effect> {
        let away = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
        self.receipt_because(number, status, status.is_negative().then_some(away))
    }

    /// The same with a reason.
    pub(crate) fn receipt_because(
        &mut self,
        number: AttemptNumber,
        status: ReceiptStatus,
        because: Option<Failure>,
    ) -> Vec<Effect> {
        let provider = self.verification.attempt(number).map(|attempt| attempt.provider.clone());
        let Some(provider) = provider else { return Vec::new() };
        let receipt = Receipt { status, at: self.now, because };
        let _ = otter_decision::receipt::merge(&mut self.verification, number, &provider, receipt);
        self.on(Event::ReceiptMerged { attempt: number })
    }

    pub(crate) fn sends(&mut self, outcome: Result<(), FailureClass>) -> Vec<Effect> {
        assert!(self.claim(), "there is a job to claim");
        self.sent(outcome)
    }

    pub(crate) fn sent(&mut self, outcome: Result<(), FailureClass>) -> Vec<Effect> {
        let attempt = self.current().number;
        let outcome = match outcome {
            Ok(()) => Ok(ProviderReference::parse("message-1").ok()),
            Err(class) => Err(Failure::new(class, ErrorClass::Unknown)),
        };
        let tries = self.current().tries;
        self.on(Event::Sent { attempt, tries, outcome })
    }

    /// The provider of the current attempt is too busy and can be asked again after that.
    pub(crate) fn sends_to_a_busy_one(&mut self, retry_after: Duration) -> Vec<Effect> {
        assert!(self.claim(), "there is a job to claim");
        self.is_busy(retry_after)
    }

    pub(crate) fn is_busy(&mut self, retry_after: Duration) -> Vec<Effect> {
        let Attempt { number: attempt, tries, .. } = *self.current();
        let failure = Failure::new(FailureClass::Throttled, ErrorClass::RateLimited);
        let outcome = Err(failure.with_retry_after(Some(retry_after)));
        self.on(Event::Sent { attempt, tries, outcome })
    }

    pub(crate) fn skips(&mut self, busy_until: Option<Moment>) -> Vec<Effect> {
        assert!(self.claim(), "there is a job to claim");
        let Attempt { number: attempt, tries, .. } = *self.current();
        self.on(Event::Skipped { attempt, tries, busy_until })
    }

    /// Lets the next send fail in a way of its own.
    pub(crate) fn fails(&mut self, failure: Failure) -> Vec<Effect> {
        assert!(self.claim(), "there is a job to claim");
        let (attempt, tries) = (self.current().number, self.current().tries);
        self.on(Event::Sent { attempt, tries, outcome: Err(failure) })
    }

    pub(crate) fn due_at(&self) -> Option<Moment> {
        lifecycle::next_due(&self.verification, &self.policy, self.now)
    }

    /// Lets time pass until somebody must look, and looks.
    pub(crate) fn wait(&mut self) -> Vec<Effect> {
        self.now = self.now.max(self.due_at().expect("somebody must look"));
        self.on(Event::Due)
    }

    pub(crate) fn current(&self) -> &Attempt {
        self.verification.current().expect("a verification has an attempt")
    }

    pub(crate) fn current_provider(&self) -> &str {
        self.current().provider.as_str()
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        match self.verification.state {
            State::Pending => None,
            State::Ended { how, .. } => Some(how),
        }
    }
}

/// The n-th code that was drawn; its digest is its number repeated.
pub(crate) fn fresh(number: u32) -> Fresh {
    Fresh {
        code: Code::parse(&format!("{:06}", number % 1_000_000)).unwrap(),
        key: KeyId(1),
        digest: Digest([u8::try_from(number % 256).unwrap(); 32]),
    }
}

pub(crate) fn dispatches(effects: &[Effect], kind: JobKind) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Dispatch { job, .. } if *job == kind)).count()
}

/// What was counted, each with the place of its provider among the four.
pub(crate) fn observed(effects: &[Effect]) -> Vec<(usize, Measure)> {
    let place = |provider: &ProviderName| {
        four_candidates().iter().position(|candidate| candidate.provider == *provider).unwrap() + 1
    };
    let counted = |effect: &Effect| match effect {
        Effect::Observe(observation) => Some((place(&observation.segment.provider), observation.measure)),
        Effect::Dispatch { .. } | Effect::Publish(_) => None,
    };
    effects.iter().filter_map(counted).collect()
}
