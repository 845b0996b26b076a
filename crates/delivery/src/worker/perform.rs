//! One send, from its claim to its outcome.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use otter_decision::breaker::{Outcome, Permit, Witness};
use otter_decision::{lifecycle, token};
use otter_domain::{
    Attempt, BreakerScope, Candidate, ErrorClass, Event, Failure, FailureClass, JobKind, Moment,
    ProviderReference, SpeaksOf, Verification,
};
use otter_evidence::Change;
use otter_message::NoContent;
use otter_provider::{Dispatch, Hold, Sender};
use otter_store::Claimed;
use otter_telemetry::AttemptOutcome;
use tokio::time::timeout;
use tracing::{Instrument, error, field, info, info_span, warn};

use super::{Lane, OVERTIME, Worker};
use crate::leases::Held;
use crate::scheduler::policy_of;
use crate::{Setup, learning, planning};

/// What a provider answered.
type Answer = Result<Option<ProviderReference>, Failure>;

impl Lane {
    /// Does what a claimed job asks for and books what came of it. `asked_at` is when the claim was asked for, by
    /// [`crate::Books::steady`]: from there the lease counts.
    pub(super) async fn perform(&self, job: Claimed, asked_at: Duration) {
        let Claimed { verification, attempt, job } = job;
        let Some(held) = verification.attempt(attempt).cloned() else { return };
        let waited = match job {
            // Only the first try knows since when it stood on the lane.
            JobKind::Send if held.tries <= 1 => self.worker.books.now().since(held.queued_at),
            JobKind::Send | JobKind::Revoke => Duration::ZERO,
        };
        self.worker.metrics.dequeued(&self.name, waited);
        let span = info_span!(
            "process",
            otter.verification.id = %verification.id,
            otter.attempt = attempt.get(),
            otter.provider = %self.name,
            otter.channel = %held.channel,
        );
        match job {
            JobKind::Send => self.send(verification, held, asked_at).instrument(span).await,
            JobKind::Revoke => self.revoke(verification, held).instrument(span).await,
        }
    }

    async fn send(&self, verification: Verification, attempt: Attempt, asked_at: Duration) {
        let books = &self.worker.books;
        let lease = Arc::new(self.leases.hold(books, verification.id, attempt.number, asked_at));
        let setup = self.worker.setup.load_full();
        let (event, changes) = self.handle(&setup, &verification, &attempt, &lease).await;
        // Others learn of a breaker while the outcome is booked: neither must wait for the other.
        let announced = async {
            self.worker.view.announce(&self.worker.books, &changes).await;
            if let Event::Sent { outcome: Err(failure), .. } = &event {
                let Worker { view, books, metrics, .. } = &self.worker;
                learning::note_unlisted(view, books, metrics, &attempt, failure).await;
            }
        };
        tokio::join!(self.book(verification, &event), announced);
        drop(lease);
    }

    /// Hands the message over, unless something speaks against it. Says what is to be booked, and what the breaker made
    /// of it.
    async fn handle(
        &self,
        setup: &Setup,
        verification: &Verification,
        attempt: &Attempt,
        lease: &Arc<Held>,
    ) -> (Event, Vec<Change>) {
        let (number, tries) = (attempt.number, attempt.tries);
        // Reported on while it waited to be tried again: the try before was taken.
        if attempt.receipt.is_some() {
            return (Event::Released { attempt: number, tries }, Vec::new());
        }
        let (sender, dispatch) = match self.prepare(setup, verification, attempt, lease) {
            Ok(prepared) => prepared,
            Err(failure) => {
                self.count(attempt, &Err(failure));
                return (Event::Sent { attempt: number, tries, outcome: Err(failure) }, Vec::new());
            }
        };
        // Claimed long ago, if this process was stopped in between: the store may have given the attempt up.
        if self.worker.books.now() >= verification.send_before || !lease.is_held() {
            self.worker.metrics.attempt(&self.name, attempt.channel, AttemptOutcome::Expired, None);
            return (Event::Released { attempt: number, tries }, Vec::new());
        }
        let sent_at = self.worker.books.now();
        if let Some(until) = self.worker.view.busy_until(&self.name, sent_at) {
            return (self.pass_over(setup, verification, attempt, until), Vec::new());
        }
        let scopes = learning::scopes(setup, verification, attempt, sent_at);
        let Some(permit) = self.permit(setup, verification, &scopes) else {
            self.worker.metrics.attempt(&self.name, attempt.channel, AttemptOutcome::SkippedOpen, None);
            return (Event::Skipped { attempt: number, tries, busy_until: None }, Vec::new());
        };
        let outcome = self.hand_over(setup, &*sender, &dispatch).await;
        self.count(attempt, &outcome);
        // Our own deadline says nothing about the provider.
        if is_unsent_in_time(&outcome) {
            if permit == Permit::Probe {
                self.worker.view.breakers.give_back(&scopes);
            }
            if !lease.is_held() {
                return (Event::Released { attempt: number, tries }, Vec::new());
            }
            return (Event::Sent { attempt: number, tries, outcome }, Vec::new());
        }
        let changes = self.learn(&scopes, &outcome, sent_at);
        (Event::Sent { attempt: number, tries, outcome }, changes)
    }

