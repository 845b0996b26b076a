//! Who goes next after a failure, by what it speaks of.

use otter_domain::*;

use super::history::*;

/// One account for SMS and voice, then another for SMS.
fn two_accounts() -> Vec<Candidate> {
    vec![
        candidate("alpha", Channel::Sms),
        candidate("alpha", Channel::Voice),
        candidate("beta", Channel::Sms),
    ]
}

fn next_after(class: FailureClass, speaks_of: SpeaksOf) -> (String, Channel) {
    let mut history = History::open(two_accounts(), LifecyclePolicy::default());
    history.fails(Failure::new(class, ErrorClass::Unknown).speaking_of(speaks_of));
    (history.current_provider().to_owned(), history.current().channel)
}

#[test]
fn an_accounts_other_channels_are_tried_unless_the_account_itself_is_wrong() {
    for class in [FailureClass::Misconfigured, FailureClass::Rejected] {
        for narrow in [SpeaksOf::Channel, SpeaksOf::Sender, SpeaksOf::Template] {
            assert_eq!(next_after(class, narrow), ("alpha".to_owned(), Channel::Voice), "{class} {narrow}");
        }
        let account = next_after(class, SpeaksOf::Account);
        assert_eq!(account, ("beta".to_owned(), Channel::Sms), "{class}");
    }
}

#[test]
fn a_person_whom_one_vendor_refuses_is_another_vendors() {
    let refused = next_after(FailureClass::Rejected, SpeaksOf::Person);
    assert_eq!(refused, ("beta".to_owned(), Channel::Sms));
}

#[test]
fn a_person_who_cannot_be_reached_is_tried_on_another_channel_whatever_the_account() {
    let away = next_after(FailureClass::Unroutable, SpeaksOf::Person);
    assert_eq!(away, ("alpha".to_owned(), Channel::Voice));
}

#[test]
fn what_a_receipt_says_of_a_sender_leaves_that_sender_out_like_an_answer() {
    let mut history = History::open(two_accounts(), LifecyclePolicy::default());
    history.sends(Ok(()));
    let sender = Failure::new(FailureClass::Misconfigured, ErrorClass::Auth).speaking_of(SpeaksOf::Sender);
    history.receipt_because(AttemptNumber::FIRST, ReceiptStatus::Undelivered, Some(sender));
    assert_eq!((history.current_provider(), history.current().channel), ("alpha", Channel::Voice));
    history.fails(sender);
    assert_eq!((history.current_provider(), history.current().channel), ("beta", Channel::Sms));
}

#[test]
fn a_failed_attempt_keeps_what_it_spoke_of_and_the_vendors_code() {
    let mut history = History::open(two_accounts(), LifecyclePolicy::default());
    let code = VendorCode::parse("ThrottlingException").unwrap();
    let failure = Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)
        .speaking_of(SpeaksOf::Sender)
        .with_vendor_code(code);
    history.fails(Failure { unlisted: true, ..failure });
    let ended = &history.verification.attempts[0].phase;
    assert!(matches!(ended, Phase::Ended { how: AttemptEnd::Failed(kept), .. } if *kept == failure));
}
