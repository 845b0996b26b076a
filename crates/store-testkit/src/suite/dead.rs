//! Dead letters: what nobody can work on is put aside and stops nothing else.

use std::time::Duration;

use otter_domain::{
    CheckVerdict, Effect, Ending, HappeningKind, JobKind, Moment, ReceiptStatus, State, Verification,
    VerificationId, Version,
};
use otter_store::{
    Burial, Commit, CommitVerdict, DeadLetter, DeadLetters, DeadReason, LetterKey, LetterPlace, MergeVerdict,
    Retention,
};

use crate::bench::{Bench, Setup};
use crate::fixture::{self, ended, nth, provider, seconds};
use crate::kit::{Kit, after, change, creation, report, submission};

impl<B: Bench> Kit<B> {
    async fn bury(&self, id: VerificationId, reason: DeadReason, detail: &str) -> bool {
        let burial = Burial { id, reason, detail: detail.to_owned() };
        self.store.bury(self.home, vec![burial]).await.unwrap().value.remove(0)
    }

    /// Buries for the usual reason.
    async fn fail(&self, id: VerificationId) -> bool {
        self.bury(id, DeadReason::HandlingFailed, "it failed 5 times").await
    }

    async fn dead(&self, after: Option<LetterPlace>, max: usize) -> DeadLetters {
        self.store.dead_letters(self.home, after, max).await.unwrap().value
    }

    async fn letter(&self, id: VerificationId) -> Option<DeadLetter> {
        self.store.dead_letter(self.home, &LetterKey::of(id)).await.unwrap().value
    }

    async fn revive(&self, id: VerificationId) -> bool {
        self.store.revive(self.home, &LetterKey::of(id)).await.unwrap().value
    }

    /// Discards; says how the verification ended with it, if it did, and `None` if there was no letter.
    async fn discard(&self, id: VerificationId) -> Option<Option<Ending>> {
        let discarded = self.store.discard(self.home, &LetterKey::of(id)).await.unwrap().value;
        discarded.map(|discarded| {
            discarded.ended.map(|(verification, how)| {
                assert_eq!(verification.id, id);
                how
            })
        })
    }

    /// Ends the engine and opens it again with a key ring that lacks the key of the fixture.
    async fn lose_key(&mut self) -> bool {
        let reopened = self.bench.reopen_with(fixture::other_sealer()).await;
        self.store = self.bench.store();
        reopened
    }

    /// Creates a verification with a timer.
    async fn timed(&self, verification: Verification, due: Moment) -> Verification {
        let item = Commit { due: Some(due), ..creation(&verification) };
        assert_eq!(self.commit(item).await, CommitVerdict::Done);
        verification
    }
}

pub async fn a_buried_verification_is_listed_with_its_reason<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let verification = kit.dispatch(kit.verification(vec![kit.queued(1, "poison")])).await;
    assert_eq!(kit.dead(None, 10).await, DeadLetters::default());
    assert!(kit.fail(verification.id).await);
    let first = kit.letter(verification.id).await.unwrap();
    let expected = DeadLetter {
        key: LetterKey::of(verification.id),
        verification: Some(verification.id),
        tenant: Some(verification.tenant.clone()),
        provider: Some(provider("poison")),
        attempt: Some(nth(1)),
        job: None,
        reason: DeadReason::HandlingFailed,
        detail: "it failed 5 times".to_owned(),
        since: first.since,
    };
    assert_eq!(first, expected);
    assert!(first.since >= kit.now);
    kit.bench.pass(Duration::from_millis(5)).await;
    assert!(kit.bury(verification.id, DeadReason::SealUnopened, &"x".repeat(900)).await);
    let again = kit.letter(verification.id).await.unwrap();
    assert_eq!(
        (again.since, again.reason),
        (first.since, DeadReason::SealUnopened),
        "the first moment stays"
    );
    assert_eq!(again.detail.len(), Burial::LONGEST_DETAIL);
    assert_eq!(kit.dead(None, 10).await, DeadLetters { letters: vec![again], total: 1 });
    assert_eq!(kit.dead(None, 0).await, DeadLetters { letters: vec![], total: 1 });
    assert!(!kit.fail(kit.verification(vec![]).id).await, "there is nothing to bury");
}

pub async fn what_is_over_is_not_buried<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let over = kit.create(kit.verification(vec![kit.accepted(1, "over")])).await;
    kit.check(submission(&over, 1)).await;
    assert!(!kit.fail(over.id).await);
    assert_eq!(kit.dead(None, 10).await.total, 0);
}

