//! The engine and the pure state machine, given the same calls at the same moments, answer and remember the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Channel, ChannelClass, CheckScope, CheckSubmission, Code, CodeSlot,
    Digest, Effect, Ending, ErrorClass, Failure, FailureClass, HappeningKind, JobKind, KeyId, Lift,
    LimitRule, Measure, MessageId, Moment, Observation, Partition, Phase, PresentedDigest, Private,
    ReceiptStatus, RecipientRef, RequestId, Revocation, Segment, State, Subject, TenantId, Verification,
    VerificationId, WorkerId,
};
use otter_store::{
    Burial, Changes, Claim, Claimed, Commit, CommitVerdict, DeadReason, Discarded, Events, Lease, LetterKey,
    Nonce, PartitionState, ReceiptMerge, ReceiptTarget, RequestKey, Retention, Store,
};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use otter_store_testkit::fixture::{self, nth, provider, worker};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const LANES: [&str; 2] = ["twilio-eu", "rbm"];
const LEASE: Duration = Duration::from_millis(15);

#[derive(Debug, Clone)]
enum Step {
    Open(Opening),
    /// What became of the current attempt, decided on what was known when it was last seen.
    Outcome {
        which: usize,
        outcome: u8,
    },
    Another {
        which: usize,
        lane: usize,
        channel: usize,
    },
    End {
        which: usize,
        is_tidy: bool,
    },
    Repeat,
    Look {
        which: usize,
    },
    Claim {
        lane: usize,
        max: usize,
    },
    Renew {
        which: usize,
        worker: u8,
    },
    Check {
        which: usize,
        code: u8,
        named: Option<u8>,
        is_ours: bool,
    },
    Merge {
        which: usize,
        attempt: u8,
        is_own: bool,
        rank: u8,
        by_message: bool,
    },
    Due {
        max: usize,
    },
    Bury {
        which: usize,
    },
    Revive {
        which: usize,
    },
    Discard {
        which: usize,
    },
    Lift {
        who: u8,
        class: usize,
    },
}

#[derive(Debug, Clone)]
struct Opening {
    who: u8,
    lane: usize,
    /// Name and question of the request.
    named: Option<(u8, u8)>,
    is_limited: bool,
    slots: Vec<Slot>,
}

/// A code of a new verification; some are dead from the beginning, some are equal, some name an attempt that there is not.
#[derive(Debug, Clone)]
struct Slot {
    key: u8,
    code: u8,
    is_dead: bool,
    attempt: Option<u8>,
    channel: usize,
}

fn slot() -> impl Strategy<Value = Slot> {
    let attempt = proptest::option::of(1_u8..3);
    (1_u8..3, 1_u8..3, any::<bool>(), attempt, 0_usize..4)
        .prop_map(|(key, code, is_dead, attempt, channel)| Slot { key, code, is_dead, attempt, channel })
}

