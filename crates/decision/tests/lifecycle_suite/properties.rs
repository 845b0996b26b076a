//! What holds for every history, however the world behaves.

use otter_domain::*;
use proptest::prelude::*;

use super::history::*;

#[derive(Debug, Clone)]
enum Happens {
    Claim,
    Sent(Option<FailureClass>),
    SentTo(u8, Option<FailureClass>),
    Released,
    Skipped(Option<u64>),
    Pass(u64),
    Wait,
    Receipt(u8, ReceiptStatus),
    Resend(Option<Channel>),
    Cancel,
    Report(bool),
    RevokeSettled(u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    let class = prop::option::weighted(0.6, prop::sample::select(FailureClass::ALL.to_vec()));
    let status = prop::sample::select(ReceiptStatus::ALL.to_vec());
    let channel = prop::option::of(prop::sample::select(Channel::ALL.to_vec()));
    prop_oneof![
        6 => Just(Happens::Claim),
        6 => class.clone().prop_map(Happens::Sent),
        1 => (1..6_u8, class).prop_map(|(attempt, class)| Happens::SentTo(attempt, class)),
        1 => Just(Happens::Released),
        2 => prop::option::of(0..20_000_u64).prop_map(Happens::Skipped),
        4 => (0..20_000_u64).prop_map(Happens::Pass),
        4 => Just(Happens::Wait),
        2 => (1..6_u8, status).prop_map(|(attempt, status)| Happens::Receipt(attempt, status)),
        2 => channel.prop_map(Happens::Resend),
        1 => Just(Happens::Cancel),
        1 => any::<bool>().prop_map(Happens::Report),
        1 => (1..6_u8).prop_map(Happens::RevokeSettled),
    ]
}

fn apply(history: &mut History, what: &Happens) -> Vec<Effect> {
    let number = |number: u8| AttemptNumber::new(number).unwrap();
    let outcome = |class: Option<FailureClass>| match class {
        None => Ok(None),
        Some(class) => Err(Failure::new(class, ErrorClass::Unknown).with_retry_after(Some(seconds(2)))),
    };
    match what {
        Happens::Claim => {
            history.claim();
            Vec::new()
        }
        Happens::Sent(class) => {
            let attempt = history.current().number;
            let tries = history.current().tries;
            history.on(Event::Sent { attempt, tries, outcome: outcome(*class) })
        }
        Happens::SentTo(attempt, class) => {
            let tries = history.verification.attempt(number(*attempt)).map_or(1, |attempt| attempt.tries);
            history.on(Event::Sent { attempt: number(*attempt), tries, outcome: outcome(*class) })
        }
        Happens::Released => {
            let attempt = history.current().number;
            let tries = history.current().tries;
            history.on(Event::Released { attempt, tries })
        }
        Happens::Skipped(busy) => {
            let Attempt { number: attempt, tries, .. } = *history.current();
            let busy_until = busy.map(|millis| history.now + std::time::Duration::from_millis(millis));
            history.on(Event::Skipped { attempt, tries, busy_until })
        }
        Happens::Pass(millis) => {
            history.after(std::time::Duration::from_millis(*millis));
            Vec::new()
        }
        Happens::Wait if history.due_at().is_some() => history.wait(),
        Happens::Wait => Vec::new(),
        Happens::Receipt(attempt, status) => history.receipt(number(*attempt), *status),
        Happens::Resend(channel) => history.resend(*channel).unwrap_or_default(),
        Happens::Cancel => history.on(Event::Cancelled),
        Happens::Report(verified) => history.on(Event::Reported { verified: *verified, attempt: None }),
        Happens::RevokeSettled(attempt) => history.on(Event::RevokeSettled { attempt: number(*attempt) }),
    }
}

fn policy() -> impl Strategy<Value = LifecyclePolicy> {
    let codes = prop_oneof![
        Just(CodePolicy::Same),
        Just(CodePolicy::FreshReplace),
        (1..4_u8).prop_map(CodePolicy::FreshAcceptRecent),
    ];
    codes.prop_map(|codes| LifecyclePolicy { codes, ..LifecyclePolicy::default() })
}

/// What must be true of a verification whatever happened to it.
fn holds(history: &History) {
    let verification = &history.verification;
    let live = verification.attempts.iter().filter(|attempt| attempt.is_live());
    assert!(live.clone().count() <= 1, "at most one live attempt");
    assert!(
        live.clone().all(|attempt| Some(attempt.number) == verification.current().map(|a| a.number)),
        "only the current attempt is live"
    );
    let handed = verification.attempts.iter().filter(|attempt| attempt.tries > 0 || attempt.is_live());
    assert!(handed.count() <= usize::from(history.policy.resend.max_attempts));
    assert!(verification.slots.len() <= MAX_SLOTS);
    if !verification.is_pending() {
        assert!(verification.slots.is_empty(), "no code outlives its verification");
        assert!(live.clone().all(|attempt| matches!(attempt.phase, Phase::Claimed { .. })));
        assert!(verification.private.as_ref().is_none_or(|private| private.code.is_none()));
    }
    if verification.is_pending() {
        assert!(history.due_at().is_some_and(|at| at <= verification.expires_at), "nothing is forgotten");
        let valid = |attempt: &Attempt| {
            verification.slots.iter().any(|slot| slot.attempt.is_none_or(|number| number == attempt.number))
        };
        assert!(live.clone().all(valid), "a code on its way is valid");
    }
}

/// What must be true of what was counted: each outcome once, and in conversion only what can be credited (RTE-04).
fn counts_fit(history: &History) {
    let counted = observed(&history.effects);
    let count = |fits: &dyn Fn(Measure) -> bool| counted.iter().filter(|(_, measure)| fits(*measure)).count();
    let verification = &history.verification;
    let sent = verification.attempts.iter().filter(|attempt| attempt.is_outstanding()).count();
    let ambiguous = Measure::Failed(FailureClass::Ambiguous);
    assert_eq!(count(&|measure| measure == Measure::Accepted || measure == ambiguous), sent);
    let outcomes =
        count(&|measure| matches!(measure, Measure::Accepted | Measure::Failed(_) | Measure::Skipped));
    assert!(outcomes <= verification.attempts.len(), "{counted:?}");
    let uncredited = count(&|measure| measure == Measure::Uncredited);
    let verified = count(&|measure| matches!(measure, Measure::Verified(_)));
    let is_shared = history.policy.codes == CodePolicy::Same && sent > 1;
    match history.ending() {
        Some(Ending::Verified { by: Some(_) }) => assert_eq!((verified, uncredited), (1, 0), "{counted:?}"),
        Some(Ending::Verified { by: None }) => assert_eq!((verified, uncredited), (0, sent), "{counted:?}"),
        Some(Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled) | None => {
            assert_eq!((verified, uncredited), (0, if is_shared { sent } else { 0 }), "{counted:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_history_keeps_the_promises(
        policy in policy(),
        events in prop::collection::vec(happens(), 1..60),
    ) {
        let mut history = History::open(four_candidates(), policy);
        holds(&history);
        for event in &events {
            let before = history.verification.clone();
            let effects = apply(&mut history, event);
            holds(&history);
            counts_fit(&history);
            if let State::Ended { .. } = before.state {
                prop_assert_eq!(before.state, history.verification.state, "terminal stays terminal");
            }
            if dispatches(&effects, JobKind::Send) > 0 {
                prop_assert!(history.now < history.verification.send_before, "no dead code is dispatched");
                prop_assert!(history.verification.is_pending());
            }
        }
    }

    #[test]
    fn a_repeated_event_has_no_effects(events in prop::collection::vec(happens(), 1..40)) {
        let mut history = History::login();
        for event in &events {
            apply(&mut history, event);
            // A resend or a claim is a new wish each time; a wish to revoke is repeated by design until answered.
            let repeatable = match event {
                Happens::Claim | Happens::Resend(_) | Happens::Pass(_) | Happens::Released | Happens::Skipped(_)
                | Happens::Sent(_) | Happens::Wait => false,
                Happens::SentTo(..) | Happens::Receipt(..) | Happens::Cancel | Happens::Report(_)
                | Happens::RevokeSettled(_) => true,
            };
            let wanted = history.verification.attempts.iter().any(|a| a.revocation == Revocation::Wanted);
            if repeatable && !wanted {
                let before = history.verification.clone();
                let effects = apply(&mut history, event);
                prop_assert!(effects.is_empty(), "{event:?} had effects again: {effects:?}");
                prop_assert_eq!(before, history.verification.clone());
            }
        }
    }

    #[test]
    fn whatever_happens_time_ends_it(events in prop::collection::vec(happens(), 1..40)) {
        let mut history = History::login();
        for event in &events {
            apply(&mut history, event);
        }
        for _ in 0..40 {
            if history.due_at().is_none() {
                break;
            }
            history.wait();
        }
        prop_assert!(history.ending().is_some());
        prop_assert_eq!(history.due_at(), None);
        prop_assert_eq!(&history.verification.private, &None);
    }
}
