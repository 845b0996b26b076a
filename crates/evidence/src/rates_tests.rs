#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use otter_decision::rates::Basis;
use otter_domain::{Clock, Country, Effect, Observation, PartitionCount};
use otter_store::{Commit, CommitVerdict, MemoryStore, Nonce, Retention};
use otter_store_testkit::fixture;

use super::*;

const NOW: Moment = Moment::from_millis(1_800_000_000_000);

#[derive(Debug)]
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Moment {
        NOW
    }
}

fn segment(provider: &str, channel: Channel) -> Segment {
    let provider = ProviderName::parse(provider).unwrap();
    Segment { provider, channel, country: Country::parse("DE").unwrap() }
}

fn home(index: u16) -> Partition {
    PartitionCount::DEFAULT.at(index).unwrap()
}

fn ago(seconds: u64) -> Moment {
    EvidenceCell::bucket_of(NOW - Duration::from_secs(seconds))
}

fn cell_of(bucket: Moment, segment: Segment, counts: &[(Measure, u64)]) -> EvidenceCell {
    EvidenceCell { bucket, segment, counts: counts.iter().copied().collect() }
}

#[test]
fn partitions_add_up_and_a_cell_that_is_read_again_replaces_itself() {
    let rates = Rates::default();
    let alpha = segment("alpha", Channel::Sms);
    let half = [(Measure::Accepted, 5)];
    let full = [(Measure::Accepted, 10), (Measure::Delivered(3), 8)];
    rates.learn(home(0), vec![cell_of(ago(600), alpha.clone(), &half)], NOW);
    rates.learn(home(0), vec![cell_of(ago(600), alpha.clone(), &full)], NOW);
    rates.learn(home(1), vec![cell_of(ago(600), alpha.clone(), &full)], NOW);
    let table = rates.table(Window::OneHour, NOW);
    let [Row { segment, rates }] = table.as_slice() else { panic!("one segment: {table:?}") };
    assert_eq!(*segment, alpha);
    assert_eq!((rates.accepted, rates.delivered), (20, 16));
    assert_eq!(rates.delivery.value, Some(0.8));
}

#[test]
fn a_window_sees_no_further_than_its_length() {
    let rates = Rates::default();
    let one = [(Measure::Accepted, 1)];
    let ages = [10, 90, 600, 4000];
    rates.learn(home(0), ages.map(|age| cell_of(ago(age), segment("alpha", Channel::Sms), &one)).into(), NOW);
    let seen = Window::ALL.map(|window| rates.total(window, NOW).unwrap().submitted);
    assert_eq!(seen, [1, 2, 3]);
    let before =
        Window::ALL.map(|window| rates.total(window, NOW - Duration::from_secs(80)).unwrap().submitted);
    assert_eq!(before, [1, 1, 2], "nor into what comes later");
}

