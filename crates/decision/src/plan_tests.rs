#![allow(clippy::unwrap_used)]

use otter_domain::{ChannelClass, RouteName, SucceedOn};
use proptest::prelude::*;

use super::*;
use crate::fixture::provider;

const WELL: Facts = Facts {
    supports_channel: true,
    supports_country: true,
    content: true,
    paused: false,
    breaker_open: false,
    lane_full: false,
    health: 0.9,
    revocable: false,
    idempotent: false,
};

const SICK: Facts = Facts { breaker_open: true, ..WELL };

const LIMITS: Limits = Limits { ttl: Duration::from_secs(300), min_useful: Duration::from_secs(45) };

fn step(channel: Channel, ranking: Ranking, providers: &[(&str, u16)]) -> RouteStep {
    let named = |(name, weight): &(&str, u16)| StepProvider { name: provider(name), weight: *weight };
    RouteStep {
        channel,
        providers: providers.iter().map(named).collect(),
        ranking,
        succeed_on: SucceedOn::Delivered,
        wait: Duration::from_secs(30),
        max_queue_wait: Duration::from_secs(5),
    }
}

fn route(steps: Vec<RouteStep>) -> Route {
    Route { name: RouteName::parse("default").unwrap(), steps }
}

/// SMS over two providers, then WhatsApp, then a call.
fn usual() -> Route {
    route(vec![
        step(Channel::Sms, Ranking::Priority, &[("one", 1), ("two", 1)]),
        step(Channel::WhatsApp, Ranking::Priority, &[("meta", 1)]),
        step(Channel::Voice, Ranking::Priority, &[("one", 1)]),
    ])
}

fn anything() -> Wanted {
    Wanted { allowed: None, preferred: Vec::new(), line: LineType::Mobile, payment: false, shut: Vec::new() }
}

fn names(plan: &Plan) -> Vec<String> {
    plan.candidates.iter().map(|candidate| format!("{}/{}", candidate.provider, candidate.channel)).collect()
}

fn reasons(plan: &Plan) -> Vec<ChoiceReason> {
    plan.considered.iter().map(|considered| considered.reason.clone()).collect()
}

fn made(wanted: &Wanted, facts: impl Fn(&ProviderName, Channel) -> Facts) -> Plan {
    choose(&usual(), wanted, |name, step| facts(name, step.channel), &LIMITS, 1)
}

#[test]
fn without_a_reason_against_anyone_the_route_is_the_plan() {
    let plan = made(&anything(), |_, _| WELL);
    assert_eq!(names(&plan), ["one/sms", "two/sms", "meta/whatsapp", "one/voice"]);
    let place = |place| ChoiceReason::Priority { place };
    assert_eq!(reasons(&plan), [place(1), place(2), place(1), place(1)]);
    assert_eq!(plan.candidates.iter().map(|candidate| candidate.step).collect::<Vec<_>>(), [0, 0, 1, 2]);
}

#[test]
fn rte_10_the_first_reason_against_a_provider_is_told() {
    let nothing_fits = Facts {
        supports_channel: false,
        supports_country: false,
        content: false,
        paused: true,
        breaker_open: true,
        lane_full: true,
        ..WELL
    };
    let mut facts = nothing_fits;
    let mut wanted = Wanted { allowed: Some(Vec::new()), line: LineType::PremiumRate, ..anything() };
    let check = |wanted: &Wanted, facts: Facts, expected: Exclusion| {
        let plan = made(wanted, |_, _| facts);
        assert_eq!(plan.considered[0].reason, ChoiceReason::Excluded(expected));
        assert!(plan.candidates.is_empty());
    };
    check(&wanted, facts, Exclusion::ChannelNotAllowed);
    wanted.allowed = None;
    check(&wanted, facts, Exclusion::ChannelUnsupported);
    facts.supports_channel = true;
    check(&wanted, facts, Exclusion::CountryUnsupported);
    facts.supports_country = true;
    check(&wanted, facts, Exclusion::LineUnsuitable);
    wanted.line = LineType::Mobile;
    check(&wanted, facts, Exclusion::NoContent);
    facts.content = true;
    let locked = ShutClass { class: ChannelClass::Pstn, retry_after: None };
    wanted.shut = vec![locked];
    check(&wanted, facts, Exclusion::ChecksLocked);
    wanted.shut = vec![ShutClass { retry_after: Some(Duration::from_secs(900)), ..locked }];
    check(&wanted, facts, Exclusion::ChecksWaiting);
    wanted.shut = vec![ShutClass { class: ChannelClass::App, ..locked }];
    check(&wanted, facts, Exclusion::Paused);
    facts.paused = false;
    check(&wanted, facts, Exclusion::LaneFull);
    facts.lane_full = false;
    assert_eq!(names(&made(&wanted, |_, _| facts)), ["one/sms"], "only its breaker is left against it");
}

