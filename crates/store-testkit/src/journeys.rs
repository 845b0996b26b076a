//! Whole journeys in batches, as callers, workers, vendors, people and schedulers would make them together; for what
//! engines are measured by.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    AttemptNumber, Channel, ChannelClass, CheckSubmission, Digest, Effect, Ending, ExpiryReason,
    HappeningKind, JobKind, KeyId, LimitRule, Measure, MessageId, Moment, Observation, Partition, Phase,
    PresentedDigest, ReceiptStatus, RequestId, Segment, Verification,
};
use otter_store::{Claim, Commit, Lease, Nonce, ReceiptMerge, ReceiptTarget, RequestKey, Store};

use crate::fixture::{self, nth, provider, queued, seconds, unique, worker};

const LANE: &str = "twilio-eu";
const WORKER: &str = "worker-1";

/// Journeys of one partition.
#[derive(Debug, Clone)]
pub struct Journeys {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The partition.
    pub home: Partition,
    /// How long a code lives.
    pub life: Duration,
}

impl Journeys {
    /// Takes so many journeys from their beginning to their end.
    pub async fn run(&self, count: usize) {
        self.open(count).await;
        let sent = self.send(count).await;
        assert_eq!(sent.len(), count, "every job was there to be claimed");
        self.end(&sent).await;
    }

    /// Accepts so many, each with its job, timer, request id, limit, message id and event.
    pub async fn open(&self, count: usize) {
        let now = self.store.now().await.unwrap();
        let commits = (0..count).map(|_| opening(self.home, self.life, now));
        self.store.commit(self.home, commits.collect()).await.unwrap();
    }

    /// Claims up to so many, renews their leases as a slow send does, and books that the provider took them.
    pub async fn send(&self, count: usize) -> Vec<Verification> {
        let claim = Claim { lane: provider(LANE), worker: worker(WORKER), lease: seconds(6), max: count };
        let claimed = self.store.claim(self.home, claim).await.unwrap();
        let now = claimed.now;
        let mut sent: Vec<_> = claimed.value.into_iter().map(|job| job.verification).collect();
        let leases = sent.iter().map(|sent| Lease { id: sent.id, attempt: nth(1), worker: worker(WORKER) });
        self.store.renew(self.home, leases.collect(), seconds(6)).await.unwrap();
        for next in &mut sent {
            next.attempts[0].phase = Phase::Accepted { at: now, wait_until: now + seconds(30) };
        }
        let commits = sent.iter().map(|next| {
            let told = HappeningKind::AttemptAccepted {
                attempt: AttemptNumber::FIRST,
                provider: provider(LANE),
                channel: Channel::Sms,
            };
            let effects = vec![Effect::Observe(observation(next, now)), Effect::Publish(told)];
            change(next, effects, Some(now + seconds(30)))
        });
        self.store.commit(self.home, commits.collect()).await.unwrap();
        sent
    }

    /// A receipt for each; every third person types a wrong code first, every fourth never types the right one, and
    /// their verifications expire.
    pub async fn end(&self, sent: &[Verification]) {
        let receipts = sent.iter().map(|sent| ReceiptMerge {
            target: ReceiptTarget::Attempt(sent.id, AttemptNumber::FIRST),
            provider: provider(LANE),
            status: ReceiptStatus::Delivered,
            because: None,
        });
        self.store.merge(self.home, receipts.collect()).await.unwrap();
        let wrong = sent.iter().step_by(3).map(|sent| typed(sent, 99));
        self.store.check(self.home, wrong.collect()).await.unwrap();
        let right = sent.iter().enumerate().filter(|(place, _)| !place.is_multiple_of(4));
        let right = right.map(|(_, sent)| typed(sent, 1));
        self.store.check(self.home, right.collect()).await.unwrap();

        let left = sent.iter().step_by(4).map(|sent| sent.id).collect();
        let left = self.store.load(self.home, left).await.unwrap();
        let now = left.now;
        let commits = left.value.into_iter().flatten().map(|left| {
            let next = fixture::ended(left, Ending::Expired, now);
            let because = Some(ExpiryReason::NotEntered);
            let told = HappeningKind::Ended { how: Ending::Expired, because };
            change(&next, vec![Effect::Publish(told)], None)
        });
        self.store.commit(self.home, commits.collect()).await.unwrap();
    }
}

fn opening(home: Partition, life: Duration, now: Moment) -> Commit {
    let opened = fixture::verification(home, now, vec![queued(1, LANE, now)]);
    let opened = fixture::planned(opened, fixture::typical_plan());
    let next = Verification { expires_at: now + life, send_before: now + life, ..opened };
    let mut hash = [0; 16];
    hash[9..].copy_from_slice(&unique().to_be_bytes()[1..]);
    let id = RequestId::parse(&format!("018f2c5a-7b1e-7c3a-9d2e-{:012}", unique())).unwrap();
    Commit {
        expected: None,
        effects: vec![
            Effect::Dispatch { provider: provider(LANE), attempt: AttemptNumber::FIRST, job: JobKind::Send },
            Effect::Publish(HappeningKind::Opened),
        ],
        due: Some(now + seconds(5)),
        nonce: Nonce(unique()),
        request: Some(RequestKey { id, fingerprint: [9; 32] }),
        limits: vec![LimitRule { max: 5, window: seconds(2) }],
        message_ids: vec![(provider(LANE), MessageId::from_hash(home, hash), AttemptNumber::FIRST)],
        at_stake: ChannelClass::ALL.to_vec(),
        next,
    }
}

fn change(next: &Verification, effects: Vec<Effect>, due: Option<Moment>) -> Commit {
    Commit {
        expected: Some(next.version),
        next: next.clone(),
        effects,
        due,
        nonce: Nonce(unique()),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
    }
}

fn observation(next: &Verification, now: Moment) -> Observation {
    let segment = Segment { provider: provider(LANE), channel: Channel::Sms, country: next.country };
    Observation { segment, attempted_at: now, measure: Measure::Accepted }
}

fn typed(sent: &Verification, code: u8) -> CheckSubmission {
    CheckSubmission {
        id: sent.id,
        tenant: sent.tenant.clone(),
        digests: vec![PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) }],
        request_id: None,
    }
}
