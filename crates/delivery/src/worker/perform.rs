//! One job, from its claim to its booked outcome.

use otter_decision::breaker::{Outcome, Permit};
use otter_decision::{lifecycle, token};
use otter_domain::{
    Attempt, AttemptNumber, ErrorClass, Event, Failure, FailureClass, JobKind, Moment, Private,
    ProviderReference, Segment, Verification,
};
use otter_message::Wish;
use otter_provider::{Dispatch, Provider, Recall};
use otter_runtime::{Delays, Phase as Stage, Reconnect};
use otter_store::Claimed;
use otter_telemetry::AttemptOutcome;
use tracing::{Instrument, info, info_span, warn};

use super::Lane;
use crate::scheduler::policy_of;
use crate::{Setup, drawing};

impl Lane {
    /// Does what a claimed job asks for and books what came of it.
    pub(super) async fn perform(&self, job: Claimed) {
        let Claimed { verification, attempt, job } = job;
        let Some(held) = verification.attempt(attempt).cloned() else { return };
        let waited = self.worker.books.now().since(held.queued_at);
        self.worker.metrics.dequeued(&self.name, waited);
        let span = info_span!(
            "process",
            otter.verification.id = %verification.id,
            otter.attempt = attempt.get(),
            otter.provider = %self.name,
            otter.channel = %held.channel,
        );
        match job {
            JobKind::Send => self.send(verification, held).instrument(span).await,
            JobKind::Revoke => self.revoke(verification, held).instrument(span).await,
        }
    }

    async fn send(&self, verification: Verification, attempt: Attempt) {
        let lease = self.leases.hold(verification.id, attempt.number);
        let setup = self.worker.setup.load_full();
        let segment =
            Segment { provider: self.name.clone(), channel: attempt.channel, country: verification.country };
        let event = if self.is_skipped(&setup, &verification, &segment) {
            self.worker.metrics.attempt(&self.name, attempt.channel, AttemptOutcome::SkippedOpen, None);
            Event::Skipped { attempt: attempt.number }
        } else {
            let outcome = self.hand_over(&setup, &verification, &attempt).await;
            self.learn(&segment, &outcome).await;
            Event::Sent { attempt: attempt.number, outcome }
        };
        self.book(verification, &event).await;
        drop(lease);
    }

    /// Whether the breaker keeps the job from being tried. When nobody else could go, an open breaker is tried (RTE-21).
    fn is_skipped(&self, setup: &Setup, verification: &Verification, segment: &Segment) -> bool {
        let now = self.worker.books.now();
        let (policy, _) = policy_of(setup, verification);
        match self.worker.view.breakers.permits(segment, now) {
            Permit::Granted | Permit::Probe => false,
            Permit::Refused { .. } => lifecycle::has_alternative(verification, &policy, now),
        }
    }

    /// Hands the message to the provider.
    async fn hand_over(
        &self,
        setup: &Setup,
        verification: &Verification,
        attempt: &Attempt,
    ) -> Result<Option<ProviderReference>, Failure> {
        let not_sent = || Failure::new(FailureClass::Misconfigured, ErrorClass::Auth);
        let provider = setup.providers.get(&self.name).ok_or_else(not_sent)?;
        let sender = provider.sender.as_ref().ok_or_else(not_sent)?;
        let dispatch = self.dispatch(setup, verification, attempt)?;
        let began = self.worker.books.now();
        let in_flight = |lane: &Self| lane.worker.metrics.in_flight(&lane.name, lane.in_flight(provider));
        in_flight(self);
        let outcome = sender.send(&dispatch).await;
        let took = self.worker.books.now().since(began);
        in_flight(self);
        let (label, error) = match &outcome {
            Ok(_) => (AttemptOutcome::Accepted, None),
            Err(failure) => (AttemptOutcome::of(failure), Some(failure.error)),
        };
        self.worker.metrics.attempt(&self.name, attempt.channel, label, error);
        self.worker.metrics.provider_answered(&self.name, label, took);
        match &outcome {
            Ok(_) => info!(verification_id = %verification.id, provider = %self.name, "attempt accepted"),
            Err(failure) => info!(
                verification_id = %verification.id,
                provider = %self.name,
                class = %failure.class,
                error_class = %failure.error,
                vendor_code = failure.vendor_code,
                "attempt failed"
            ),
        }
        outcome
    }

    fn in_flight(&self, provider: &Provider) -> usize {
        usize::from(provider.capabilities.concurrency).saturating_sub(self.slots.available_permits())
    }