pub async fn a_buried_verification_is_left_alone_until_its_end<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let buried = kit.timed(kit.verification(vec![]), kit.now).await;
    let sound = kit.timed(kit.verification(vec![]), kit.now).await;
    assert!(kit.fail(buried.id).await);
    assert_eq!(kit.due(10).await, [sound.id]);
    if kit.bench.moves_clock() {
        kit.bench.pass(seconds(299)).await;
        assert!(!kit.due(10).await.contains(&buried.id));
        kit.bench.pass(seconds(1)).await;
        assert!(kit.due(10).await.contains(&buried.id), "it ends like any other");
    }
    let past = fixture::verification(kit.home, kit.now - seconds(400), vec![]);
    let past = kit.timed(past, kit.now).await;
    assert!(kit.fail(past.id).await);
    assert!(!kit.due(10).await.contains(&past.id), "its end failed as well");
}

pub async fn a_buried_code_is_checked_and_reads_as_expired_in_time<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let attempts = vec![kit.accepted(1, "checked")];
    let [right, wrong] = [kit.verification(attempts.clone()), kit.verification(attempts)];
    let (right, wrong) = (kit.timed(right, kit.now).await, kit.timed(wrong, kit.now).await);
    if kit.lose_key().await {
        assert_eq!(kit.due(10).await, []);
        let letter = kit.letter(right.id).await.unwrap();
        assert_eq!(letter.reason, DeadReason::SealUnopened);
        assert_eq!(letter.detail, "it is sealed with key 1, which is not configured");
        let seen = kit.load(right.id).await.unwrap();
        assert_eq!(seen, Verification { private: None, ..right.clone() }, "all but the sealed part is read");
    } else {
        assert!(kit.fail(right.id).await && kit.fail(wrong.id).await);
    }
    let left = kit.verdict(submission(&wrong, 99)).await;
    assert_eq!(left, CheckVerdict::Wrong { remaining: 4 });
    let verdict = kit.verdict(submission(&right, 1)).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(nth(1)), repeated: false });
    let seen = kit.load(wrong.id).await.unwrap();
    assert!(matches!(seen.state_at(seen.expires_at), State::Ended { how: Ending::Expired, .. }));
    assert_eq!(kit.discard(right.id).await, Some(None), "it had ended");
}

pub async fn a_job_whose_seal_does_not_open_stops_no_other<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let poison = kit.dispatch(kit.verification(vec![kit.queued(1, "lane")])).await;
    if !kit.lose_key().await {
        return;
    }
    let sound = kit.dispatch(kit.verification(vec![kit.queued(1, "lane")])).await;
    let claimed = kit.claim("lane", 10).await;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [sound.id]);
    let letter = kit.letter(poison.id).await.unwrap();
    assert_eq!((letter.reason, letter.job), (DeadReason::SealUnopened, Some(JobKind::Send)));
    assert_eq!((letter.provider, letter.attempt), (Some(provider("lane")), Some(nth(1))));
    let stored = kit.load(poison.id).await.unwrap();
    assert_eq!(stored, Verification { private: None, ..poison }, "the attempt was not begun");
}

pub async fn a_receipt_of_a_buried_verification_is_merged_with_others<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let mut kit = Kit::open(open).await;
    let poison = kit.create(kit.verification(vec![kit.accepted(1, "report")])).await;
    if !kit.lose_key().await {
        return;
    }
    let sound = kit.create(kit.verification(vec![kit.accepted(1, "report")])).await;
    let delivered = |of: &Verification| report(of, 1, &provider("report"), ReceiptStatus::Delivered);
    let reports = vec![delivered(&poison), delivered(&sound)];
    let merged = kit.store.merge(kit.home, reports).await.unwrap().value;
    let ids: Vec<_> = merged
        .into_iter()
        .map(|verdict| match verdict {
            MergeVerdict::Advanced { verification, .. } => (verification.id, verification.private.is_some()),
            MergeVerdict::Unknown | MergeVerdict::Stale { .. } => panic!("not news: {verdict:?}"),
        })
        .collect();
    assert_eq!(ids, [(poison.id, false), (sound.id, true)]);
}