#[test]
fn segments_are_grouped_by_provider_and_by_channel() {
    let rates = Rates::default();
    let count = |segment, accepted| cell_of(ago(20), segment, &[(Measure::Accepted, accepted)]);
    let cells = vec![
        count(segment("alpha", Channel::Sms), 1),
        count(segment("alpha", Channel::Voice), 2),
        count(segment("beta", Channel::Sms), 4),
    ];
    rates.learn(home(0), cells, NOW);
    let by_provider = rates.by_provider(Window::OneMinute, NOW);
    let by_channel = rates.by_channel(Window::OneMinute, NOW);
    assert_eq!(by_provider.values().map(|rates| rates.accepted).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(by_channel[&Channel::Sms].accepted, 5);
    assert_eq!(by_channel[&Channel::Voice].accepted, 2);
    assert_eq!(rates.total(Window::OneMinute, NOW).unwrap().accepted, 7);
}

#[test]
fn nothing_is_kept_longer_than_the_store_keeps_it_nor_more_than_fits() {
    let rates = Rates::default();
    let old = cell_of(ago(26 * 3600 + 10), segment("alpha", Channel::Sms), &[(Measure::Accepted, 1)]);
    rates.learn(home(0), vec![old], NOW);
    assert!(rates.known().cells.is_empty());
    let names = (0..50).map(|name| format!("provider-{name}"));
    let segments: Vec<_> = names.map(|name| segment(&name, Channel::Sms)).collect();
    let buckets = MOST_CELLS as u64 / 50 + 1;
    for bucket in 0..buckets {
        let at = ago((buckets - bucket) * 10);
        let cells = segments.iter().map(|segment| cell_of(at, segment.clone(), &[(Measure::Accepted, 1)]));
        rates.learn(home(0), cells.collect(), NOW);
    }
    let known = rates.known();
    assert_eq!(known.cells.len(), MOST_CELLS);
    assert_eq!(known.cells.first_key_value().unwrap().0.0, ago((buckets - 1) * 10), "the oldest went");
}

#[test]
fn curves_are_learnt_from_what_is_mature_and_again_after_a_minute() {
    let rates = Rates::default();
    let sms = segment("alpha", Channel::Sms);
    let prior = rates.total(Window::OneHour, NOW);
    assert_eq!(prior, None);
    let young = cell_of(ago(30), sms.clone(), &[(Measure::Accepted, 100)]);
    rates.learn(home(0), vec![young], NOW);
    let share = |now| rates.total(Window::FiveMinutes, now).unwrap().delivery;
    assert_eq!((share(NOW).basis, share(NOW).denominator), (Basis::Raw, 0.0), "nothing is known yet");
    let mature = cell_of(ago(3000), sms, &[(Measure::Accepted, 100), (Measure::Delivered(0), 100)]);
    rates.learn(home(0), vec![mature], NOW);
    assert_eq!(share(NOW).basis, Basis::Raw, "curves are not learnt anew each time");
    let after = share(NOW + RELEARN);
    assert_eq!((after.basis, after.denominator), (Basis::Own, 100.0), "here all arrive within 1 s");
}

#[test]
fn what_has_no_traffic_any_more_is_remembered_with_its_last_moment() {
    let rates = Rates::default();
    let one = [(Measure::Accepted, 1)];
    let cells = [4000, 9000].map(|age| cell_of(ago(age), segment("alpha", Channel::Sms), &one));
    rates.learn(home(0), cells.into(), NOW);
    assert_eq!(rates.table(Window::OneHour, NOW), []);
    assert_eq!(rates.seen(), BTreeMap::from([(segment("alpha", Channel::Sms), ago(4000))]));
    rates.learn(home(0), Vec::new(), NOW + KEPT);
    assert_eq!(rates.seen(), BTreeMap::new(), "no longer than its outcomes are kept");
}

#[tokio::test]
async fn rates_say_how_old_they_are() {
    let count = PartitionCount::new(2).unwrap();
    let store = MemoryStore::new(count, Retention::default(), Arc::new(Standing));
    let rates = Rates::default();
    let never = rates.freshness(NOW);
    assert_eq!((never.at, never.age, never.is_old()), (NOW, None, true));
    rates.refresh(&store).await.unwrap();
    let later = |seconds| NOW + Duration::from_secs(seconds);
    let fresh = rates.freshness(later(3));
    assert_eq!((fresh.at, fresh.age, fresh.is_old()), (later(3), Some(Duration::from_secs(3)), false));
    let old = rates.freshness(later(70));
    assert_eq!((old.at, old.age, old.is_old()), (NOW, Some(Duration::from_secs(70)), true));
    rates.learn(count.at(0).unwrap(), Vec::new(), later(70));
    assert_eq!(rates.freshness(later(70)), old, "the oldest part counts");
}

#[tokio::test]
async fn what_one_process_commits_another_one_reads() {
    let count = PartitionCount::new(4).unwrap();
    let store = MemoryStore::new(count, Retention::default(), Arc::new(Standing));
    let rates = Rates::default();
    rates.refresh(&store).await.unwrap();
    assert_eq!(rates.total(Window::OneMinute, NOW), None);
    for home in count.all() {
        let next = fixture::verification(home, NOW, vec![fixture::accepted(1, "alpha", NOW)]);
        let observation = Observation {
            segment: segment("alpha", Channel::Sms),
            attempted_at: NOW,
            measure: Measure::Accepted,
        };
        let commit = Commit {
            expected: None,
            next,
            effects: vec![Effect::Observe(observation)],
            due: None,
            nonce: Nonce(u64::from(home.index())),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        };
        let verdicts = store.commit(home, vec![commit]).await.unwrap();
        assert_eq!(verdicts.value, [CommitVerdict::Done]);
    }
    rates.refresh(&store).await.unwrap();
    rates.refresh(&store).await.unwrap();
    assert_eq!(rates.total(Window::OneMinute, NOW).unwrap().accepted, 4);
}