    /// The account is too busy until then: whoever may go now goes instead. What nobody else can take waits on the lane, and
    /// the rest with it, so that not everything is claimed and given back meanwhile.
    fn pass_over(
        &self,
        setup: &Setup,
        verification: &Verification,
        attempt: &Attempt,
        until: Moment,
    ) -> Event {
        let (number, tries) = (attempt.number, attempt.tries);
        let (policy, _) = policy_of(setup, verification);
        let now = self.worker.books.now();
        let partitions = self.worker.books.store().partitions();
        let may_go = planning::who_may_go(setup, &self.worker.view, partitions, verification, now);
        if lifecycle::has_alternative(verification, &may_go, &policy, now) {
            self.worker.metrics.attempt(&self.name, attempt.channel, AttemptOutcome::SkippedBusy, None);
            return Event::Skipped { attempt: number, tries, busy_until: Some(until) };
        }
        self.shut(until);
        Event::Released { attempt: number, tries }
    }

    /// What the breaker says, unless it keeps the job from being tried. When nobody else could go, an open breaker is
    /// tried (RTE-21).
    fn permit(&self, setup: &Setup, verification: &Verification, scopes: &[BreakerScope]) -> Option<Permit> {
        let now = self.worker.books.now();
        let (policy, _) = policy_of(setup, verification);
        let permit = self.worker.view.breakers.permits(scopes, now);
        let is_skipped = match permit {
            Permit::Granted | Permit::Probe => false,
            Permit::Refused { .. } => {
                let is_served = |other: &Candidate| planning::is_served(setup, &self.worker.view, other);
                lifecycle::has_alternative(verification, &is_served, &policy, now)
            }
        };
        (!is_skipped).then_some(permit)
    }

    /// Everything that the provider needs to send this attempt's message. Nothing has left when it fails, and the
    /// provider knows of nothing.
    fn prepare(
        &self,
        setup: &Setup,
        verification: &Verification,
        attempt: &Attempt,
        lease: &Arc<Held>,
    ) -> Result<(Arc<dyn Sender>, Dispatch), Failure> {
        let unconfigured = || Failure::new(FailureClass::Misconfigured, ErrorClass::Auth);
        let provider = setup.providers.get(&self.name).ok_or_else(unconfigured)?;
        let sender = provider.sender.as_ref().ok_or_else(unconfigured)?;
        // Without its private part or its code nothing is left to send: it has ended in the meantime.
        let gone = || Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
        let private = verification.private.as_ref().ok_or_else(gone)?;
        let code = private.code.as_ref().ok_or_else(gone)?;
        let wish = learning::wish(verification, private, attempt.channel, self.worker.books.now());
        let content = setup.catalogue.render(&wish, code).map_err(|why| {
            warn!(verification_id = %verification.id, why = %why, "no message can be made for the attempt");
            no_message(&why)
        })?;
        let token = token::mint(self.worker.keys.token(), verification.id, attempt.number, &self.name);
        let callback_url =
            setup.receipts_url.as_ref().map(|base| format!("{base}/receipts/{}/{token}", self.name));
        let books = &self.worker.books;
        let dispatch = Dispatch {
            verification: verification.id,
            attempt: attempt.number,
            number: private.number.clone(),
            channel: attempt.channel,
            content,
            send_before: verification.send_before,
            validity: wish.remaining,
            token,
            callback_url,
            message_id: books.message_id(verification.id, attempt.number).ok_or_else(gone)?,
            clock: books.clock(),
            hold: Arc::clone(lease) as Arc<dyn Hold>,
        };
        Ok((Arc::clone(sender), dispatch))
    }

