#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use otter_domain::Moment;
use otter_store::Store as _;
use otter_store_testkit::ManualClock;
use redb::Database;

use super::*;
use crate::disk::{self, Disk};
use crate::simulated_disk::{Draws, Fault, SimulatedDisk};
use crate::workload::{Operation, Workload, dump, options};
use crate::writer::State;

type Bytes = BTreeMap<String, Vec<u8>>;

/// Two small states differ in a line or two; printing all of both helps nobody.
fn difference(left: &Bytes, right: &Bytes) -> Vec<String> {
    let names = left.keys().chain(right.keys());
    let mut names: Vec<_> = names.filter(|name| left.get(*name) != right.get(*name)).cloned().collect();
    names.dedup();
    names
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(1024 * 1024).set_check_integrity_on_open(true);
    builder
}

/// A disk with an empty store on it.
fn empty(options: &Options) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let database = builder().create_with_backend(disk.clone()).unwrap();
    disk::initialize(&database, options).unwrap();
    database.close().unwrap();
    disk
}

fn load(disk: &SimulatedDisk, options: &Options) -> Result<(Disk, State, Moment), Error> {
    let database = builder().create_with_backend(disk.clone());
    let database = database.map_err(|error| disk::unavailable("opening its file", error))?;
    let disk = Disk::of(database, options)?;
    let (state, mark) = disk.load(options)?;
    Ok((disk, state, mark))
}

fn start(disk: &SimulatedDisk, options: &Options) -> Result<Arc<EmbeddedStore>, Error> {
    let (disk, settings) = (disk.clone(), options.clone());
    EmbeddedStore::start(Box::new(move || load(&disk, &settings)), options).map(Arc::new)
}

/// The state that a disk holds, and the moment of its last write.
fn held(disk: &SimulatedDisk, options: &Options) -> (State, Moment) {
    let (_, state, mark) = load(disk, options).unwrap();
    (state, mark)
}

/// A store that is worked on, and the state that its disk must hold.
struct Trial {
    options: Options,
    clock: Arc<ManualClock>,
    draws: Draws,
    workload: Workload,
    disk: SimulatedDisk,
    model: State,
    /// When the last acknowledged change was made.
    changed_at: Moment,
    /// When the last burst was asked.
    asked_at: Moment,
    runtime: tokio::runtime::Runtime,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let clock = ManualClock::new();
        let options = options(&clock);
        let disk = empty(&options);
        let (model, changed_at) = held(&disk, &options);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let workload = Workload::default();
        let (draws, asked_at) = (Draws(seed), changed_at);
        Self { options, clock, draws, workload, disk, model, changed_at, asked_at, runtime }
    }

    /// Works in bursts until something is refused; returns what was asked in the last burst and how much of it was
    /// acknowledged.
    fn work(&mut self, store: &Arc<EmbeddedStore>, bursts: usize) -> (Vec<(Partition, Operation)>, usize) {
        for _ in 0..bursts {
            self.clock.pass(Duration::from_millis(self.draws.below(4_000) as u64));
            let now = self.options.clock.now();
            self.asked_at = now;
            let asked: Vec<_> = (0..1 + self.draws.below(5))
                .map(|_| self.workload.next(&mut self.draws, &self.model, now))
                .collect();
            let answers = self.runtime.block_on(burst(store, &asked));
            let acknowledged = answers.iter().take_while(|answer| answer.is_ok()).count();
            assert!(answers[acknowledged..].iter().all(Result::is_err), "answered out of order");
            if acknowledged < asked.len() {
                return (asked, acknowledged);
            }
            let before = dump(&self.model, &self.options.sealer);
            for (home, operation) in asked {
                operation.apply(home, &mut self.model, now);
            }
            if dump(&self.model, &self.options.sealer) != before {
                self.changed_at = now;
            }
        }
        (Vec::new(), 0)
    }

    /// The disk holds all that was acknowledged, and of the rest a first part, each wholly.
    fn holds(&mut self, asked: Vec<(Partition, Operation)>, acknowledged: usize) {
        let now = self.options.clock.now();
        let (found, mark) = held(&self.disk, &self.options);
        assert!(
            mark >= self.changed_at && mark <= now,
            "the clock is at {mark:?}, not {:?}",
            self.changed_at
        );
        let found_bytes = dump(&found, &self.options.sealer);
        let mut nearest = difference(&dump(&self.model, &self.options.sealer), &found_bytes);
        let mut is_found = acknowledged == 0 && nearest.is_empty();
        for (place, (home, operation)) in asked.into_iter().enumerate() {
            operation.apply(home, &mut self.model, self.asked_at);
            if place + 1 >= acknowledged && !is_found {
                nearest = difference(&dump(&self.model, &self.options.sealer), &found_bytes);
                is_found = nearest.is_empty();
            }
        }
        assert!(is_found, "what was acknowledged is not what is there: {nearest:#?}");
        self.model = found;
        self.changed_at = mark;
    }
}

