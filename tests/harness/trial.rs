//! One scenario: a crowd, faults meanwhile, and the count at the end.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use otter_contract::v1::{GetOtpRequest, Verification};
use otter_domain::Clock as _;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::callers::{Callers, Line, Unanswered};
use crate::fleet::Fleet;
use crate::ledger::{Judgement, Ledger, is_settled};
use crate::listener::Listener;
use crate::load::Load;
use crate::process::binary;
use crate::stopwatch::Stopwatch;
use crate::visit::Told;

/// How often what is not settled is read again.
const LOOK: Duration = Duration::from_millis(300);

/// How long reading one verification may take, with everybody alive again.
const READING: Duration = Duration::from_secs(60);

/// Of how many breaches everything is shown that is known.
const SHOWN: usize = 3;

/// How many read at once.
const READERS: usize = 16;

/// A crowd that meets faults.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What the report calls it.
    pub name: &'static str,
    /// Who comes.
    pub load: Load,
    /// How long after the last person has left the run waits for verifications to end. What is pending then is counted
    /// so.
    pub patience: Duration,
}

/// Whether people still come. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Going(watch::Receiver<bool>);

impl Going {
    /// Whether nobody comes any more.
    pub fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits, but not beyond the last person's leaving. Says whether people still come.
    pub async fn pause(&mut self, span: Duration) -> bool {
        // The sender lives as long as the trial does.
        let over = self.0.wait_for(|over| *over);
        tokio::time::timeout(span, over).await.is_err()
    }
}

impl Trial {
    /// Lets the crowd come while `faults` happen, waits for both, reads what became of everybody, and judges. When
    /// `faults` returns, whoever it hit must be alive again. The report goes to standard output and to
    /// `target/chaos/report.jsonl`.
    pub async fn run<F: Future<Output = ()>>(
        &self,
        fleet: &Fleet,
        faults: impl FnOnce(Going) -> F,
    ) -> Judgement {
        let began = Stopwatch::start();
        let listener = Listener::start(fleet.callers()).await;
        let (over, is_over) = watch::channel(false);
        let load = async {
            let told = self.load.run(fleet).await;
            over.send_replace(true);
            told
        };
        let (told, ()) = tokio::join!(load, faults(Going(is_over)));
        let ledger = self.close(fleet, &listener, told).await;
        let judgement = ledger.judge();
        for breach in judgement.breaches.iter().take(SHOWN) {
            print(&format!("{breach}\n{}", ledger.show(&breach.id)));
        }
        let reclaimed = fleet.metric("otter_queue_reclaimed_total").await;
        self.report(&judgement, &listener, reclaimed, began.elapsed());
        judgement
    }

    /// Waits until everything that was accepted has ended, as long as the patience lasts, and reads all accounts.
    async fn close(&self, fleet: &Fleet, listener: &Listener, told: Vec<Told>) -> Ledger {
        let began = Stopwatch::start();
        let mut finals = BTreeMap::new();
        let mut open: Vec<String> = told.iter().filter_map(|told| told.ids.first().cloned()).collect();
        loop {
            finals.extend(read_all(fleet.callers(), &open).await);
            open.retain(|id| finals[id].as_ref().is_some_and(|verification| !is_settled(verification)));
            if open.is_empty() || began.elapsed() >= self.patience {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let settled = finals.iter().filter(|(_, verification)| verification.as_ref().is_some_and(is_settled));
        listener.hear_the_end_of(settled.map(|(id, _)| id)).await;
        // In this order: what the vendor has received and what was published was booked before, so a later look at the
        // books shows it.
        let (journal, stories) = (fleet.vendor().journal(), listener.stories());
        finals.extend(read_all(fleet.callers(), &open).await);
        let (open, blows, read_at) = (open.into_iter().collect(), fleet.blows(), fleet.clock().now());
        Ledger { told, finals, journal, stories, open, blows, read_at }
    }

    fn report(&self, judgement: &Judgement, listener: &Listener, reclaimed: f64, took: Duration) {
        let kinds: Vec<_> = judgement.breaches.iter().map(ToString::to_string).take(50).collect();
        let mut line = json!({
            "scenario": self.name,
            "seed": self.load.seed,
            "codes": self.load.codes,
            "per_second": self.load.per_second,
            "seconds": took.as_secs(),
            "breaches": judgement.breaches.len(),
            "first_breaches": kinds,
            "leases_reclaimed_by_the_living": reclaimed,
            "events_repeated": listener.repeats(),
        });
        let figures = serde_json::to_value(&judgement.figures).expect("figures are numbers");
        for (name, value) in figures.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        let mut table = format!("\n{}\n", self.name);
        for (name, value) in line.as_object().into_iter().flatten().filter(|(_, value)| value.is_number()) {
            table.push_str(&format!("  {:<32}{value:>10}\n", name.replace('_', " ")));
        }
        print(&table);
        let path = report_file();
        let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("target is ours");
        file.write_all(format!("{line}\n").as_bytes()).expect("target is ours");
    }
}

#[allow(clippy::print_stdout, reason = "a report is for whoever runs the suite")]
fn print(text: &str) {
    println!("{text}");
}

/// Where reports are kept: one line of JSON for each run of a scenario.
fn report_file() -> PathBuf {
    let target = binary().ancestors().nth(2).expect("the binary is in target/<profile>").join("chaos");
    std::fs::create_dir_all(&target).expect("target is ours");
    target.join("report.jsonl")
}

/// Reads verifications, many at once; `None` for those that are not there.
async fn read_all(callers: Callers, ids: &[String]) -> BTreeMap<String, Option<Verification>> {
    let mut readers = JoinSet::new();
    for part in ids.chunks(ids.len().div_ceil(READERS).max(1)) {
        let (callers, part) = (callers.clone(), part.to_vec());
        readers.spawn(async move {
            let mut found = Vec::new();
            for id in part {
                let verification = read(&callers, &id).await;
                found.push((id, verification));
            }
            found
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}

async fn read(callers: &Callers, id: &str) -> Option<Verification> {
    let request = GetOtpRequest { verification_id: id.to_owned() };
    let call = |mut line: Line| {
        let request = request.clone();
        async move { line.get_otp(request).await }
    };
    match callers.ask(READING, call).await {
        Ok(answer) => answer.verification,
        Err(Unanswered::Refused(status)) if crate::reason(&status) == "VERIFICATION_NOT_FOUND" => None,
        Err(why) => panic!("could not read {id}: {why:?}"),
    }
}
