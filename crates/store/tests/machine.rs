//! The state machine as keys and values: what it says it touched is all that it touched, nothing is lost on the way to
//! disk and back, what is past its retention goes, and old values stay readable.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    Attempt, CheckSubmission, Digest, Effect, Ending, HappeningKind, JobKind, KeyId, LimitRule, Measure,
    MessageId, Moment, Observation, Partition, PartitionCount, PresentedDigest, ReceiptStatus, RequestId,
    Revocation, Segment, Subject, Verification, VerificationId, Version,
};
use otter_store::{
    Board, Burial, Changes, Claim, Commit, CommitVerdict, DeadReason, Key, Keyring, Lease, LetterKey, Nonce,
    PartitionState, ReceiptMerge, ReceiptTarget, RequestKey, Retention, Sealer, SharedKey, SharedState,
    bounds,
};
use otter_store_testkit::fixture::{self, nth, provider, seconds, tenant, worker};
use proptest::prelude::*;

const NOW: Moment = Moment::from_millis(1_767_225_600_000);

/// Seals the same text the same way each time, so that values can be compared.
fn sealer() -> Sealer {
    Sealer::new(Keyring::new(KeyId(1), [(KeyId(1), [1; 32])]).unwrap(), Arc::new(|| [5; 24]))
}

/// One that opens nothing of the other's.
fn other_sealer() -> Sealer {
    Sealer::new(Keyring::new(KeyId(2), [(KeyId(2), [2; 32])]).unwrap(), Arc::new(|| [5; 24]))
}

fn home() -> Partition {
    PartitionCount::DEFAULT.at(7).unwrap()
}

/// A state, and what an engine would have on disk.
struct Machine {
    state: PartitionState,
    disk: BTreeMap<String, Vec<u8>>,
    now: Moment,
    nonce: u64,
}

impl Machine {
    fn new() -> Self {
        let state = PartitionState::new(home(), Retention::default());
        Self { state, disk: BTreeMap::new(), now: NOW, nonce: 0 }
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T) -> T {
        let mut changes = Changes::default();
        let answer = step(&mut self.state, self.now, &mut changes);
        for key in changes.keys {
            match self.state.value(&key, &sealer()) {
                Some(value) => self.disk.insert(key.name(), value),
                None => self.disk.remove(&key.name()),
            };
        }
        answer
    }

    /// Everything that the state holds.
    fn held(&self) -> BTreeMap<String, Vec<u8>> {
        let keys = self.state.keys();
        keys.iter().map(|key| (key.name(), self.state.value(key, &sealer()).unwrap())).collect()
    }

    fn restart(&mut self) {
        self.restart_with(&sealer());
    }

    fn restart_with(&mut self, sealer: &Sealer) {
        self.state = PartitionState::new(home(), Retention::default());
        for (name, value) in &self.disk {
            self.state.restore(name, value, sealer).unwrap();
        }
    }

    fn bury(&mut self, id: VerificationId) {
        let burial = Burial { id, reason: DeadReason::HandlingFailed, detail: "again".to_owned() };
        self.step(|state, now, changes| state.bury(&burial, now, changes));
    }

    fn commit(
        &mut self,
        expected: Option<Version>,
        next: Verification,
        fill: impl FnOnce(&mut Commit),
    ) -> CommitVerdict {
        self.nonce += 1;
        let mut item = Commit {
            expected,
            next,
            effects: Vec::new(),
            due: None,
            nonce: Nonce(self.nonce),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        };
        fill(&mut item);
        self.step(|state, now, changes| state.commit(item, now, changes))
    }
}

/// The verification of this number; always the same.
fn numbered(number: u8, now: Moment) -> Verification {
    let attempts = vec![
        Attempt { revocation: Revocation::Possible, ..fixture::accepted(1, "rbm", now) },
        fixture::queued(2, "twilio-eu", now),
    ];
    Verification {
        id: VerificationId::new(NOW, home(), [number; 8]),
        recipient: otter_domain::RecipientRef::from_hash([number % 2; 8]),
        subject: (number.is_multiple_of(3)).then(|| Subject::parse("account:1").unwrap()),
        budget: 3,
        ..fixture::verification(home(), now, attempts)
    }
}

