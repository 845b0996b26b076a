//! Holds what callers and vendors were told, and what vendors received, against what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use otter_delivery::Reported;
use otter_domain::{
    AttemptNumber, CheckVerdict, CodePolicy, Ending, Moment, Origin, ReceiptStatus, State, VerificationId,
};

use crate::calls::{Answer, Asked, Call, Entered};
use crate::judge::Judge;
use crate::model::{Stand, Story, holds};
use crate::operations::{Body, Name};
use crate::town::Town;

/// How far the clock of a process may be behind the store's: as long as an answer takes.
const BEHIND: Duration = Duration::from_millis(50);

/// So many failed checks in a row make the next verification's checks wait (SEC-05).
const FAILURES_BEFORE_WAIT: usize = 5;

/// Everything at the end of a run.
pub(crate) fn pass(town: &Town, judge: &Judge) -> Result<(), String> {
    let calls = town.calls.lock().unwrap().clone();
    let stories = &judge.stories;
    for call in &calls {
        sensible(call, stories, &calls).map_err(|why| format!("{why}\n{call:?}"))?;
        let is_calm = call.ended.is_some_and(|ended| town.weather.was_calm(ended, ended));
        holds(!(is_calm && call.answer == Answer::Stalled), &format!("the store has not stalled\n{call:?}"))?;
    }
    sends(&calls, stories)?;
    for (id, story) in stories {
        let of = |why| format!("{id}: {why}\n{story:#?}");
        messages(town, *id, story).map_err(of)?;
        resends(*id, story, &calls).map_err(of)?;
        checks(*id, story, &calls).map_err(of)?;
        receipts(*id, story, &calls).map_err(of)?;
    }
    limits(town, &calls, stories)
}

/// Whether an answer by itself fits what happened.
fn sensible(call: &Call, stories: &BTreeMap<VerificationId, Story>, calls: &[Call]) -> Result<(), String> {
    let Some(answered_at) = call.ended else { return Ok(()) };
    match (&call.asked, &call.answer) {
        (_, Answer::Absurd(why)) => Err(format!("refused for no reason: {why}")),
        (Asked::Send { .. }, Answer::Sent { id, .. }) => {
            let story = stories.get(id).ok_or("accepted and not durable (promise 1)")?;
            holds(story.opened_at <= answered_at, "accepted before it was durable (promise 1)")
        }
        (Asked::Receipt { is_genuine, .. }, Answer::Reported(reported)) => holds(
            (*reported == Reported::Unknown) != *is_genuine,
            "a receipt was not found, or a forged one was",
        ),
        (Asked::Cancel { id } | Asked::Report { id, .. } | Asked::Look { id }, Answer::Seen(state)) => {
            seen(call, &stories[id], *state, answered_at)
        }
        (Asked::Check { id, .. }, Answer::Checked(verdict)) => {
            checked(call, *id, verdict, stories, calls, answered_at)
        }
        (Asked::Send { person, .. } | Asked::Resend { person, .. }, Answer::Uncheckable) => holds(
            misses_of(Some(*person), stories, calls) >= FAILURES_BEFORE_WAIT,
            "a code is not sent because of wrong ones that nobody typed (SEC-05)",
        ),
        (Asked::Send { .. } | Asked::Resend { .. }, Answer::NameReused) => {
            let others = calls.iter().filter(|other| other.began <= answered_at);
            let reused =
                others.filter(|other| name_of(other) == name_of(call) && question(other) != question(call));
            holds(reused.count() > 0, "another question under this name was never asked (promise 7)")
        }
        _ => Ok(()),
    }
}

fn seen(call: &Call, story: &Story, state: State, answered_at: Moment) -> Result<(), String> {
    match (state, &story.ended) {
        (State::Pending, Some(ended)) => {
            holds(ended.at >= call.began && matches!(call.asked, Asked::Look { .. }), "an end was forgotten")
        }
        (State::Pending, None) => holds(matches!(call.asked, Asked::Look { .. }), "it was not ended"),
        (State::Ended { how, at }, Some(ended)) => {
            holds(how == ended.how && at <= answered_at, "it ended otherwise")
        }
        (State::Ended { .. }, None) => Err("an end is not durable".into()),
    }
}