impl Slot {
    fn slot(&self, now: Moment) -> CodeSlot {
        let until = if self.is_dead { now } else { now + Duration::from_secs(300) };
        let slot = fixture::slot(self.attempt, Channel::ALL[self.channel], self.code, until);
        CodeSlot { key: KeyId(self.key), ..slot }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..3;
    let lane = 0..LANES.len();
    // 157 is the digest of code 1 under the other key.
    let code = prop_oneof![2 => 1_u8..3, 1 => Just(157), 5 => Just(99)];
    let request = proptest::option::of((0_u8..2, 0_u8..2));
    prop_oneof![
        3 => (0_u8..2, lane.clone(), request, prop::bool::weighted(0.3), proptest::collection::vec(slot(), 1..4))
            .prop_map(|(who, lane, named, is_limited, slots)| Step::Open(Opening { who, lane, named, is_limited, slots })),
        3 => (which.clone(), 0_u8..5).prop_map(|(which, outcome)| Step::Outcome { which, outcome }),
        2 => (which.clone(), lane.clone(), 0_usize..4)
            .prop_map(|(which, lane, channel)| Step::Another { which, lane, channel }),
        1 => (which.clone(), any::<bool>()).prop_map(|(which, is_tidy)| Step::End { which, is_tidy }),
        1 => Just(Step::Repeat),
        2 => which.clone().prop_map(|which| Step::Look { which }),
        6 => (lane, 0_usize..4).prop_map(|(lane, max)| Step::Claim { lane, max }),
        3 => (which.clone(), 0_u8..2).prop_map(|(which, worker)| Step::Renew { which, worker }),
        14 => (which.clone(), code, proptest::option::of(0_u8..2), prop::bool::weighted(0.9))
            .prop_map(|(which, code, named, is_ours)| Step::Check { which, code, named, is_ours }),
        2 => which.clone().prop_map(|which| Step::Bury { which }),
        2 => which.clone().prop_map(|which| Step::Revive { which }),
        1 => which.clone().prop_map(|which| Step::Discard { which }),
        1 => (0_u8..2, 0_usize..3).prop_map(|(who, class)| Step::Lift { who, class }),
        6 => (which, 1_u8..3, prop::bool::weighted(0.9), 1_u8..=5, any::<bool>()).prop_map(
            |(which, attempt, is_own, rank, by_message)| Step::Merge { which, attempt, is_own, rank, by_message }
        ),
        2 => (0_usize..4).prop_map(|max| Step::Due { max }),
    ]
}

/// The engine, the model, and what a caller would know.
struct World {
    store: Arc<RedisStore>,
    home: Partition,
    model: PartitionState,
    changes: Changes,
    seen: Vec<Verification>,
    last: Option<Commit>,
    nonces: u64,
}

impl World {
    async fn new(server: &RedisServer) -> Self {
        let store = crate::common::store(server, &format!("case{}", fixture::unique())).await;
        let home = crate::common::home(7);
        let model = PartitionState::new(home, Retention::default());
        Self { store, home, model, changes: Changes::default(), seen: Vec::new(), last: None, nonces: 0 }
    }

    /// The latest ones.
    fn seen(&self, which: usize) -> Option<&Verification> {
        self.seen.iter().rev().nth(which).or(self.seen.last())
    }

    fn see(&mut self, verification: Verification) {
        match self.seen.iter_mut().find(|seen| seen.id == verification.id) {
            Some(seen) => *seen = verification,
            None => self.seen.push(verification),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Open(opening) => self.open(opening).await,
            Step::Outcome { which, outcome } => self.outcome(which, outcome).await,
            Step::Another { which, lane, channel } => self.another(which, lane, channel).await,
            Step::End { which, is_tidy } => self.end(which, is_tidy).await,
            Step::Repeat => {
                if let Some(last) = self.last.clone() {
                    self.commit(last).await;
                }
            }
            Step::Look { which } => self.look(which).await,
            Step::Claim { lane, max } => self.claim(lane, max).await,
            Step::Renew { which, worker } => self.renew(which, worker).await,
            Step::Check { which, code, named, is_ours } => self.check(which, code, named, is_ours).await,
            Step::Merge { which, attempt, is_own, rank, by_message } => {
                self.merge(which, attempt, is_own, rank, by_message).await;
            }
            Step::Due { max } => {
                let due = self.store.due(self.home, max).await.unwrap();
                let expected = self.model.due(max, due.now, &mut self.changes);
                assert_eq!(sorted(due.value), sorted(expected), "due");
            }
            Step::Bury { which } => self.bury(which).await,
            Step::Revive { which } => self.revive(which).await,
            Step::Discard { which } => self.discard(which).await,
            Step::Lift { who, class } => self.lift(who, class).await,
        }
    }