#[test]
fn sec_05_the_other_class_is_used_while_one_is_shut() {
    let shut = |class, retry_after| Wanted { shut: vec![ShutClass { class, retry_after }], ..anything() };
    assert_eq!(names(&made(&shut(ChannelClass::Pstn, None), |_, _| WELL)), ["meta/whatsapp"]);
    let plan = made(&shut(ChannelClass::App, Some(Duration::from_secs(900))), |_, _| WELL);
    assert_eq!(names(&plan), ["one/sms", "two/sms", "one/voice"]);
    assert_eq!(plan.considered[2].reason, ChoiceReason::Excluded(Exclusion::ChecksWaiting));
}

#[test]
fn frd_02_a_land_line_is_called_and_not_texted() {
    let plan = made(&Wanted { line: LineType::FixedLine, ..anything() }, |_, _| WELL);
    assert_eq!(names(&plan), ["one/voice"]);
    assert_eq!(plan.considered[0].reason, ChoiceReason::Excluded(Exclusion::LineUnsuitable));
}

#[test]
fn cmp_23_a_payment_does_not_go_through_a_fixed_template() {
    let plan = made(&Wanted { payment: true, ..anything() }, |_, _| WELL);
    assert_eq!(names(&plan), ["one/sms", "two/sms", "one/voice"]);
    assert_eq!(plan.considered[2].reason, ChoiceReason::Excluded(Exclusion::NoContent));
}

#[test]
fn steps_of_preferred_channels_go_first_and_the_reasons_stay_in_the_routes_order() {
    let preferred = vec![Channel::Voice, Channel::Rcs, Channel::WhatsApp];
    let plan = made(&Wanted { preferred, ..anything() }, |_, _| WELL);
    assert_eq!(names(&plan), ["one/voice", "meta/whatsapp", "one/sms", "two/sms"]);
    assert_eq!(plan.candidates[0].step, 2);
    let steps: Vec<u8> = plan.considered.iter().map(|considered| considered.step).collect();
    assert_eq!(steps, [0, 0, 1, 2]);
}

#[test]
fn rte_21_when_all_breakers_are_open_the_healthiest_is_tried() {
    let plan = made(&anything(), |name, channel| match (name.as_str(), channel) {
        ("two", _) => Facts { health: 0.4, ..SICK },
        ("meta", _) => Facts { paused: true, health: 0.8, ..SICK },
        _ => Facts { health: 0.1, ..SICK },
    });
    assert_eq!(names(&plan), ["two/sms"]);
    assert_eq!(plan.considered[1].reason, ChoiceReason::LeastBad { ranking: Ranking::Priority });
    assert_eq!(plan.considered[0].reason, ChoiceReason::Excluded(Exclusion::BreakerOpen));
    assert_eq!(names(&made(&anything(), |_, _| SICK)), ["one/sms"], "the first among equals");
}

#[test]
fn an_open_breaker_is_left_alone_while_anyone_else_can_send() {
    let plan = made(&anything(), |_, channel| if channel == Channel::Voice { WELL } else { SICK });
    assert_eq!(names(&plan), ["one/voice"]);
}

#[test]
fn a_full_lane_is_passed_over_while_anyone_else_can_send_and_sheds_otherwise() {
    const FULL: Facts = Facts { lane_full: true, ..WELL };
    let plan = made(&anything(), |name, _| if name.as_str() == "one" { FULL } else { WELL });
    assert_eq!(names(&plan), ["two/sms", "meta/whatsapp"]);
    assert!(!is_shed(&plan));
    let shed = made(&anything(), |_, channel| if channel == Channel::Voice { FULL } else { SICK });
    assert_eq!(names(&shed), Vec::<String>::new(), "a breaker is not tried because somebody else is busy");
    assert!(is_shed(&shed));
    let nobody = made(&anything(), |_, _| Facts { paused: true, ..FULL });
    assert!(nobody.candidates.is_empty() && !is_shed(&nobody), "waiting would not help");
}

#[test]
fn rte_33_a_plan_lists_everybody_who_is_of_use_at_once_however_short_the_life_of_the_code() {
    let check = |ttl: u64, count: usize| {
        let limits = Limits { ttl: Duration::from_secs(ttl), ..LIMITS };
        let plan = choose(&usual(), &anything(), |_, _| WELL, &limits, 1);
        assert_eq!(plan.candidates.len(), count, "ttl {ttl}");
        let no_time = ChoiceReason::Excluded(Exclusion::NoTime);
        assert_eq!(reasons(&plan).iter().filter(|reason| **reason == no_time).count(), 4 - count);
    };
    check(300, 4);
    check(119, 4);
    check(60, 4);
    check(46, 4);
    check(45, 0);
    check(10, 0);
}

#[test]
fn a_breaker_that_is_open_is_not_tried_for_a_code_that_nobody_could_use() {
    let limits = Limits { ttl: Duration::from_secs(45), ..LIMITS };
    let plan = choose(&usual(), &anything(), |_, _| SICK, &limits, 1);
    assert_eq!(names(&plan), Vec::<String>::new());
}

