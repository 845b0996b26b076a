//! A cluster of three masters with a replica each: one dies, or slots move.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Partition, PartitionCount, VerificationId};
use otter_store_redis::test_server::Cluster;
use otter_tests::{Draws, Fleet, Going, login};

use super::{BETWEEN_FAULTS, draws, fleet, trial};

/// Each master's replica has what is answered.
const REPLICA: &str = "durability = \"replica\"\nreplicas = 1";

/// A bound on waiting for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The partitions of test configurations.
fn partitions() -> impl Iterator<Item = Partition> {
    PartitionCount::new(16).expect("it is in bounds").all()
}

/// The slot of a partition.
async fn slot(cluster: &Cluster, partition: Partition) -> u16 {
    cluster.slot(&format!("otter:{{{partition}}}:timers")).await.unwrap()
}

fn any_partition(draws: &mut Draws) -> Partition {
    *draws.one_of(&partitions().collect::<Vec<_>>())
}

/// One number for each partition, to ask whether it is served. They are nobody's in the crowd.
struct Probes(BTreeMap<Partition, String>);

impl Probes {
    async fn find(fleet: &Fleet) -> Self {
        let count = PartitionCount::new(16).expect("it is in bounds");
        let mut numbers = BTreeMap::new();
        for index in 0.. {
            let number = format!("+491529{index:07}");
            let Ok(sent) = fleet.callers().send(login(&number, &[])).await else { continue };
            let id = VerificationId::parse(&sent.verification_id).unwrap();
            numbers.entry(id.partition(count).unwrap()).or_insert(number);
            if numbers.len() == usize::from(count.get()) {
                break;
            }
        }
        Self(numbers)
    }

    /// What a call to this partition is answered.
    async fn ask(&self, fleet: &Fleet, partition: Partition) -> Result<(), tonic::Status> {
        fleet.callers().send(login(&self.0[&partition], &[])).await.map(drop)
    }

    /// Calls this partition until it is served; it must be within a bound.
    async fn reach(&self, fleet: &Fleet, partition: Partition) {
        let reached = async { while self.ask(fleet, partition).await.is_err() {} };
        let bounded = tokio::time::timeout(PATIENCE, reached).await;
        bounded.unwrap_or_else(|_| panic!("{partition} is not served although its servers are well"));
    }
}

/// Kills the master of a partition, waits until its replica has taken over, and brings it back.
async fn lose_a_master(cluster: &mut Cluster, draws: &mut Draws) {
    let slot = slot(cluster, any_partition(draws)).await;
    let gone = cluster.crash_owner(slot).await.unwrap();
    cluster.owner_other_than(gone, slot).await.unwrap();
    cluster.node(gone).start_again().unwrap();
    cluster.settled().await.unwrap();
}

/// The same, but the replica may not take over until everybody was asked: the partitions of the dead master are not served
/// and all others are. Counts those.
async fn lose_a_master_for_long(
    cluster: &mut Cluster,
    fleet: &Fleet,
    probes: &Probes,
    draws: &mut Draws,
) -> usize {
    let victim = slot(cluster, any_partition(draws)).await;
    let gone = cluster.owner(victim).await.unwrap();
    let (mut hit, mut others) = (Vec::new(), Vec::new());
    for partition in partitions() {
        let owner = cluster.owner(slot(cluster, partition).await).await.unwrap();
        if owner == gone { hit.push(partition) } else { others.push(partition) }
    }
    let replicas = cluster.replicas(gone).await.unwrap();
    for replica in &replicas {
        cluster.nodes()[*replica].freeze().unwrap();
    }
    cluster.node(gone).crash();
    for partition in hit {
        assert!(probes.ask(fleet, partition).await.is_err(), "there is nobody who could keep it");
    }
    for partition in &others {
        probes.reach(fleet, *partition).await;
    }
    for replica in &replicas {
        cluster.nodes()[*replica].thaw().unwrap();
    }
    cluster.owner_other_than(gone, victim).await.unwrap();
    cluster.node(gone).start_again().unwrap();
    cluster.settled().await.unwrap();
    others.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_takes_nothing_along_and_stops_no_other_partition() {
    let mut cluster = Cluster::start().await.unwrap();
    let fleet = fleet(&cluster.url(), REPLICA).await;
    let probes = Probes::find(&fleet).await;
    let mut answered = 0;
    let judgement = trial("cluster, master killed", &fleet, async |mut going: Going| {
        let mut draws = draws(41);
        while going.pause(draws.span(BETWEEN_FAULTS)).await {
            lose_a_master(&mut cluster, &mut draws).await;
            answered += lose_a_master_for_long(&mut cluster, &fleet, &probes, &mut draws).await;
        }
    });
    judgement.await.assert_sound();
    assert!(answered > 0, "other partitions were served while a master was dead");
}

/// Moves the slot of a partition to another master, a few keys at a time, and back.
async fn there_and_back(cluster: &Cluster, draws: &mut Draws) {
    let slot = slot(cluster, any_partition(draws)).await;
    let home = cluster.owner(slot).await.unwrap();
    let away = (home + 1 + draws.below(2)) % 3;
    for to in [away, home] {
        let mut moving = cluster.begin_move(slot, to).await.unwrap();
        while moving.move_keys(5).await.unwrap() > 0 {
            tokio::time::sleep(draws.span(Duration::ZERO..Duration::from_millis(20))).await;
        }
        moving.finish().await.unwrap();
        cluster.settled().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_there_and_back_lose_nothing_on_the_way() {
    let cluster = Cluster::start().await.unwrap();
    let fleet = fleet(&cluster.url(), REPLICA).await;
    let mut moves = 0;
    let judgement = trial("cluster, slots moved", &fleet, async |mut going: Going| {
        let mut draws = draws(42);
        while going.pause(draws.span(BETWEEN_FAULTS)).await {
            there_and_back(&cluster, &mut draws).await;
            moves += 2;
        }
        // Once more as an operator would: with many slots at once, which nobody need wait for.
        cluster.reshard(0, 1, 500).await.unwrap();
        cluster.settled().await.unwrap();
    });
    judgement.await.assert_sound();
    assert!(moves > 0, "slots were moved");
}