    async fn open(&mut self, opening: Opening) {
        let Opening { who, lane, named, is_limited, slots } = opening;
        let now = self.store.now().await.unwrap();
        let mut next = fixture::verification(self.home, now, vec![fixture::queued(1, LANES[lane], now)]);
        next.recipient = RecipientRef::from_hash([who; 8]);
        next.budget = 8;
        next.send_before = now + Duration::from_secs(60);
        next.slots = slots.iter().map(|slot| slot.slot(now)).collect();
        next.subject = account(who);
        let at_stake = next.slots.iter().map(|slot| slot.class).collect();
        let request = named.map(|(name, question)| RequestKey {
            id: RequestId::parse(&format!("call-{name}")).unwrap(),
            fingerprint: [question; 32],
        });
        let window = Duration::from_secs(600);
        // Each asks by rules of its own.
        let wide = LimitRule { max: if who == 0 { 5 } else { 4 }, window: window * 2 };
        let limits = if slots.len() == 1 { vec![wide] } else { vec![LimitRule { max: 3, window }, wide] };
        let opened = Effect::Publish(HappeningKind::Opened);
        let commit = Commit {
            effects: vec![opened, dispatch(&next.attempts[0], JobKind::Send)],
            request,
            limits: if is_limited { limits } else { Vec::new() },
            message_ids: vec![(provider(LANES[lane]), message(next.id, 1), AttemptNumber::FIRST)],
            at_stake,
            ..self.change(next, Some(now + Duration::from_millis(20)))
        };
        self.commit(Commit { expected: None, ..commit }).await;
    }

    async fn outcome(&mut self, which: usize, outcome: u8) {
        let Some(mut next) = self.seen(which).cloned() else { return };
        let now = self.store.now().await.unwrap();
        let wait_until = now + Duration::from_secs(30);
        let failed = Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected);
        let failed = AttemptEnd::Failed(if outcome == 2 { failed.with_code(7) } else { failed });
        let attempt = next.attempts.last_mut().unwrap();
        attempt.phase = match outcome {
            0 => Phase::Accepted { at: now, wait_until },
            1 => Phase::Ambiguous { at: now, wait_until, error: ErrorClass::Timeout },
            2 | 3 => Phase::Ended { at: now, how: failed },
            _ => Phase::Retrying { at: wait_until, because: FailureClass::Throttled },
        };
        attempt.revocation = if outcome == 0 { Revocation::Wanted } else { Revocation::Possible };
        let attempt = attempt.clone();
        let segment =
            Segment { provider: attempt.provider.clone(), channel: attempt.channel, country: next.country };
        let attempted_at = attempt.claimed_at.unwrap_or(attempt.queued_at);
        let observation = Observation { segment, attempted_at, measure: Measure::Accepted };
        if let Some(private) = &mut next.private {
            private.code = None;
        }
        let effects = vec![Effect::Observe(observation), dispatch(&attempt, JobKind::Revoke)];
        let commit = Commit { effects, ..self.change(next, None) };
        self.commit(commit).await;
    }

    async fn another(&mut self, which: usize, lane: usize, channel: usize) {
        let Some(mut next) = self.seen(which).filter(|seen| seen.attempts.len() < 3).cloned() else { return };
        let now = self.store.now().await.unwrap();
        let number = u8::try_from(next.attempts.len() + 1).unwrap();
        let attempt = Attempt { channel: Channel::ALL[channel], ..fixture::queued(number, LANES[lane], now) };
        if next.is_pending() {
            // Two attempts may carry the same code, and a code may die before its verification.
            let until = now + Duration::from_millis(6);
            next.slots.push(fixture::slot(Some(number), attempt.channel, number.min(2), until));
            let code = Code::parse("12345678").unwrap();
            next.private = next.private.map(|private| Private { code: Some(code), ..private });
        }
        let effects = vec![dispatch(&attempt, JobKind::Send)];
        let at_stake = vec![attempt.channel.class()];
        next.attempts.push(attempt);
        let commit = Commit { effects, at_stake, ..self.change(next, Some(now)) };
        self.commit(commit).await;
    }

    async fn end(&mut self, which: usize, is_tidy: bool) {
        let Some(mut next) = self.seen(which).cloned() else { return };
        let now = self.store.now().await.unwrap();
        let how = Ending::Cancelled;
        next.state = State::Ended { how, at: now };
        next.slots.clear();
        next.private = next.private.filter(|_| !is_tidy).map(|private| Private { code: None, ..private });
        let effects = vec![Effect::Publish(HappeningKind::Ended { how, because: None })];
        let commit = Commit { effects, ..self.change(next, (!is_tidy).then_some(now)) };
        self.commit(commit).await;
    }

    fn change(&mut self, next: Verification, due: Option<Moment>) -> Commit {
        self.nonces += 1;
        Commit {
            expected: Some(next.version),
            next,
            effects: Vec::new(),
            due,
            nonce: Nonce(u64::MAX - self.nonces),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        }
    }

