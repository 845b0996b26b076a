//! Holds what the store says against the reference while a run goes on.

use std::collections::BTreeMap;

use otter_decision::lifecycle::next_due;
use otter_domain::{
    Ending, HappeningKind, Measure, Moment, Partition, Phase, ProviderName, State, Verification,
    VerificationId,
};
use otter_store::{Events, Position, Store};

use crate::model::{Stand, Story, holds};
use crate::town::Town;

/// How late a timer may fire, and the end of a verification be written down, while everything works (promise 2).
const LATE: std::time::Duration = std::time::Duration::from_secs(1);

/// What is known of all verifications of a run.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) stories: BTreeMap<VerificationId, Story>,
    read_to: Vec<(Partition, Position)>,
}

impl Judge {
    pub(crate) fn new(town: &Town) -> Self {
        let start = |home| (home, Position("0".repeat(20)));
        Self { stories: BTreeMap::new(), read_to: town.memory.partitions().all().map(start).collect() }
    }

    /// Reads what happened and compares it with what is written down. Says whether everything has come to rest.
    pub(crate) async fn look(&mut self, town: &Town) -> Result<bool, String> {
        self.hear(town).await?;
        let mut is_at_rest = true;
        for (id, story) in &self.stories {
            let home = id.partition(town.memory.partitions()).expect("the store gave it out");
            let loaded = town.memory.load(home, vec![*id]).await.expect("memory answers");
            let verification = loaded.value.into_iter().flatten().next();
            let verification = verification.ok_or_else(|| format!("{id} is lost (promise 1)"))?;
            agree(story, &verification).map_err(|why| format!("{id}: {why}\n{verification:#?}"))?;
            on_time(town, story, &verification).map_err(|why| format!("{id}: {why}\n{verification:#?}"))?;
            is_at_rest &= !verification.is_pending() && verification.private.is_none();
        }
        Ok(is_at_rest)
    }

    async fn hear(&mut self, town: &Town) -> Result<(), String> {
        for (home, read_to) in &mut self.read_to {
            let read =
                town.memory.events(*home, Some(read_to.clone()), 10_000).await.expect("memory answers");
            let Events::Read { events, next } = read.value else { return Err("events are gone".into()) };
            *read_to = next;
            for (_, happening) in events {
                let id = happening.verification;
                town.note_at(happening.at, format!("    {id}: {:?}", happening.kind));
                if happening.kind == HappeningKind::Opened {
                    let story = Story::opened(town.rules.policy.codes, town.rules.budget, happening.at);
                    let before = self.stories.insert(id, story);
                    holds(before.is_none(), &format!("{id} was opened twice"))?;
                    continue;
                }
                let story = self.stories.get_mut(&id).ok_or_else(|| format!("{id} was not opened"))?;
                story.hears(&happening).map_err(|why| format!("{id}: {why}"))?;
            }
        }
        Ok(())
    }

    /// Compares what was counted with what happened (every outcome once).
    pub(crate) async fn evidence(&self, town: &Town) -> Result<(), String> {
        let mut counted: BTreeMap<(ProviderName, String), u64> = BTreeMap::new();
        for home in town.memory.partitions().all() {
            for cell in town.memory.evidence(home, Moment::EPOCH).await.expect("memory answers").value {
                for (measure, count) in cell.counts {
                    *counted.entry((cell.segment.provider.clone(), word(measure))).or_default() += count;
                }
            }
        }
        let mut happened = BTreeMap::new();
        for (of, count) in self.stories.values().flat_map(|story| &story.evidence) {
            *happened.entry(of.clone()).or_default() += count;
        }
        holds(counted == happened, &format!("counted {counted:?}, but there happened {happened:?}"))
    }
}

fn word(measure: Measure) -> String {
    match measure {
        Measure::Accepted => "a".into(),
        Measure::Failed(class) => format!("f:{class}"),
        Measure::Delivered(_) => "d".into(),
        Measure::Undelivered => "u".into(),
        Measure::Verified(_) => "v".into(),
        Measure::Uncredited => "n".into(),
        Measure::Skipped => "s".into(),
    }
}

/// Whether the record is what its events say.
fn agree(story: &Story, verification: &Verification) -> Result<(), String> {
    let told = story.ended.as_ref().map(|ended| (ended.how, ended.at));
    let written = match verification.state {
        State::Pending => None,
        State::Ended { how, at } => Some((how, at)),
    };
    // An end is decided before it is booked.
    let fits = match (told, written) {
        (Some((told, booked_at)), Some((written, at))) => told == written && at <= booked_at,
        (told, written) => told == written,
    };
    holds(fits, &format!("the events say {told:?}, the record {written:?}"))?;
    holds(verification.created_at <= story.opened_at, "it was opened before it was made")?;
    let misses = story.misses.len();
    let checks = usize::from(verification.checks);
    let verified = matches!(written, Some((Ending::Verified { .. }, _)));
    holds(checks == misses || verified && checks == misses + 1, "checks were miscounted (promise 4)")?;
    holds(verification.attempts.len() == story.tries.len(), "an attempt is not what was told")?;
    let live = verification.attempts.iter().filter(|attempt| attempt.is_live()).count();
    holds(live <= 1, "two attempts are live (promise 5)")?;
    for (attempt, it) in verification.attempts.iter().zip(&story.tries) {
        let stand = match &attempt.phase {
            Phase::Queued { .. } | Phase::Claimed { .. } | Phase::Retrying { .. } => Stand::Live,
            Phase::Accepted { .. } => Stand::Accepted,
            Phase::Ambiguous { .. } => Stand::Ambiguous,
            Phase::Ended { how, .. } => Stand::Ended(*how),
        };
        let same = (&attempt.provider, attempt.channel, stand) == (&it.provider, it.channel, it.stand);
        holds(same, &format!("attempt {} is not what was told: {it:?}", attempt.number))?;
        let receipt = attempt.receipt.map(|receipt| receipt.status);
        holds(receipt == it.receipt, "a receipt is not what was told (promise 8)")?;
        holds(attempt.queued_at < verification.send_before, "a dead code was queued (promise 3)")?;
    }
    if let Some((how, at)) = written {
        holds(verification.slots.is_empty(), "a code outlives the end")?;
        let code = verification.private.as_ref().and_then(|private| private.code.as_ref());
        holds(code.is_none(), "a code outlives the end")?;
        holds(
            (how == Ending::Expired) == (at >= verification.expires_at),
            "it ended as it could not (promise 2)",
        )?;
    }
    Ok(())
}

/// Whether nobody who should have looked at it has not.
fn on_time(town: &Town, story: &Story, verification: &Verification) -> Result<(), String> {
    let now = town.now();
    // What is booked late is due at once.
    let due = next_due(verification, &town.rules.policy, now).filter(|_| !story.has_turned_good);
    let due = due.map(|due| due.max(story.last_at));
    if let Some(due) = due.filter(|due| *due + LATE < now && town.weather.was_calm(*due, now)) {
        return Err(format!("nobody looked at it for {:?} (promise 2)", due.until(now)));
    }
    match verification.state {
        State::Ended { how: Ending::Expired, at } if town.weather.was_calm(verification.expires_at, at) => {
            let late = verification.expires_at.until(at);
            holds(late <= LATE, &format!("its end was written down {late:?} late (promise 2)"))
        }
        State::Ended { .. } | State::Pending => Ok(()),
    }
}