#[test]
fn the_tail_of_a_long_route_stays_in_the_plan() {
    let names = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, 1));
    let route = route(vec![step(Channel::Sms, Ranking::Priority, &names)]);
    let plan = choose(&route, &anything(), |_, _| WELL, &LIMITS, 1);
    assert_eq!(plan.candidates.len(), 7);
}

#[test]
fn weights_share_the_traffic() {
    let route =
        route(vec![step(Channel::Sms, Ranking::Weighted, &[("one", 70), ("two", 20), ("three", 10)])]);
    let mut firsts = [0_u32; 3];
    for seed in 0..10_000 {
        let plan = choose(&route, &anything(), |_, _| WELL, &LIMITS, seed);
        let first =
            ["one", "two", "three"].iter().position(|name| plan.candidates[0].provider.as_str() == *name);
        firsts[first.unwrap()] += 1;
    }
    assert!((6_800..7_200).contains(&firsts[0]) && (1_850..2_150).contains(&firsts[1]), "{firsts:?}");
}

#[test]
fn rte_14_a_draw_can_be_explained_and_repeated() {
    let route =
        route(vec![step(Channel::Sms, Ranking::Weighted, &[("one", 70), ("two", 20), ("three", 10)])]);
    let plan = choose(&route, &anything(), |_, _| WELL, &LIMITS, 42);
    let drawn = |weight, total, after| ChoiceReason::Drawn { weight, total, after };
    assert_eq!(names(&plan), ["two/sms", "one/sms", "three/sms"]);
    assert_eq!(reasons(&plan), [drawn(70, 80, 1), drawn(20, 100, 0), drawn(10, 10, 2)]);
}

fn facts() -> impl Strategy<Value = Facts> {
    (any::<[bool; 6]>(), 0.0_f64..1.0).prop_map(
        |([channel, country, content, paused, open, full], health)| Facts {
            supports_channel: channel,
            supports_country: country,
            content,
            paused: paused && open,
            breaker_open: open,
            lane_full: full && paused,
            health,
            revocable: false,
            idempotent: false,
        },
    )
}

fn routes() -> impl Strategy<Value = Vec<RouteStep>> {
    let channel = proptest::sample::select(Channel::ALL.to_vec());
    let ranking = proptest::sample::select(vec![Ranking::Priority, Ranking::Weighted]);
    let providers = proptest::sample::subsequence(vec![("a", 1), ("b", 0), ("c", 500), ("d", 1000)], 1..=4);
    proptest::collection::vec((channel, ranking, providers), 0..5).prop_map(|steps| {
        steps.iter().map(|(channel, ranking, providers)| step(*channel, *ranking, providers)).collect()
    })
}

proptest! {
    #[test]
    fn a_plan_accounts_for_everyone_once_and_keeps_its_limits(
        steps in routes(),
        known in proptest::collection::vec(facts(), 16),
        preferred in proptest::collection::vec(proptest::sample::select(Channel::ALL.to_vec()), 0..3),
        ttl in 0_u64..600, seed: u64, payment: bool,
    ) {
        let route = route(steps);
        let wanted = Wanted { preferred, payment, ..anything() };
        let about = |name: &ProviderName, channel: Channel| {
            let place = usize::from(name.as_str().as_bytes()[0] - b'a') * 4;
            known[place + Channel::ALL.iter().position(|known| *known == channel).unwrap()]
        };
        let limits = Limits { ttl: Duration::from_secs(ttl), ..LIMITS };
        let of_step = |name: &ProviderName, step: &RouteStep| about(name, step.channel);
        let plan = choose(&route, &wanted, of_step, &limits, seed);

        prop_assert_eq!(&plan, &choose(&route, &wanted, of_step, &limits, seed));
        prop_assert_eq!(plan.considered.len(), route.steps.iter().map(|step| step.providers.len()).sum::<usize>());
        let in_plan = |reason: &ChoiceReason| !matches!(reason, ChoiceReason::Excluded(_));
        let chosen = plan.considered.iter().filter(|considered| in_plan(&considered.reason)).count();
        prop_assert_eq!(chosen, plan.candidates.len());
        prop_assert!(plan.candidates.is_empty() || limits.ttl > limits.min_useful);
        let has_no_time = |it: &Considered| it.reason == ChoiceReason::Excluded(Exclusion::NoTime);
        prop_assert!(limits.ttl <= limits.min_useful || !plan.considered.iter().any(has_no_time));
        for candidate in &plan.candidates {
            let facts = about(&candidate.provider, candidate.channel);
            prop_assert!(facts.supports_channel && facts.supports_country && facts.content && !facts.paused);
            prop_assert!(!(payment && candidate.channel == Channel::WhatsApp));
            prop_assert!(!facts.breaker_open || plan.candidates.len() == 1);
        }
    }
}