fn letter_key(number: u8) -> LetterKey {
    LetterKey::of(numbered(number, NOW).id)
}

fn message(number: u8) -> MessageId {
    MessageId::from_hash(home(), [number; 16])
}

fn everything(item: &mut Commit, number: u8, now: Moment) {
    let segment = Segment {
        provider: provider("rbm"),
        channel: otter_domain::Channel::Sms,
        country: item.next.country,
    };
    item.effects = vec![
        Effect::Dispatch { provider: provider("twilio-eu"), attempt: nth(2), job: JobKind::Send },
        Effect::Dispatch { provider: provider("rbm"), attempt: nth(1), job: JobKind::Revoke },
        Effect::Publish(HappeningKind::Opened),
        Effect::Observe(Observation { segment, attempted_at: now, measure: Measure::Accepted }),
    ];
    item.due = Some(now + seconds(5));
    item.request =
        Some(RequestKey { id: RequestId::parse(&format!("call:{number}")).unwrap(), fingerprint: [4; 32] });
    item.limits = vec![LimitRule { max: 6, window: seconds(7200) }];
    item.message_ids = vec![(provider("rbm"), message(number), nth(1))];
}

fn submission(number: u8, code: u8) -> CheckSubmission {
    CheckSubmission {
        id: numbered(number, NOW).id,
        tenant: tenant(),
        digests: vec![PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) }],
        request_id: RequestId::parse("winner").ok(),
    }
}

#[derive(Debug, Clone)]
enum Act {
    Create(u8),
    Change(u8, bool),
    End(u8, bool),
    Claim,
    Renew(u8),
    Check(u8, u8),
    Merge(u8, u8, bool),
    Due,
    Bury(u8),
    Revive(u8),
    Discard(u8),
    LoseKey,
    Pass(u64),
    Sweep,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let which = 0_u8..6;
    let act = prop_oneof![
        4 => which.clone().prop_map(Act::Create),
        2 => (which.clone(), any::<bool>()).prop_map(|(number, full)| Act::Change(number, full)),
        1 => (which.clone(), any::<bool>()).prop_map(|(number, tidy)| Act::End(number, tidy)),
        2 => Just(Act::Claim),
        1 => which.clone().prop_map(Act::Renew),
        3 => (which.clone(), 1_u8..4).prop_map(|(number, code)| Act::Check(number, code)),
        1 => which.clone().prop_map(Act::Bury),
        1 => which.clone().prop_map(Act::Revive),
        1 => which.clone().prop_map(Act::Discard),
        1 => Just(Act::LoseKey),
        2 => (which, 1_u8..=5, any::<bool>()).prop_map(|(number, rank, by)| Act::Merge(number, rank, by)),
        1 => Just(Act::Due),
        2 => (0_u64..7_200_000).prop_map(Act::Pass),
        1 => (0_u64..100 * 24 * 3_600_000).prop_map(Act::Pass),
        3 => Just(Act::Sweep),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..60)
}