fn checked(
    call: &Call,
    id: VerificationId,
    verdict: &CheckVerdict,
    stories: &BTreeMap<VerificationId, Story>,
    calls: &[Call],
    answered_at: Moment,
) -> Result<(), String> {
    let story = &stories[&id];
    let ended = story.ended.as_ref();
    let during = |at: Moment| call.began <= at && at <= answered_at;
    match verdict {
        CheckVerdict::Verified { by, repeated } => {
            let ended = ended.filter(|ended| ended.how == Ending::Verified { by: *by });
            let ended = ended.ok_or("a success is not durable (promise 4)")?;
            holds(
                if *repeated { ended.at <= answered_at } else { during(ended.at) },
                "a success of another time",
            )
        }
        CheckVerdict::Wrong { remaining } => {
            let miss = story.misses.iter().find(|miss| miss.remaining == *remaining && during(miss.at));
            let miss = miss.ok_or("a wrong check was not counted (promise 4)")?;
            let Asked::Check { typed: Entered::Of(attempt), .. } = call.asked else { return Ok(()) };
            holds(!is_valid(&miss.valid, attempt, story), "a valid code was called wrong")
        }
        CheckVerdict::Ended(how) => {
            holds(ended.is_some_and(|ended| ended.how == *how), "refused by an end that never came")
        }
        CheckVerdict::Waiting { .. } => {
            let misses = misses_of(person_of(id, calls), stories, calls);
            holds(misses >= FAILURES_BEFORE_WAIT, "a check has to wait for no reason (SEC-05)")
        }
        CheckVerdict::Unknown => Err("an accepted verification is unknown (promise 1)".into()),
    }
}

/// Whether the code of an attempt was valid, by the codes that were. One code on all attempts tells none of them.
fn is_valid(valid: &[Option<AttemptNumber>], attempt: AttemptNumber, story: &Story) -> bool {
    let shares = story.codes() == CodePolicy::Same;
    valid.iter().any(|told| *told == Some(attempt) || shares)
}

/// How many wrong codes were counted for a person.
fn misses_of(person: Option<usize>, stories: &BTreeMap<VerificationId, Story>, calls: &[Call]) -> usize {
    let own = stories.iter().filter(|(id, _)| person_of(**id, calls) == person);
    own.map(|(_, story)| story.misses.len()).sum()
}

/// The person of a verification that some caller knows.
fn person_of(id: VerificationId, calls: &[Call]) -> Option<usize> {
    calls.iter().find_map(|call| match (&call.asked, &call.answer) {
        (Asked::Send { person, .. }, Answer::Sent { id: sent, .. }) if *sent == id => Some(*person),
        _ => None,
    })
}

/// The name under which a call can be repeated: those of sends and resends share a person.
fn name_of(call: &Call) -> Option<(usize, Name)> {
    match call.asked {
        Asked::Send { person, name, .. } | Asked::Resend { person, name, .. } => {
            name.is_some().then_some((person, name))
        }
        Asked::Check { .. }
        | Asked::Cancel { .. }
        | Asked::Report { .. }
        | Asked::Look { .. }
        | Asked::Receipt { .. } => None,
    }
}

/// What is asked under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Send(Body),
    Resend(VerificationId),
}

fn question(call: &Call) -> Option<Question> {
    match call.asked {
        Asked::Send { body, .. } => Some(Question::Send(body)),
        Asked::Resend { id, .. } => Some(Question::Resend(id)),
        Asked::Check { .. }
        | Asked::Cancel { .. }
        | Asked::Report { .. }
        | Asked::Look { .. }
        | Asked::Receipt { .. } => None,
    }
}

fn is_lost(call: &Call) -> bool {
    call.answer == Answer::Unknown
}

fn is_done(call: &Call) -> bool {
    matches!(call.answer, Answer::Sent { .. } | Answer::Resent)
}

/// How many effects calls must have had and may have had: one each, and one in all under one name (promise 7). Calls at
/// the same time may be taken for one.
fn effects<'a>(calls: impl Iterator<Item = &'a Call>) -> (usize, usize) {
    let calls: Vec<_> = calls.filter(|call| is_done(call) || is_lost(call)).collect();
    let done = || calls.iter().filter(|call| is_done(call));
    let beside = |one: &Call, other: &Call| {
        one.began <= other.ended.unwrap_or(one.began) && Some(other.began) <= one.ended
    };
    let mut named: BTreeMap<(usize, Name), bool> = BTreeMap::new();
    let (mut least, mut most) = (0, 0);
    for call in &calls {
        match name_of(call) {
            Some(name) => *named.entry(name).or_default() |= is_done(call),
            None => {
                most += 1;
                // Beside itself only.
                let is_alone = done().filter(|other| beside(call, other)).count() == 1;
                least += usize::from(is_done(call) && is_alone);
            }
        }
    }
    least += named.values().filter(|is_done| **is_done).count();
    (least, most + named.len())
}

