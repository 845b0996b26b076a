//! A ledger that finds nothing wrong proves something only if it finds what is.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use otter_contract::v1::{
    Attempt, AttemptAccepted, AttemptAmbiguous, AttemptEnded, AttemptOrigin, AttemptQueued, CheckOutcome,
    Event, VerificationEnded, VerificationOpened, event,
};
use otter_domain::{Channel, Secret};
use otter_sandbox_vendor::Handling;

use super::*;
use crate::visit::Check;

const ID: &str = "0190f2c5-a7b1-7003-9d2e-4f5a6b7c8d9e";
const NUMBER: &str = "+4915110010000";
const START: Moment = Moment::from_millis(1_700_000_000_000);

fn after(millis: u64) -> Moment {
    START + Duration::from_millis(millis)
}

fn timestamp(moment: Moment) -> Timestamp {
    let millis = i64::try_from(moment.as_millis()).unwrap();
    let nanos = i32::try_from(millis % 1000).unwrap() * 1_000_000;
    Timestamp { seconds: millis / 1000, nanos }
}

fn attempt(number: u32, state: AttemptState) -> Attempt {
    Attempt {
        number,
        state: state.into(),
        origin: AttemptOrigin::Failover.into(),
        queue_time: Some(timestamp(after(u64::from(number) * 10))),
        claim_time: Some(timestamp(after(u64::from(number) * 10 + 1))),
        tries: 1,
        ..Attempt::default()
    }
}

fn received(attempt: u32, at: u64) -> Received {
    Received {
        at: after(at),
        account: "alpha".to_owned(),
        channel: Channel::Sms,
        number: Secret::new(NUMBER),
        message_id: Some(message_id(ID, attempt)),
        text: Secret::new("000000 is your code"),
        handling: Handling::Taken,
    }
}

fn event(kind: event::Kind) -> Event {
    Event { kind: Some(kind), event_time: Some(timestamp(after(6_000))), ..Event::default() }
}

fn queued(attempt: u32) -> Event {
    event(event::Kind::AttemptQueued(AttemptQueued { attempt, ..AttemptQueued::default() }))
}

fn accepted(attempt: u32) -> Event {
    event(event::Kind::AttemptAccepted(AttemptAccepted { attempt, ..AttemptAccepted::default() }))
}

fn ambiguous(attempt: u32) -> Event {
    event(event::Kind::AttemptAmbiguous(AttemptAmbiguous {
        attempt,
        error_class: "unknown".to_owned(),
        ..AttemptAmbiguous::default()
    }))
}

fn unsent_in_the_end(attempt: u32) -> Event {
    event(event::Kind::AttemptEnded(AttemptEnded { attempt, ..AttemptEnded::default() }))
}

fn ended(state: VerificationState) -> Event {
    event(event::Kind::VerificationEnded(VerificationEnded {
        state: state.into(),
        ..VerificationEnded::default()
    }))
}

fn check(request_id: &str, outcome: CheckOutcome) -> Check {
    Check { request_id: request_id.to_owned(), is_right: true, outcome: Some(outcome) }
}

/// One person who got one message and typed its code.
fn sound() -> Ledger {
    let verification = Verification {
        id: ID.to_owned(),
        state: VerificationState::Verified.into(),
        expire_time: Some(timestamp(after(60_000))),
        attempts: vec![attempt(1, AttemptState::Accepted)],
        ..Verification::default()
    };
    let told = Told {
        number: NUMBER.to_owned(),
        ids: vec![ID.to_owned()],
        accepted: Some((START, Duration::from_millis(5))),
        expires_at: after(60_000),
        checks: vec![check("check", CheckOutcome::Verified)],
        ..Told::default()
    };
    let opened = event(event::Kind::VerificationOpened(VerificationOpened {}));
    let story = vec![opened, queued(1), accepted(1), ended(VerificationState::Verified)];
    Ledger {
        told: vec![told],
        finals: BTreeMap::from([(ID.to_owned(), Some(verification))]),
        journal: vec![received(1, 20)],
        stories: BTreeMap::from([(ID.to_owned(), story)]),
        open: BTreeSet::new(),
        blows: Vec::new(),
        read_at: after(10_000),
    }
}

fn verification(ledger: &mut Ledger) -> &mut Verification {
    ledger.finals.get_mut(ID).unwrap().as_mut().unwrap()
}