    async fn commit(&mut self, commit: Commit) {
        self.last = Some(commit.clone());
        let answer = self.store.commit(self.home, vec![commit.clone()]).await.unwrap();
        let expected = self.model.commit(commit.clone(), answer.now, &mut self.changes);
        assert_eq!(answer.value, [expected], "commit");
        if answer.value == [CommitVerdict::Done] {
            let current = self.model.load(commit.next.id, answer.now);
            self.see(current.unwrap());
        }
    }

    async fn look(&mut self, which: usize) {
        let Some(id) = self.seen(which).map(|seen| seen.id) else { return };
        let found = self.store.load(self.home, vec![id]).await.unwrap();
        assert_eq!(found.value, [self.model.load(id, found.now)], "load");
        self.see(found.value[0].clone().unwrap());
    }

    async fn claim(&mut self, lane: usize, max: usize) {
        let claim = Claim { lane: provider(LANES[lane]), worker: holder(0), lease: LEASE, max };
        let claimed = self.store.claim(self.home, claim.clone()).await.unwrap();
        assert_eq!(claimed.value, self.model.claim(&claim, claimed.now, &mut self.changes), "claim");
        for Claimed { verification, .. } in claimed.value {
            self.see(verification);
        }
    }

    async fn renew(&mut self, which: usize, worker: u8) {
        let Some(seen) = self.seen(which) else { return };
        let attempt = nth(u8::try_from(seen.attempts.len()).unwrap());
        let lease = Lease { id: seen.id, attempt, worker: holder(worker) };
        let renewed = self.store.renew(self.home, vec![lease.clone()], LEASE).await.unwrap();
        assert_eq!(renewed.value, [self.model.renew(&lease, LEASE, renewed.now, &mut self.changes)], "renew");
    }

    async fn check(&mut self, which: usize, code: u8, named: Option<u8>, is_ours: bool) {
        let Some(id) = self.seen(which).map(|seen| seen.id) else { return };
        let digest = |key, byte| PresentedDigest { key: KeyId(key), digest: Digest([byte; 32]) };
        let submission = CheckSubmission {
            id,
            tenant: if is_ours { fixture::tenant() } else { TenantId::parse("other").unwrap() },
            digests: vec![digest(2, code.wrapping_add(100)), digest(1, code)],
            request_id: named.map(|name| RequestId::parse(&format!("check-{name}")).unwrap()),
        };
        let answer = self.store.check(self.home, vec![submission.clone()]).await.unwrap();
        let expected = self.model.check(&submission, answer.now, &mut self.changes);
        assert_eq!(answer.value, [expected], "check");
    }

    async fn merge(&mut self, which: usize, attempt: u8, is_own: bool, rank: u8, by_message: bool) {
        let Some(seen) = self.seen(which) else { return };
        let (id, carrier) = (seen.id, seen.attempt(nth(attempt)).map(|attempt| attempt.provider.clone()));
        let reporter = carrier.filter(|_| is_own).unwrap_or_else(|| provider("stranger"));
        let status = ReceiptStatus::of_rank(rank).unwrap();
        let target = if by_message {
            ReceiptTarget::Message(message(id, attempt))
        } else {
            ReceiptTarget::Attempt(id, nth(attempt))
        };
        let lost = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
        let because = status.is_negative().then_some(lost);
        let report = ReceiptMerge { target, provider: reporter, status, because };
        let answer = self.store.merge(self.home, vec![report.clone()]).await.unwrap();
        assert_eq!(answer.value, [self.model.merge(&report, answer.now, &mut self.changes)], "merge");
    }

    async fn bury(&mut self, which: usize) {
        let Some(id) = self.seen(which).map(|seen| seen.id) else { return };
        let burial = Burial { id, reason: DeadReason::HandlingFailed, detail: "again".to_owned() };
        let buried = self.store.bury(self.home, vec![burial.clone()]).await.unwrap();
        assert_eq!(buried.value, [self.model.bury(&burial, buried.now, &mut self.changes)], "bury");
    }

    async fn revive(&mut self, which: usize) {
        let Some(key) = self.seen(which).map(|seen| LetterKey::of(seen.id)) else { return };
        let revived = self.store.revive(self.home, &key).await.unwrap();
        assert_eq!(revived.value, self.model.revive(&key, revived.now, &mut self.changes), "revive");
    }