/// Repeats have the same answer, and nothing was accepted that nobody asked for.
fn sends(calls: &[Call], stories: &BTreeMap<VerificationId, Story>) -> Result<(), String> {
    let sends = || calls.iter().filter(|call| matches!(call.asked, Asked::Send { .. }));
    let (least, most) = effects(sends());
    let opened = stories.len();
    holds(
        (least..=most).contains(&opened),
        &format!("{opened} codes were accepted, not {least} to {most} (promise 7)"),
    )?;
    let mut fresh = BTreeSet::new();
    let mut answers: BTreeMap<(usize, Name), (Question, Answer)> = BTreeMap::new();
    for call in calls.iter().filter(|call| is_done(call)) {
        if let Answer::Sent { id, repeated: false } = call.answer {
            let is_first = fresh.insert(id);
            holds(is_first || name_of(call).is_some(), "one verification for two calls (promise 7)")?;
        }
        let (Some(name), Some(question)) = (name_of(call), question(call)) else { continue };
        let answer = if let Answer::Sent { id, .. } = call.answer {
            Answer::Sent { id, repeated: false }
        } else {
            call.answer.clone()
        };
        let first = answers.entry(name).or_insert_with(|| (question, answer.clone()));
        holds(
            *first == (question, answer),
            &format!("a repeat was answered otherwise (promise 7)\n{call:?}"),
        )?;
    }
    Ok(())
}

fn resends(id: VerificationId, story: &Story, calls: &[Call]) -> Result<(), String> {
    let asked = calls.iter().filter(|call| matches!(call.asked, Asked::Resend { id: of, .. } if of == id));
    let (least, most) = effects(asked);
    let resent = story.tries.iter().filter(|it| it.origin == Origin::Resend).count();
    holds((least..=most).contains(&resent), &format!("{resent} resends, not {least} to {most} (promise 7)"))
}

/// What vendors received, against the attempts that were booked.
fn messages(town: &Town, id: VerificationId, story: &Story) -> Result<(), String> {
    let requests = town.requests.lock().unwrap();
    let mut taken: BTreeMap<AttemptNumber, usize> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.id == id) {
        let it = story.tries.get(request.attempt.index()).ok_or("a message of no attempt")?;
        holds(it.provider == request.provider, "a message by another provider")?;
        holds(request.at < request.send_before + BEHIND, "a dead code was sent (promise 3)")?;
        holds(request.is_held, "what was not held any more was sent (DESIGN section 6)")?;
        *taken.entry(request.attempt).or_default() += usize::from(request.taken);
    }
    for (place, it) in story.tries.iter().enumerate() {
        let taken = taken.get(&AttemptNumber::at_index(place)).copied().unwrap_or_default();
        let fits = match it.stand {
            // Also if the vendor denies what it has reported on.
            Stand::Accepted => taken == 1,
            Stand::Ambiguous => taken <= 1,
            Stand::Ended(_) => taken == 0,
            // It ended while it was being sent, and its worker went away.
            Stand::Live => taken <= 1 && story.ended.is_some(),
        };
        holds(fits, &format!("{taken} messages of attempt {} (promise 6)", place + 1))?;
    }
    let credited = story.ended.as_ref().and_then(|ended| match ended.how {
        Ending::Verified { by } => by,
        Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled => None,
    });
    let recalls = town.recalls.lock().unwrap();
    let wrong = recalls.iter().any(|recall| recall.id == id && Some(recall.attempt) == credited);
    holds(!wrong || recalled_before(story), "the message that worked is taken back")
}

/// Whether the credited message may have been taken back before its code was typed in: another attempt followed it.
fn recalled_before(story: &Story) -> bool {
    story.tries.len() > 1
}