pub async fn an_end_needs_nothing_that_is_sealed<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let past = fixture::verification(kit.home, kit.now - seconds(400), vec![]);
    let past = kit.timed(past, kit.now).await;
    if !kit.lose_key().await {
        return;
    }
    let due = kit.store.due(kit.home, 10).await.unwrap().value;
    assert_eq!(due, [Verification { private: None, ..past.clone() }]);
    let over = Verification { slots: Vec::new(), ..ended(past.clone(), Ending::Expired, kit.now) };
    assert_eq!(kit.commit(change(&over)).await, CommitVerdict::Done);
    assert_eq!(kit.load(past.id).await.unwrap().private, None);
    assert_eq!(kit.dead(None, 10).await.total, 0);
}

pub async fn a_revived_job_stands_on_its_lane_again<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let poison = kit.dispatch(kit.verification(vec![kit.queued(1, "again")])).await;
    if kit.lose_key().await {
        assert_eq!(kit.claim("again", 1).await, []);
        assert!(kit.reopen().await);
    } else {
        assert!(kit.fail(poison.id).await);
    }
    kit.bench.pass(Duration::from_millis(20)).await;
    let before = kit.store.now().await.unwrap();
    assert!(kit.revive(poison.id).await);
    let revived = kit.load(poison.id).await.unwrap();
    let otter_domain::Phase::Queued { withdraw_at } = revived.attempts[0].phase else {
        panic!("{revived:?}")
    };
    assert!(withdraw_at >= before + seconds(5), "it waits afresh");
    assert_eq!((revived.version, revived.private.is_some()), (Version(2), true));
    let claimed = kit.claim("again", 10).await;
    assert_eq!(claimed.len(), 1, "once, although its pointer may be there twice");
    assert_eq!((claimed[0].verification.id, claimed[0].attempt), (poison.id, nth(1)));
    assert_eq!(kit.letter(poison.id).await, None);
    assert!(!kit.revive(poison.id).await && kit.discard(poison.id).await.is_none());
}

pub async fn a_revived_verification_is_due_at_once<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let waiting = kit.timed(kit.verification(vec![kit.accepted(1, "waits")]), kit.now + seconds(30)).await;
    assert!(kit.fail(waiting.id).await);
    assert!(kit.revive(waiting.id).await);
    assert_eq!(kit.due(10).await, [waiting.id]);
    assert_eq!(kit.load(waiting.id).await, Some(waiting), "nothing else changed");
}

pub async fn what_still_does_not_open_is_buried_again<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let poison = kit.timed(kit.verification(vec![kit.accepted(1, "still")]), kit.now).await;
    if !kit.lose_key().await {
        return;
    }
    for _ in 0..2 {
        assert_eq!(kit.due(10).await, []);
        assert!(kit.revive(poison.id).await);
    }
    assert_eq!(kit.dead(None, 10).await.total, 0);
}

pub async fn a_discarded_verification_fails_and_nothing_private_is_left<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let buried = kit.dispatch(kit.verification(vec![kit.queued(1, "dropped")])).await;
    let start = kit.tail().await;
    assert!(kit.fail(buried.id).await);
    assert_eq!(kit.discard(buried.id).await, Some(Some(Ending::Failed)));
    let over = kit.load(buried.id).await.unwrap();
    assert!(matches!(over.state, State::Ended { how: Ending::Failed, .. }), "{over:?}");
    assert_eq!((over.private, over.slots.len(), over.version), (None, 0, Version(2)));
    let events: Vec<_> = kit.events_after(&start).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(events, [HappeningKind::Ended { how: Ending::Failed, because: None }]);
    assert_eq!(kit.verdict(submission(&buried, 1)).await, CheckVerdict::Ended(Ending::Failed));
    assert_eq!((kit.claim("dropped", 10).await, kit.due(10).await), (vec![], vec![]));
    assert_eq!(kit.discard(buried.id).await, None);
    assert!(!kit.revive(buried.id).await);
    assert_eq!(kit.commit(change(&buried)).await, CommitVerdict::Conflict, "whoever decided before it");
}

pub async fn a_discard_past_the_deadline_is_an_expiry<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let past = fixture::verification(kit.home, kit.now - seconds(400), vec![]);
    let past = kit.timed(past, kit.now).await;
    assert!(kit.fail(past.id).await);
    assert_eq!(kit.discard(past.id).await, Some(Some(Ending::Expired)));
}