    /// Waits for the provider's answer. One that never comes, or a panic instead of it, is ambiguous: bytes may have left.
    async fn hand_over(&self, setup: &Setup, sender: &dyn Sender, dispatch: &Dispatch) -> Answer {
        let began = self.worker.books.now();
        let patience = setup
            .providers
            .get(&self.name)
            .map_or(OVERTIME, |provider| provider.capabilities.timeout + OVERTIME);
        let unknown = |error| Err(Failure::new(FailureClass::Ambiguous, error));
        let outcome = match timeout(patience, AssertUnwindSafe(sender.send(dispatch)).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                error!(provider = %self.name, "a provider panicked while it sent a message");
                unknown(ErrorClass::Unknown)
            }
            Err(_) => {
                error!(provider = %self.name, "a provider did not keep its own deadline");
                unknown(ErrorClass::Timeout)
            }
        };
        let took = self.worker.books.now().since(began);
        self.worker.metrics.provider_answered(&self.name, label(&outcome), took);
        match &outcome {
            Ok(_) => {
                info!(verification_id = %dispatch.verification, provider = %self.name, "attempt accepted")
            }
            Err(failure) => info!(
                verification_id = %dispatch.verification,
                provider = %self.name,
                class = %failure.class,
                error_class = %failure.error,
                vendor_code = failure.vendor_code.map(field::display),
                speaks_of = %failure.speaks_of,
                "attempt failed"
            ),
        }
        outcome
    }

    fn count(&self, attempt: &Attempt, outcome: &Answer) {
        let error = outcome.as_ref().err().map(|failure| failure.error);
        self.worker.metrics.attempt(&self.name, attempt.channel, label(outcome), error);
    }

    /// Lets the breakers and the lane learn how a send went.
    fn learn(&self, scopes: &[BreakerScope], outcome: &Answer, sent_at: Moment) -> Vec<Change> {
        let learnt = match outcome {
            Ok(_) => Outcome::Accepted,
            Err(failure) => Outcome::Failed(*failure),
        };
        if let Err(failure @ Failure { class: FailureClass::Throttled, .. }) = outcome {
            self.slow_down(failure);
        }
        let now = self.worker.books.now();
        learning::learn(&self.worker.view, scopes, learnt, Witness::Answer, sent_at, now)
    }
}

/// What an attempt ends with for which no message can be made: another channel goes at once. A code that has too little
/// life left for the vendor's template is our own deadline and no evidence.
fn no_message(why: &NoContent) -> Failure {
    let error = match why {
        NoContent::TemplateOutlives { .. } => ErrorClass::Expired,
        NoContent::UnknownTenant(_)
        | NoContent::PaymentMissing(_)
        | NoContent::PaymentUnsupported(_)
        | NoContent::NoTemplate(_) => ErrorClass::ContentRejected,
    };
    Failure::new(FailureClass::Unroutable, error).speaking_of(SpeaksOf::Template)
}

/// Whether nothing was handed over, because it was too late or the lease was lost.
fn is_unsent_in_time(outcome: &Answer) -> bool {
    matches!(outcome, Err(Failure { class: FailureClass::Unavailable, error: ErrorClass::Expired, .. }))
}

fn label(outcome: &Answer) -> AttemptOutcome {
    outcome.as_ref().map_or_else(AttemptOutcome::of, |_| AttemptOutcome::Accepted)
}