/// Every counted check is one that was asked for, and the one success was told to whoever asked for it.
fn checks(id: VerificationId, story: &Story, calls: &[Call]) -> Result<(), String> {
    let own =
        || calls.iter().filter(move |call| matches!(call.asked, Asked::Check { id: of, .. } if of == id));
    let told = |call: &&Call| matches!(call.answer, Answer::Checked(CheckVerdict::Wrong { .. }));
    let lost = own().filter(|call| is_lost(call)).count();
    let misses = story.misses.len();
    let answered = own().filter(told).count();
    holds(
        answered <= misses && misses <= answered + lost,
        "checks were counted that nobody made (promise 4)",
    )?;
    let wins = || {
        own().filter(|call| {
            matches!(call.answer, Answer::Checked(CheckVerdict::Verified { repeated: false, .. }))
        })
    };
    holds(wins().count() <= 1, "a code succeeded twice (promise 4)")?;
    let Some(ended) = &story.ended else { return Ok(()) };
    let reports = |way: bool| {
        calls.iter().any(|call| {
            matches!(call.asked, Asked::Report { id: of, verified } if of == id && verified == way)
                && call.began <= ended.at
        })
    };
    match ended.how {
        Ending::Verified { by } => {
            let is_right = |call: &&Call| match (by, &call.asked) {
                (Some(by), Asked::Check { typed: Entered::Of(attempt), .. }) => {
                    story.codes() == CodePolicy::Same || *attempt == by && is_valid(&ended.valid, by, story)
                }
                (None, Asked::Check { typed, .. }) => *typed != Entered::Wrong,
                _ => false,
            };
            let possible =
                own().filter(|call| call.began <= ended.at && (is_lost(call) || wins().next().is_some()));
            let won = possible.filter(is_right).count() > 0;
            holds(won || reports(true), "a success that nobody was told of (promise 4)")?;
            wins().next().map_or(Ok(()), |winner| repeats(winner, own()))
        }
        Ending::Cancelled => {
            let asked = calls.iter().any(|call| call.asked == Asked::Cancel { id } && call.began <= ended.at);
            holds(asked || reports(false), "nobody cancelled it")
        }
        Ending::Expired | Ending::Failed | Ending::Exhausted => Ok(()),
    }
}

/// Whoever repeats the check that won learns the same.
fn repeats<'a>(winner: &Call, own: impl Iterator<Item = &'a Call>) -> Result<(), String> {
    let (Asked::Check { name: Some(_), .. }, Some(won_at)) = (&winner.asked, winner.ended) else {
        return Ok(());
    };
    let mut again = own.filter(|call| call.asked == winner.asked && call.began > won_at && !is_lost(call));
    let same = again
        .all(|call| matches!(call.answer, Answer::Checked(CheckVerdict::Verified { repeated: true, .. })));
    holds(same, "the repeat of the check that won learnt something else (promise 4)")
}

/// The strongest report that was answered is the one that is kept.
fn receipts(id: VerificationId, story: &Story, calls: &[Call]) -> Result<(), String> {
    for (place, it) in story.tries.iter().enumerate() {
        let number = AttemptNumber::at_index(place);
        let reports = |is_answered: bool| {
            let own = calls.iter().filter_map(|call| {
                let Asked::Receipt { id: of, attempt, status, is_genuine: true, .. } = &call.asked else {
                    return None;
                };
                let counts = (*of, *attempt) == (id, number) && !(is_answered && is_lost(call));
                counts.then_some(*status)
            });
            own.map(ReceiptStatus::rank).max()
        };
        let kept = it.receipt.map(ReceiptStatus::rank);
        holds(reports(true) <= kept && kept <= reports(false), "a receipt was lost or made up (promise 8)")?;
    }
    Ok(())
}

/// No more was sent to anybody than is allowed.
fn limits(town: &Town, calls: &[Call], stories: &BTreeMap<VerificationId, Story>) -> Result<(), String> {
    let Some(rule) = town.rules.limit else { return Ok(()) };
    let mut sent: BTreeMap<usize, Vec<Moment>> = BTreeMap::new();
    for (id, story) in stories {
        let Some(person) = person_of(*id, calls) else { continue };
        let counted = story.tries.iter().filter(|it| it.origin != Origin::Failover).map(|it| it.queued_at);
        sent.entry(person).or_default().extend(counted);
    }
    for moments in sent.values_mut() {
        moments.sort();
        let reached = moments
            .windows(rule.max as usize + 1)
            .any(|some| some[0] + rule.window > some[rule.max as usize]);
        holds(!reached, "more was sent than is allowed")?;
    }
    Ok(())
}