pub async fn a_letter_that_nobody_decides_on_is_discarded_after_its_retention<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let retention = Retention { dead: Duration::from_millis(60), ..Retention::default() };
    let kit = Kit::open_with(open, retention).await;
    let buried = kit.create(kit.verification(vec![])).await;
    assert!(kit.fail(buried.id).await);
    kit.bench.pass(Duration::from_millis(60)).await;
    kit.due(10).await;
    assert_eq!(kit.dead(None, 10).await.total, 0);
    let over = kit.load(buried.id).await.unwrap();
    assert!(!over.is_pending() && over.private.is_none(), "no number stays for ever");
}

pub async fn a_commit_that_goes_on_takes_the_letter_back<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let [goes_on, ends] =
        [kit.create(kit.verification(vec![])).await, kit.create(kit.verification(vec![])).await];
    assert!(kit.fail(goes_on.id).await && kit.fail(ends.id).await);
    let touched = Commit { due: Some(kit.now), ..change(&goes_on) };
    assert_eq!(kit.commit(touched).await, CommitVerdict::Done, "burying is no new version");
    assert_eq!(kit.letter(goes_on.id).await, None);
    assert_eq!(kit.due(10).await, [goes_on.id]);
    let over = ended(ends.clone(), Ending::Cancelled, kit.now);
    assert_eq!(kit.commit(change(&over)).await, CommitVerdict::Done);
    assert!(kit.letter(ends.id).await.is_some(), "that it was poison is still worth knowing");
    assert_eq!(kit.discard(ends.id).await, Some(None));
    assert_eq!(kit.load(ends.id).await, Some(after(&over)));
}

pub async fn a_commit_decided_without_what_is_private_leaves_it<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let whole = kit.create(kit.verification(vec![])).await;
    let part = Verification { private: None, budget: 9, ..whole.clone() };
    assert_eq!(kit.commit(change(&part)).await, CommitVerdict::Done);
    assert_eq!(kit.load(whole.id).await, Some(Verification { budget: 9, ..after(&whole) }));
}

pub async fn letters_are_read_in_pages_oldest_first<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let mut expected = Vec::new();
    for round in 0..3 {
        // Those of one call have one moment and come in the order of their keys.
        let mut burials = Vec::new();
        for _ in 0..3 {
            let id = kit.create(kit.verification(vec![])).await.id;
            let detail = format!("round {round}");
            burials.push(Burial { id, reason: DeadReason::HandlingFailed, detail });
        }
        let mut keys: Vec<_> = burials.iter().map(|burial| LetterKey::of(burial.id)).collect();
        kit.store.bury(kit.home, burials).await.unwrap();
        keys.sort();
        expected.extend(keys);
        kit.bench.pass(Duration::from_millis(3)).await;
    }
    let mut read = Vec::new();
    let mut place = None;
    loop {
        let page = kit.dead(place, 2).await;
        assert_eq!(page.total, 9);
        let Some(last) = page.letters.last() else { break };
        place = Some((last.since, last.key.clone()));
        read.extend(page.letters.into_iter().map(|letter| letter.key));
    }
    assert_eq!(read, expected);
}

pub async fn letters_survive_the_engine<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let buried = kit.dispatch(kit.verification(vec![kit.queued(1, "kept")])).await;
    let goes_on = kit.create(kit.verification(vec![])).await;
    assert!(kit.fail(buried.id).await && kit.fail(goes_on.id).await);
    let letter = kit.letter(buried.id).await;
    if !kit.reopen().await {
        return;
    }
    assert_eq!(kit.letter(buried.id).await, letter);
    assert_eq!(kit.dead(None, 10).await.total, 2);
    let opened = Effect::Publish(HappeningKind::Opened);
    kit.commit(Commit { effects: vec![opened], ..change(&goes_on) }).await;
    assert_eq!(kit.dead(None, 10).await.total, 1);
    assert!(kit.revive(buried.id).await);
    assert_eq!(kit.claim("kept", 10).await.len(), 1);
}

pub async fn a_race_of_retries_and_drops_has_one_winner<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    for _ in 0..8 {
        let buried = kit.create(kit.verification(vec![kit.queued(1, "race")])).await;
        assert!(kit.fail(buried.id).await);
        let (revived, discarded) = tokio::join!(kit.revive(buried.id), kit.discard(buried.id));
        assert!(revived != discarded.is_some(), "{revived} and {discarded:?}");
        let item = kit.load(buried.id).await.unwrap();
        assert_eq!(item.is_pending(), revived);
    }
}