fn story(ledger: &mut Ledger) -> &mut Vec<Event> {
    ledger.stories.get_mut(ID).unwrap()
}

/// One person whose first message was followed by a second.
fn with_a_second_message(first: AttemptState) -> Ledger {
    let mut ledger = sound();
    verification(&mut ledger).attempts = vec![attempt(1, first), attempt(2, AttemptState::Accepted)];
    ledger.journal.push(received(2, 30));
    story(&mut ledger).insert(3, queued(2));
    story(&mut ledger).insert(4, accepted(2));
    ledger
}

#[track_caller]
fn finds(expected: &[BreachKind], doctor: impl FnOnce(&mut Ledger)) {
    let mut ledger = sound();
    doctor(&mut ledger);
    assert_kinds(&ledger, expected);
}

#[track_caller]
fn assert_kinds(ledger: &Ledger, expected: &[BreachKind]) {
    let found: Vec<_> = ledger.judge().breaches.into_iter().map(|breach| breach.kind).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_sound_run_is_found_sound_and_counted() {
    let judgement = sound().judge();
    judgement.assert_sound();
    let figures = judgement.figures;
    assert_eq!((figures.accepted, figures.verified, figures.messages, figures.attempts), (1, 1, 1, 1));
}

#[test]
fn an_accepted_code_that_nobody_knows_is_lost() {
    finds(&[BreachKind::Lost], |ledger| {
        ledger.finals.insert(ID.to_owned(), None);
    });
    let mut ledger = sound();
    ledger.finals.insert(ID.to_owned(), None);
    assert_eq!((ledger.judge().figures.lost, ledger.judge().figures.sum_of_states()), (1, 0));
}

#[test]
fn a_second_success_is_found_and_the_repeat_of_the_first_is_none() {
    let again = |name| {
        move |ledger: &mut Ledger| {
            ledger.told[0].checks.push(check(name, CheckOutcome::Verified));
        }
    };
    finds(&[], again("check"));
    finds(&[BreachKind::SecondSuccess], again("another"));
    finds(&[BreachKind::SecondSuccess], again(""));
}

#[test]
fn answers_must_agree_with_what_is_stored() {
    finds(&[BreachKind::AnsweredTwice], |ledger| ledger.told[0].ids.push("another".to_owned()));
    finds(&[BreachKind::CancellationForgotten], |ledger| ledger.told[0].is_cancelled = true);
    finds(&[BreachKind::SuccessFromNowhere], |ledger| ledger.told[0].checks.clear());
    finds(&[BreachKind::SuccessForgotten], |ledger| {
        verification(ledger).state = VerificationState::Expired.into();
        story(ledger)[3] = ended(VerificationState::Expired);
    });
    finds(&[BreachKind::RightCodeRefused], |ledger| {
        ledger.told[0].checks.insert(0, check("first", CheckOutcome::WrongCode));
    });
}

#[test]
fn a_message_needs_an_attempt_that_may_have_been_sent() {
    finds(&[BreachKind::Unbooked], |ledger| ledger.journal.push(received(2, 40)));
    finds(&[BreachKind::AcceptedButNeverSent(1)], |ledger| ledger.journal.clear());
    finds(&[BreachKind::SentButBookedAsUnsent(1)], |ledger| {
        verification(ledger).attempts[0].state = AttemptState::Withdrawn.into();
    });
    finds(&[BreachKind::SentMoreThanBegun(1), BreachKind::SentTwice(1)], |ledger| {
        ledger.journal.push(received(1, 40));
    });
    finds(&[BreachKind::SentTwice(1)], |ledger| {
        verification(ledger).attempts[0].tries = 2;
        ledger.journal.push(Received { handling: Handling::Repeated, ..received(1, 40) });
    });
}

#[test]
fn a_second_message_needs_an_ambiguous_attempt_or_silence_or_a_wish() {
    let mut ledger = with_a_second_message(AttemptState::Accepted);
    assert_kinds(&ledger, &[BreachKind::ExtraMessage(2)]);
    verification(&mut ledger).attempts[1].origin = AttemptOrigin::Resend.into();
    assert_kinds(&ledger, &[]);
    verification(&mut ledger).attempts[1].origin = AttemptOrigin::Failover.into();
    verification(&mut ledger).attempts[1].queue_time = Some(timestamp(after(5_011)));
    assert_kinds(&ledger, &[]);

    // What was asked for could not be sent, and the next candidate went in its place.
    let mut ledger = with_a_second_message(AttemptState::Accepted);
    let mut unsent = attempt(2, AttemptState::Unroutable);
    unsent.origin = AttemptOrigin::Resend.into();
    let last = attempt(3, AttemptState::Accepted);
    verification(&mut ledger).attempts.splice(1.., [unsent, last]);
    story(&mut ledger).splice(4..5, [unsent_in_the_end(2), queued(3), accepted(3)]);
    ledger.journal[1] = received(3, 30);
    assert_kinds(&ledger, &[]);

    let mut ledger = with_a_second_message(AttemptState::Ambiguous);
    story(&mut ledger)[2] = ambiguous(1);
    assert_kinds(&ledger, &[]);
    assert_eq!((ledger.judge().figures.extra_after_ambiguous, ledger.judge().figures.ambiguous), (1, 1));
}

#[test]
fn a_code_that_comes_too_late_to_be_of_use_is_dead() {
    finds(&[], |ledger| ledger.journal[0].at = after(50_000));
    finds(&[BreachKind::DeadCode(1)], |ledger| ledger.journal[0].at = after(55_000));
}

#[test]
fn a_worker_that_wakes_must_not_send_what_was_declared_lost() {
    let mut ledger = with_a_second_message(AttemptState::Ambiguous);
    story(&mut ledger)[2] = ambiguous(1);
    ledger.journal[0].at = after(7_900);
    assert_kinds(&ledger, &[]);
    ledger.journal[0].at = after(8_100);
    assert_kinds(&ledger, &[BreachKind::SentAfterLoss(1)]);
}

#[test]
fn attempts_live_one_after_the_other_and_not_beyond_the_end() {
    let mut ledger = with_a_second_message(AttemptState::Ambiguous);
    story(&mut ledger).remove(2);
    assert_kinds(&ledger, &[BreachKind::TwoLive(2)]);
    finds(&[BreachKind::LiveAfterTheEnd(1)], |ledger| {
        verification(ledger).attempts[0].state = AttemptState::Claimed.into();
        verification(ledger).end_time = Some(timestamp(after(100)));
        ledger.read_at = after(21_000);
    });
    // While nobody could be accepted nothing could be booked either.
    let left_over_an_outage = |read_at: u64| {
        move |ledger: &mut Ledger| {
            verification(ledger).attempts[0].state = AttemptState::Claimed.into();
            verification(ledger).end_time = Some(timestamp(after(100)));
            let accepted = Some((after(14_000), Duration::from_millis(5)));
            ledger.told.push(Told { accepted, ..Told::default() });
            ledger.read_at = after(read_at);
        }
    };
    finds(&[], left_over_an_outage(33_000));
    finds(&[BreachKind::LiveAfterTheEnd(1)], left_over_an_outage(35_000));
    finds(&[BreachKind::Overdue], |ledger| {
        verification(ledger).state = VerificationState::Pending.into();
        ledger.told[0].checks.clear();
        ledger.read_at = after(63_000);
        story(ledger).pop();
    });
}

#[test]
fn what_is_published_must_be_what_is_stored() {
    finds(&[BreachKind::EndedTwice], |ledger| {
        story(ledger).push(ended(VerificationState::Verified));
    });
    finds(&[BreachKind::StoryDiffers("it ended as [Expired], and is Verified".to_owned())], |ledger| {
        story(ledger)[3] = ended(VerificationState::Expired);
    });
    let differs = "opened 1 times, 0 attempts queued, 1 stored".to_owned();
    finds(&[BreachKind::StoryDiffers(differs)], |ledger| drop(story(ledger).remove(1)));
}

#[test]
fn the_time_from_a_workers_death_to_the_declaration_is_measured() {
    use crate::fleet::{BlowKind, Role};

    let mut ledger = with_a_second_message(AttemptState::Ambiguous);
    story(&mut ledger)[2] = ambiguous(1);
    let blow = |at, role| Blow { at: after(at), role, place: 0, kind: BlowKind::Killed };
    ledger.blows = vec![blow(15, Role::Api), blow(1_000, Role::Worker), blow(2_000, Role::Worker)];
    let figures = ledger.judge().figures;
    assert_eq!((figures.leases_lost, figures.declared_within, figures.kills), (1, 5_000, 3));
}
