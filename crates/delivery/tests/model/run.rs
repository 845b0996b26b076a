//! One run: operations, then time to come to rest, then the verdict.

use std::cell::RefCell;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::acts::Operator;
use crate::chance::Chance;
use crate::judge::Judge;
use crate::operations::{self, Operation};
use crate::town::Town;
use crate::verdict;
use crate::way::Broken;

/// How long everything may take to come to rest: the longest life of a code, and what has to be taken back then.
const REST: usize = 120;

/// How often the store is looked at meanwhile.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) history: Vec<String>,
}

thread_local! {
    /// Where this thread panicked: the runtime catches panics of tasks.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs the operations of a seed that are wanted, by their places. Returns what happened, line by line.
pub(crate) fn run(
    seed: u64,
    broken: Broken,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<Vec<String>, Failure> {
    watch_panics();
    let chance = Chance::new(seed);
    let operations = operations::draw(&chance);
    let wanted = operations.into_iter().enumerate().filter(|(place, _)| is_wanted(*place));
    let wanted: Vec<Operation> = wanted.map(|(_, operation)| operation).collect();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let town = Town::open(chance.seed(), broken).await;
        let mut operator = Operator::new(Arc::clone(&town), chance.seed());
        let ends_early = chance.percent(70);
        let judged = judged(&town, &mut operator, &wanted, ends_early).await;
        town.close();
        let panics = PANICS.take();
        let judged = if panics.is_empty() { judged } else { Err(panics.join("\n")) };
        let history = town.history();
        judged.map_err(|why| Failure { why, history: history.clone() }).map(|()| history)
    })
}

async fn judged(
    town: &Town,
    operator: &mut Operator,
    operations: &[Operation],
    ends_early: bool,
) -> Result<(), String> {
    let mut judge = Judge::new(town);
    for operation in operations {
        operator.perform(operation).await;
        judge.look(town).await?;
    }
    operator.mend().await;
    town.leave_one();
    // Most runs do not wait until the last code has expired.
    if ends_early && let Some(process) = town.process(0) {
        for id in operator.all_known() {
            operator.cancel(&process, id);
        }
    }
    for _ in 0..REST {
        sleep(LOOK).await;
        if judge.look(town).await? {
            judge.evidence(town).await?;
            return verdict::pass(town, &judge);
        }
    }
    Err("it never comes to rest (promise 2)".to_owned())
}

/// Leaves out operations as long as it still fails without them, and says what is left.
pub(crate) fn shrunk(seed: u64, broken: Broken, failure: Failure) -> String {
    let (mut left, mut failure) = (Vec::new(), failure);
    let mut out = Vec::new();
    for place in 0..operations::LENGTH {
        out.push(place);
        match run(seed, broken, |place| !out.contains(&place)) {
            Err(smaller) => failure = smaller,
            Ok(_) => left.extend(out.pop()),
        }
    }
    let Failure { why, history } = failure;
    let history = history.join("\n");
    format!("seed {seed}, operations {left:?}: {why}\n\n{history}\n\nseed {seed}: {why}")
}

fn watch_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            usual(info);
        }));
    });
}
