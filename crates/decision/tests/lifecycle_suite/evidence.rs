//! What is counted of an attempt, and what is taken out of conversion because nobody can be credited (RTE-04).

use otter_domain::*;

use super::history::*;

fn history_of(codes: CodePolicy) -> History {
    let policy = LifecyclePolicy { codes, ..LifecyclePolicy::default() };
    History::open(four_candidates(), policy)
}

/// The first provider takes it and stays silent, the second takes it too. What the second counts.
fn both_sent(codes: CodePolicy) -> (History, Vec<(usize, Measure)>) {
    let mut history = history_of(codes);
    history.sends(Ok(()));
    history.wait();
    let counted = observed(&history.sends(Ok(())));
    (history, counted)
}

const RECENT: CodePolicy = CodePolicy::FreshAcceptRecent(3);

#[test]
fn rte_04_attempts_that_share_a_code_leave_conversion_when_the_second_is_sent() {
    let (mut history, counted) = both_sent(CodePolicy::Same);
    assert_eq!(counted, [(2, Measure::Accepted), (1, Measure::Uncredited), (2, Measure::Uncredited)]);
    history.wait();
    let third = observed(&history.sends(Err(FailureClass::Ambiguous)));
    let ambiguous = Measure::Failed(FailureClass::Ambiguous);
    assert_eq!(third, [(3, ambiguous), (3, Measure::Uncredited)], "each leaves once");
    let reported = history.on(Event::Reported { verified: true, attempt: None });
    assert_eq!(history.ending(), Some(Ending::Verified { by: None }));
    assert_eq!(observed(&reported), [], "all of them are out already");
}

#[test]
fn rte_04_a_shared_code_is_credited_to_the_only_attempt_that_was_sent() {
    let mut history = history_of(CodePolicy::Same);
    history.sends(Ok(()));
    history.wait();
    let refused = Measure::Failed(FailureClass::Rejected);
    assert_eq!(observed(&history.sends(Err(FailureClass::Rejected))), [(2, refused)]);
    let reported = observed(&history.on(Event::Reported { verified: true, attempt: None }));
    assert_eq!(history.ending(), Some(Ending::Verified { by: Some(AttemptNumber::FIRST) }));
    assert!(matches!(reported.as_slice(), [(1, Measure::Verified(_))]), "{reported:?}");
}

#[test]
fn rte_04_codes_of_their_own_keep_every_attempt_in_conversion() {
    for codes in [RECENT, CodePolicy::FreshReplace] {
        let (mut history, counted) = both_sent(codes);
        assert_eq!(counted, [(2, Measure::Accepted)], "{codes:?}");
        let second = AttemptNumber::new(2);
        let reported = observed(&history.on(Event::Reported { verified: true, attempt: second }));
        assert!(matches!(reported.as_slice(), [(2, Measure::Verified(_))]), "{reported:?}");
    }
}

#[test]
fn rte_04_a_success_of_which_nobody_knows_the_code_takes_all_of_them_out() {
    for codes in [RECENT, CodePolicy::FreshReplace] {
        let (mut history, _) = both_sent(codes);
        let reported = observed(&history.on(Event::Reported { verified: true, attempt: None }));
        assert_eq!(history.ending(), Some(Ending::Verified { by: None }));
        assert_eq!(reported, [(1, Measure::Uncredited), (2, Measure::Uncredited)], "{codes:?}");
    }
}

#[test]
fn rte_04_what_is_sent_when_nobody_could_be_credited_leaves_when_it_is_booked() {
    let mut history = history_of(CodePolicy::Same);
    history.sends(Ok(()));
    history.wait();
    assert!(history.claim());
    let reported = observed(&history.on(Event::Reported { verified: true, attempt: None }));
    assert_eq!(reported, [(1, Measure::Uncredited)], "the other one may have arrived while it was sent");
    let booked = observed(&history.sent(Ok(())));
    assert_eq!(booked, [(2, Measure::Accepted), (2, Measure::Uncredited)]);
}

#[test]
fn rte_04_a_caller_who_names_the_attempt_of_a_shared_code_cannot_know() {
    let (mut history, _) = both_sent(CodePolicy::Same);
    let reported = history.on(Event::Reported { verified: true, attempt: AttemptNumber::new(2) });
    assert_eq!(history.ending(), Some(Ending::Verified { by: AttemptNumber::new(2) }));
    assert_eq!(observed(&reported), [], "its attempt is out of the denominator already");
}

#[test]
fn a_refused_try_is_the_outcome_unless_a_later_try_has_one() {
    let refused = Measure::Failed(FailureClass::Unavailable);
    let again = || {
        let mut history = History::login();
        assert_eq!(observed(&history.sends(Err(FailureClass::Unavailable))), [], "it is tried again");
        history.wait();
        history
    };
    let mut skipped = again();
    assert!(skipped.claim());
    let effects = skipped.on(Event::Skipped { attempt: AttemptNumber::FIRST, tries: 2, busy_until: None });
    assert_eq!(observed(&effects), [(1, refused)], "its retry met an open breaker");

    let mut taken = again();
    assert_eq!(observed(&taken.sends(Ok(()))), [(1, Measure::Accepted)]);

    let mut failed = again();
    let rejected = Measure::Failed(FailureClass::Rejected);
    assert_eq!(observed(&failed.sends(Err(FailureClass::Rejected))), [(1, rejected)]);

    let mut unclaimed = again();
    assert_eq!(observed(&unclaimed.wait()), [(1, refused)], "nobody claimed it a second time");

    let mut cancelled = again();
    assert_eq!(observed(&cancelled.on(Event::Cancelled)), [(1, refused)]);

    let mut given_back = History::login();
    assert!(given_back.claim());
    given_back.on(Event::Released { attempt: AttemptNumber::FIRST, tries: 1 });
    assert!(given_back.claim());
    let effects = given_back.on(Event::Skipped { attempt: AttemptNumber::FIRST, tries: 2, busy_until: None });
    assert_eq!(observed(&effects), [(1, Measure::Skipped)], "a job that was given back was not refused");
}

#[test]
fn rte_04_a_success_that_is_reported_when_a_worker_is_lost_takes_both_messages_out_once() {
    let mut history = history_of(CodePolicy::Same);
    history.sends(Ok(()));
    history.wait();
    assert!(history.claim());
    history.after(seconds(6));
    let reported = observed(&history.on(Event::Reported { verified: true, attempt: None }));
    let ambiguous = Measure::Failed(FailureClass::Ambiguous);
    assert_eq!(reported, [(2, ambiguous), (2, Measure::Uncredited), (1, Measure::Uncredited)]);
}