fn act(machine: &mut Machine, act: Act) {
    let now = machine.now;
    match act {
        Act::Create(number) => {
            machine.commit(None, numbered(number, now), |item| everything(item, number, now));
        }
        Act::Change(number, is_full) => {
            let Some(stored) = machine.state.load(numbered(number, now).id, now) else { return };
            machine.commit(Some(stored.version), stored, |item| {
                if is_full {
                    everything(item, number, now);
                }
            });
        }
        Act::End(number, is_tidy) => {
            let Some(stored) = machine.state.load(numbered(number, now).id, now) else { return };
            let private = stored.private.clone().filter(|_| !is_tidy);
            let over = Verification { private, ..fixture::ended(stored, Ending::Cancelled, now) };
            machine.commit(Some(over.version), over, |_| {});
        }
        Act::Claim => {
            let claim = Claim { lane: provider("twilio-eu"), worker: worker("w"), lease: seconds(6), max: 2 };
            machine.step(|state, now, changes| state.claim(&claim, now, changes));
        }
        Act::Renew(number) => {
            let lease = Lease { id: numbered(number, now).id, attempt: nth(2), worker: worker("w") };
            machine.step(|state, now, changes| state.renew(&lease, seconds(6), now, changes));
        }
        Act::Check(number, code) => {
            machine.step(|state, now, changes| state.check(&submission(number, code), now, changes));
        }
        Act::Merge(number, rank, by_message) => {
            let target = if by_message {
                ReceiptTarget::Message(message(number))
            } else {
                ReceiptTarget::Attempt(numbered(number, now).id, nth(1))
            };
            let status = ReceiptStatus::of_rank(rank).unwrap();
            let report = ReceiptMerge { target, provider: provider("rbm"), status, because: None };
            machine.step(|state, now, changes| state.merge(&report, now, changes));
        }
        Act::Due => drop(machine.step(|state, now, changes| state.due(2, now, changes))),
        Act::Bury(number) => machine.bury(numbered(number, now).id),
        Act::Revive(number) => {
            let key = letter_key(number);
            machine.step(|state, now, changes| state.revive(&key, now, changes));
        }
        Act::Discard(number) => {
            let key = letter_key(number);
            machine.step(|state, now, changes| state.discard(&key, now, changes));
        }
        Act::LoseKey => machine.restart_with(&other_sealer()),
        Act::Pass(millis) => machine.now = now + Duration::from_millis(millis),
        Act::Sweep => {
            machine.step(|state, now, changes| state.sweep(3, now, changes));
        }
        Act::Restart => machine.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_was_touched_is_all_that_changed_and_nothing_is_lost_over_restarts(acts in acts()) {
        let mut machine = Machine::new();
        for step in acts {
            let name = format!("{step:?}");
            act(&mut machine, step);
            prop_assert_eq!(&machine.disk, &machine.held(), "after {}", name);
        }
    }

    #[test]
    fn everything_that_ended_is_gone_in_the_end(acts in acts()) {
        let mut machine = Machine::new();
        acts.into_iter().for_each(|step| act(&mut machine, step));
        for number in 0..6 {
            act(&mut machine, Act::End(number, true));
        }
        machine.now = machine.now + seconds(200 * 24 * 3600);
        let mut rounds = 0;
        while machine.step(|state, now, changes| state.sweep(5, now, changes)) {
            rounds += 1;
            prop_assert!(rounds < 1_000, "each sweep is bounded and comes to an end");
        }
        let pointers = |name: &&String| !name.starts_with("lane:") && *name != "sequence";
        let left: Vec<_> = machine.disk.keys().filter(pointers).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}

/// A state in which there is something of every kind that the first version knew.
fn with_everything() -> Machine {
    let mut machine = Machine::new();
    for number in [1, 2, 3] {
        assert_eq!(
            machine.commit(None, numbered(number, NOW), |item| everything(item, number, NOW)),
            CommitVerdict::Done
        );
    }
    machine.now = NOW + seconds(2);
    for step in [Act::Check(3, 9), Act::Check(1, 1), Act::Merge(2, 3, true), Act::Claim] {
        act(&mut machine, step);
    }
    // The first events are forgotten, so that there is a sequence.
    machine.now = NOW + seconds(3601);
    act(&mut machine, Act::Sweep);
    machine
}

#[test]
fn values_of_format_1_are_still_what_is_written_and_stay_readable() {
    let machine = with_everything();
    let lines: Vec<_> =
        machine.disk.iter().map(|(name, value)| format!("{name} {}", hex::encode(value))).collect();
    let golden = include_str!("golden/state-v1.txt");
    assert_eq!(lines.join("\n"), golden.trim_end());
    for kind in ["v:", "lane:", "idem:", "limit:", "fail:", "ref:", "event:", "ev:", "sequence"] {
        assert!(golden.lines().any(|line| line.starts_with(kind)), "nothing of kind {kind}");
    }
    let mut restored = Machine::new();
    for line in golden.lines() {
        let (name, value) = line.split_once(' ').unwrap();
        restored.state.restore(name, &hex::decode(value).unwrap(), &sealer()).unwrap();
    }
    assert_eq!(restored.held(), machine.disk);
}

#[test]
fn values_from_before_the_plan_outlived_the_end_stay_readable() {
    let (machine, mut restored) = (with_everything(), Machine::new());
    for line in include_str!("golden/state-v1-before-lasting-plans.txt").lines() {
        let (name, value) = line.split_once(' ').unwrap();
        restored.state.restore(name, &hex::decode(value).unwrap(), &sealer()).unwrap();
        let Some(Key::Verification(id)) = Key::parse(name) else { continue };
        let mut expected = machine.state.load(id, machine.now).unwrap();
        match (&expected.private, &mut expected.acceptance) {
            (Some(_), Some(told)) => told.resend_allowed_at = None,
            (Some(_) | None, told) => *told = None,
        }
        assert_eq!(restored.state.load(id, machine.now), Some(expected));
    }
}

#[test]
fn letters_of_format_1_are_still_what_is_written_and_stay_readable() {
    let mut machine = with_everything();
    act(&mut machine, Act::Bury(2));
    let key = Key::Letter(LetterKey::of(numbered(2, NOW).id));
    let golden = include_str!("golden/letter-v1.txt");
    let line = format!("{} {}", key.name(), hex::encode(&machine.disk[&key.name()]));
    assert_eq!(line, golden.trim_end());
    assert_eq!(Key::parse(&key.name()), Some(key));
    machine.restart();
    assert_eq!(machine.held(), machine.disk);
}

#[test]
fn a_record_that_cannot_be_read_is_buried_kept_as_it_is_and_deleted_by_a_discard() {
    let mut machine = with_everything();
    let id = numbered(2, NOW).id;
    let name = Key::Verification(id).name();
    let later = [&[9], &machine.disk[&name][1..]].concat();
    machine.disk.insert(name.clone(), later.clone());
    machine.restart();
    assert_eq!(machine.held(), machine.disk, "a later version reads it again");
    assert!(machine.state.why_damaged(id).is_some() && machine.state.load(id, machine.now).is_none());

    act(&mut machine, Act::Due);
    let letter = machine.state.dead_letter(&LetterKey::of(id)).cloned().unwrap();
    assert_eq!(letter.reason, DeadReason::RecordUnreadable);
    assert_eq!(letter.detail, "its format is 9, this process reads up to 1");
    machine.restart();
    act(&mut machine, Act::Due);
    assert_eq!(machine.state.dead_letters(None, 9).letters, [letter], "once");

    act(&mut machine, Act::Revive(2));
    act(&mut machine, Act::Due);
    assert_eq!(machine.state.dead_letters(None, 9).total, 1, "it still cannot be read");
    assert_eq!(machine.disk[&name], later);
    act(&mut machine, Act::Discard(2));
    assert!(!machine.disk.contains_key(&name));
    assert_eq!(machine.held(), machine.disk);
}

#[test]
fn a_pointer_without_a_record_is_buried_unless_the_record_may_have_been_forgotten() {
    let mut machine = Machine::new();
    for number in [1, 2] {
        machine.commit(None, numbered(number, NOW), |item| everything(item, number, NOW));
    }
    for number in [1, 2] {
        machine.disk.remove(&Key::Verification(numbered(number, NOW).id).name());
    }
    machine.restart();
    let claim = Claim { lane: provider("twilio-eu"), worker: worker("w"), lease: seconds(6), max: 1 };
    let claimed = machine.step(|state, now, changes| state.claim(&claim, now, changes));
    assert_eq!(claimed, []);
    let letters = machine.state.dead_letters(None, 9).letters;
    let found: Vec<_> = letters.iter().map(|letter| (letter.verification, letter.reason)).collect();
    let expected = [1, 2].map(|number| (Some(numbered(number, NOW).id), DeadReason::RecordMissing));
    assert_eq!(found, expected);

    machine.commit(None, numbered(3, NOW), |item| everything(item, 3, NOW));
    machine.disk.remove(&Key::Verification(numbered(3, NOW).id).name());
    machine.restart();
    machine.now = NOW + Retention::default().ended;
    machine.step(|state, now, changes| state.claim(&claim, now, changes));
    assert_eq!(machine.state.dead_letters(None, 9).total, 2);
}

#[test]
fn there_are_only_so_many_letters_and_the_oldest_goes_first() {
    // What is on disk does not matter here, and sealing so many takes its time.
    let mut state = PartitionState::new(home(), Retention::default());
    let mut changes = Changes::default();
    let id = |number: usize| VerificationId::new(NOW, home(), (number as u64).to_be_bytes());
    for number in 0..=bounds::DEAD_LETTERS {
        let now = NOW + Duration::from_millis(number as u64);
        let next = Verification { id: id(number), ..fixture::verification(home(), NOW, vec![]) };
        let item = Commit {
            expected: None,
            next,
            effects: Vec::new(),
            due: None,
            nonce: Nonce(1),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        };
        assert_eq!(state.commit(item, now, &mut changes), CommitVerdict::Done);
        let burial = Burial { id: id(number), reason: DeadReason::HandlingFailed, detail: String::new() };
        assert!(state.bury(&burial, now, &mut changes));
    }
    assert_eq!(state.dead_letters(None, 0).total, bounds::DEAD_LETTERS as u64);
    assert_eq!(state.dead_letter(&LetterKey::of(id(0))), None);
    assert!(!state.load(id(0), NOW).unwrap().is_pending(), "it ended with its letter");
    assert!(state.load(id(1), NOW).unwrap().is_pending());
}

#[test]
fn a_finished_verification_is_within_its_budget() {
    let mut machine = Machine::new();
    let reference = otter_domain::ProviderReference::parse("SM0123456789abcdef0123456789abcdef").ok();
    let attempt = Attempt { reference, ..fixture::accepted(1, "twilio-eu", NOW) };
    let pending = fixture::verification(home(), NOW, vec![attempt]);
    let pending = fixture::planned(pending, fixture::typical_plan());
    machine.commit(None, pending.clone(), |_| {});
    let winner = RequestId::parse("5b0a3c0e-6c0f-4a53-9d5d-3f0f1f1a7b11").ok();
    let check = CheckSubmission { id: pending.id, request_id: winner, ..submission(1, 1) };
    machine.step(|state, now, changes| state.check(&check, now, changes));
    let length = machine.disk[&Key::Verification(pending.id).name()].len();
    assert!(length <= bounds::FINISHED, "{length} bytes");
}

#[test]
fn every_key_reads_its_own_name() {
    let machine = with_everything();
    for name in machine.disk.keys() {
        assert_eq!(Key::parse(name).unwrap().name(), *name);
    }
    for name in ["", "v:", "v:x", "lane:a", "lane:a:b", "ev:1:a:sms", "ev:1:a:sms:DE:x", "other:1"] {
        assert_eq!(Key::parse(name), None, "{name}");
    }
}

#[test]
fn shared_state_survives_and_goes() {
    let mut state = SharedState::default();
    state.take("tenant:shop", 1.0, 10, 4, NOW);
    state.post(Board::Breakers, "twilio-eu:sms:DE", vec![1], Some(seconds(60)), NOW);
    state.post(Board::Directives, "twilio-eu", vec![2], None, NOW);
    let mut restored = SharedState::default();
    for key in state.keys() {
        assert_eq!(SharedKey::parse(&key.name()), Some(key.clone()));
        restored.restore(&key.name(), &state.value(&key).unwrap()).unwrap();
    }
    assert_eq!(restored.take("tenant:shop", 1.0, 10, 9, NOW).granted, 6);
    assert_eq!(restored.read(Board::Breakers, NOW + seconds(59)).len(), 1);
    assert_eq!(restored.read(Board::Breakers, NOW + seconds(60)).len(), 0);

    assert_eq!(restored.sweep(1, NOW + seconds(60)).len(), 1, "no more than asked");
    assert_eq!(restored.sweep(10, NOW + seconds(60)).len(), 1);
    assert_eq!(restored.keys(), [SharedKey::Entry(Board::Directives, "twilio-eu".to_owned())]);
}