    /// Everything that the provider needs to send this attempt's message.
    fn dispatch(
        &self,
        setup: &Setup,
        verification: &Verification,
        attempt: &Attempt,
    ) -> Result<Dispatch, Failure> {
        // Without its private part or its code nothing is left to send: it has ended in the meantime.
        let gone = || Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
        let private = verification.private.as_ref().ok_or_else(gone)?;
        let code = private.code.as_ref().ok_or_else(gone)?;
        let remaining = self.worker.books.now().until(verification.expires_at);
        let wish = Wish {
            tenant: &verification.tenant,
            purpose: &verification.purpose,
            channel: attempt.channel,
            locale: &private.locale,
            context: &private.context,
            remaining,
        };
        let content = setup.catalogue.render(&wish, code).map_err(|why| {
            warn!(verification_id = %verification.id, why = %why, "no message can be made for the attempt");
            Failure::new(FailureClass::Unroutable, ErrorClass::ContentRejected)
        })?;
        let token = token::mint(self.worker.keys.token(), verification.id, attempt.number, &self.name);
        let callback_url =
            setup.receipts_url.as_ref().map(|base| format!("{base}/receipts/{}/{token}", self.name));
        Ok(Dispatch {
            verification: verification.id,
            attempt: attempt.number,
            number: private.number.clone(),
            channel: attempt.channel,
            content,
            send_before: verification.send_before,
            validity: remaining,
            token,
            callback_url,
            message_id: self.message_id(verification, attempt.number),
            clock: self.worker.books.clock(),
        })
    }

    fn message_id(&self, verification: &Verification, attempt: AttemptNumber) -> otter_domain::MessageId {
        let partitions = self.worker.books.store().partitions();
        let home =
            verification.id.partition(partitions).expect("a claimed verification has a partition here");
        otter_decision::challenge::message_id(&self.worker.keys.install, verification.id, attempt, home)
    }

    /// Lets the breaker learn how a send went.
    async fn learn(&self, segment: &Segment, outcome: &Result<Option<ProviderReference>, Failure>) {
        let learnt = match outcome {
            Ok(_) => Outcome::Accepted,
            // Our own deadline says nothing about the provider.
            Err(Failure { error: ErrorClass::Expired, .. }) => return,
            Err(failure) => Outcome::Failed(failure.class, failure.error),
        };
        let now = self.worker.books.now();
        if let Some(change) = self.worker.view.breakers.record(segment, learnt, now) {
            warn!(
                provider = %self.name,
                channel = %segment.channel,
                country = %segment.country,
                state = change.state.as_str(),
                "breaker changed"
            );
            self.worker.view.announce(&self.worker.books, &change).await;
        }
    }

    async fn revoke(&self, verification: Verification, attempt: Attempt) {
        let setup = self.worker.setup.load_full();
        let revoker = setup.providers.get(&self.name).and_then(|provider| provider.revoker.clone());
        let settled = match (&verification.private, revoker) {
            (Some(private), Some(revoker)) => {
                let recall = self.recall(&verification, private, &attempt);
                match revoker.revoke(&recall).await {
                    Ok(outcome) => {
                        info!(verification_id = %verification.id, provider = %self.name, ?outcome, "revoke answered");
                        true
                    }
                    Err(failure) => {
                        info!(
                            verification_id = %verification.id,
                            provider = %self.name,
                            class = %failure.class,
                            "revoke failed"
                        );
                        matches!(failure.class, FailureClass::Misconfigured | FailureClass::Unroutable)
                    }
                }
            }
            // Nothing is left to take it back with.
            (None, _) | (_, None) => true,
        };
        if settled {
            self.book(verification, &Event::RevokeSettled { attempt: attempt.number }).await;
        }
    }

    fn recall(&self, verification: &Verification, private: &Private, attempt: &Attempt) -> Recall {
        Recall {
            verification: verification.id,
            attempt: attempt.number,
            number: private.number.clone(),
            channel: attempt.channel,
            reference: attempt.reference.clone(),
            message_id: self.message_id(verification, attempt.number),
            clock: self.worker.books.clock(),
        }
    }

    /// Books what happened, for as long as it takes: the lease is renewed meanwhile, and a lost one is found out by the
    /// next commit.
    async fn book(&self, verification: Verification, event: &Event) {
        let id = verification.id;
        let expires_at = verification.expires_at;
        let mut held = Some(verification);
        let mut delays = Reconnect::new(Delays::default());
        loop {
            let setup = self.worker.setup.load_full();
            let policy = held.as_ref().map(|verification| policy_of(&setup, verification));
            let booked = match policy {
                Some((policy, digits)) => self.commit(held.take(), id, event, &policy, digits).await,
                None => match self.worker.books.load(id).await {
                    Ok(None) => return,
                    Ok(Some(verification)) => {
                        let (policy, digits) = policy_of(&setup, &verification);
                        self.commit(Some(verification), id, event, &policy, digits).await
                    }
                    Err(error) => Err(error),
                },
            };
            match booked {
                Ok(()) => return,
                Err(error) => warn!(verification_id = %id, error = %error, "could not book an outcome"),
            }
            if self.is_pointless(expires_at) {
                return;
            }
            delays.wait().await;
        }
    }

    async fn commit(
        &self,
        held: Option<Verification>,
        id: otter_domain::VerificationId,
        event: &Event,
        policy: &otter_domain::LifecyclePolicy,
        digits: u8,
    ) -> Result<(), crate::BooksError> {
        let worker = &self.worker;
        let decided = worker.books.decide(id, held, policy, |before, now| {
            let fresh = drawing::draw(before, policy, digits, &worker.keys, worker.books.dice());
            lifecycle::step(before, event, &fresh, policy, now)
        });
        decided.await.map(|_| ())
    }

    fn is_pointless(&self, expires_at: Moment) -> bool {
        self.phases.now() >= Stage::Closing || self.worker.books.now() > expires_at
    }
}