    async fn discard(&mut self, which: usize) {
        let Some(key) = self.seen(which).map(|seen| LetterKey::of(seen.id)) else { return };
        let discarded = self.store.discard(self.home, &key).await.unwrap();
        let strip = |discarded: Discarded| {
            discarded.ended.map(|(verification, how)| (verification.id, verification.version, how))
        };
        let expected = self.model.discard(&key, discarded.now, &mut self.changes).map(strip);
        assert_eq!(discarded.value.map(strip), expected, "discard");
    }

    async fn lift(&mut self, who: u8, class: usize) {
        let scope = CheckScope {
            tenant: fixture::tenant(),
            recipient: RecipientRef::from_hash([who; 8]),
            subject: account(who),
        };
        let classes = ChannelClass::ALL.get(class).map_or(ChannelClass::ALL.to_vec(), |class| vec![*class]);
        let found = self.store.failed_checks(self.home, scope.clone()).await.unwrap();
        assert_eq!(found.value, self.model.failed_checks(&scope, found.now), "failed checks");
        let lift = Lift { scope, classes, author: "shop/ops".to_owned(), reason: "a test".to_owned() };
        let lifted = self.store.lift(self.home, lift.clone()).await.unwrap();
        assert_eq!(lifted.value, self.model.lift(&lift, lifted.now, &mut self.changes), "lift");
    }

    async fn compare(&mut self) {
        let dead = self.store.dead_letters(self.home, None, 100).await.unwrap().value;
        assert_eq!(dead, self.model.dead_letters(None, 100), "dead letters");

        let ids: Vec<VerificationId> = self.seen.iter().map(|seen| seen.id).collect();
        let found = self.store.load(self.home, ids.clone()).await.unwrap();
        let expected: Vec<_> = ids.iter().map(|id| self.model.load(*id, found.now)).collect();
        assert_eq!(found.value, expected, "load");

        let evidence = self.store.evidence(self.home, Moment::EPOCH).await.unwrap();
        let by_place = |cells: Vec<otter_store::EvidenceCell>| -> BTreeMap<_, _> {
            cells.into_iter().map(|cell| ((cell.bucket, cell.segment), cell.counts)).collect()
        };
        assert_eq!(by_place(evidence.value), by_place(self.model.evidence(Moment::EPOCH, evidence.now)));

        let lanes = LANES.map(provider);
        let depths = self.store.lanes(self.home, lanes.to_vec()).await.unwrap();
        assert_eq!(depths.value, lanes.map(|lane| self.model.lane(&lane)));

        let start = otter_store::Position("0-0".to_owned());
        let read = self.store.events(self.home, Some(start), 10_000).await.unwrap();
        let start = otter_store::Position(format!("{:020}", 0));
        let told = |events: Events| match events {
            Events::Read { events, .. } => events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(),
            Events::TooOld => panic!("nothing was forgotten"),
        };
        assert_eq!(told(read.value), told(self.model.events(Some(&start), 10_000, read.now)), "events");
    }
}

fn account(who: u8) -> Option<Subject> {
    (who == 1).then(|| Subject::parse("account-42").unwrap())
}

fn dispatch(attempt: &Attempt, job: JobKind) -> Effect {
    Effect::Dispatch { provider: attempt.provider.clone(), attempt: attempt.number, job }
}

fn message(id: VerificationId, attempt: u8) -> MessageId {
    let mut hash = *id.as_bytes();
    hash[15] ^= attempt;
    MessageId::from_hash(crate::common::home(7), hash)
}

fn holder(number: u8) -> WorkerId {
    worker(&format!("worker-{number}"))
}

/// Timers of the same instant come in any order.
fn sorted(mut due: Vec<Verification>) -> Vec<Verification> {
    due.sort_by_key(|verification| verification.id);
    due
}

#[test]
fn the_engine_answers_and_remembers_as_the_state_machine_does() {
    let server = RedisServer::start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    let steps = proptest::collection::vec(step(), 20..80);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let mut world = World::new(&server).await;
            for step in steps {
                world.take(step).await;
            }
            world.compare().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