async fn burst(store: &Arc<EmbeddedStore>, asked: &[(Partition, Operation)]) -> Vec<Result<(), Error>> {
    let tasks: Vec<_> = asked
        .iter()
        .map(|(home, operation)| tokio::spawn(operation.clone().ask(*home, Arc::clone(store))))
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// How large a run is, as in the chaos suite: by default a few hundred power cuts.
fn codes() -> u64 {
    let text = std::env::var("OTTER_CHAOS_CODES").ok();
    text.map_or(600, |text| text.parse().expect("OTTER_CHAOS_CODES is a number"))
}

const POWER_IS_OFF: ErrorKind = ErrorKind::NotConnected;

#[test]
fn a_power_cut_at_any_operation_of_a_workload_leaves_all_that_was_acknowledged() {
    for seed in 0..2 {
        for from in 1.. {
            let mut trial = Trial::new(seed);
            let store = start(&trial.disk, &trial.options).unwrap();
            let from = trial.disk.operations() + from;
            trial.disk.set_fault(Some(Fault { from, kind: POWER_IS_OFF }));
            let (asked, acknowledged) = trial.work(&store, 6);
            let is_cut = !asked.is_empty();
            trial.disk = trial.disk.after_a_power_cut(&mut trial.draws);
            drop(store);
            trial.holds(asked, acknowledged);
            if !is_cut {
                break;
            }
        }
    }
}

#[test]
fn power_cuts_one_after_the_other_leave_all_that_was_acknowledged() {
    let (trials, cuts) = (codes().div_ceil(150), 40);
    for seed in 0..trials {
        let mut trial = Trial::new(100 + seed);
        for _ in 0..cuts {
            let from = trial.disk.operations() + 1 + trial.draws.below(150);
            trial.disk.set_fault(Some(Fault { from, kind: POWER_IS_OFF }));
            // The power may go again while what the last cut left is being repaired.
            let (asked, acknowledged) = match start(&trial.disk, &trial.options) {
                Ok(store) => trial.work(&store, 40),
                Err(_) => (Vec::new(), 0),
            };
            trial.disk = trial.disk.after_a_power_cut(&mut trial.draws);
            trial.holds(asked, acknowledged);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_works_again_by_itself_once_there_is_space() {
    for seed in 0..40 {
        let mut trial = Trial::new(200 + seed);
        let store = start(&trial.disk, &trial.options).unwrap();
        let from = trial.disk.operations() + 1 + trial.draws.below(100);
        trial.disk.set_fault(Some(Fault { from, kind: ErrorKind::StorageFull }));
        let (asked, acknowledged) = trial.work(&store, 60);
        assert!(acknowledged < asked.len(), "the disk did not get full");
        let refused = trial.runtime.block_on(store.now()).unwrap_err();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert!(why.contains("no storage space") && why.contains("nothing acknowledged is lost"), "{why}");

        for _ in 0..3 {
            trial.clock.pass(Duration::from_secs(31));
            assert!(trial.runtime.block_on(store.now()).is_err(), "the disk is still full");
        }
        trial.disk.set_fault(None);
        assert!(trial.runtime.block_on(store.now()).is_err(), "it is not tried all the time");
        trial.clock.pass(Duration::from_secs(31));
        trial.runtime.block_on(store.now()).unwrap();
        drop(store);
        trial.holds(asked, acknowledged);
    }
}

#[test]
fn a_step_that_panics_is_refused_and_nothing_else_is_lost() {
    let mut trial = Trial::new(1);
    let store = start(&trial.disk, &trial.options).unwrap();
    trial.work(&store, 5);
    let home = trial.options.partitions.at(0).unwrap();
    let panics = store.step(home, |_, _, _| -> () { panic!("a step of this test") });
    assert!(matches!(trial.runtime.block_on(panics), Err(Error::Unavailable { .. })));
    // The writer may still be noting the failure when its caller has heard of it.
    while trial.runtime.block_on(store.now()).is_err() {
        trial.clock.pass(Duration::from_secs(1));
    }
    drop(store);
    trial.holds(Vec::new(), 0);
}

/// What becomes of a damaged file: either it is refused, or the damage is where nothing is kept.
fn is_refused_or_whole(damaged: &SimulatedDisk, whole: &Bytes, options: &Options) -> Result<(), Vec<String>> {
    match load(damaged, options) {
        Err(_) => Ok(()),
        Ok((_, state, _)) => match difference(&dump(&state, &options.sealer), whole) {
            same if same.is_empty() => Ok(()),
            differs => Err(differs),
        },
    }
}

/// How long the header of a file is.
const HEADER: usize = 320;

/// The one bit that nothing can be held against: it says which of two sound states is the latest.
const WHICH_SLOT: (usize, usize) = (9, 0);

#[test]
fn a_flipped_bit_is_an_error_or_harmless_but_never_another_answer() {
    let mut trial = Trial::new(7);
    let store = start(&trial.disk, &trial.options).unwrap();
    trial.work(&store, 40);
    // As a killed process leaves it, and as one leaves it that was stopped.
    let killed = trial.disk.copy(|_| {});
    drop(store);
    let whole = dump(&trial.model, &trial.options.sealer);
    for image in [killed, trial.disk.copy(|_| {})] {
        let mut length = 0;
        image.copy(|bytes| length = bytes.len());
        let random = (0..codes() / 5).map(|_| trial.draws.below(length)).collect::<Vec<_>>();
        for place in random.into_iter().chain(0..HEADER) {
            let bit = trial.draws.below(8);
            if (place, bit) == WHICH_SLOT {
                continue;
            }
            let damaged = image.copy(|bytes| bytes[place] ^= 1 << bit);
            let found = is_refused_or_whole(&damaged, &whole, &trial.options);
            assert_eq!(found, Ok(()), "bit {bit} of byte {place}");
        }
    }
}
