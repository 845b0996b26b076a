//! No code is sent that nobody could check, and what keeps it back can be lifted (SEC-05).

use std::time::Duration;

use otter_decision::challenge;
use otter_delivery::{Person, Refusal, ResendRequest, SendRequest, Sent};
use otter_domain::{
    Channel, ChannelClass, CheckVerdict, ChoiceReason, Code, Ending, Exclusion, FailureClass, HappeningKind,
    PhoneNumber, ReceiptStatus, ShutClass, Subject, Verification, VerificationId,
};
use otter_store::{Commit, Nonce, Store};
use tokio::time::sleep;

use crate::house::{House, NUMBER, Plan, id_of, provider, seconds, tenant};
use crate::journeys::{ending, is_accepted};
use crate::store::Op;

/// SMS first, then RCS.
fn two_classes() -> Plan {
    Plan::of(vec![(Channel::Sms, vec!["alpha"]), (Channel::Rcs, vec!["rich"])])
}

fn wrong() -> Code {
    Code::parse("0000000000").unwrap()
}

impl House {
    fn only(&self, channel: Channel) -> SendRequest {
        SendRequest { allowed: vec![channel], ..self.request() }
    }

    async fn accept_send(&self, request: SendRequest) -> Sent {
        self.front.intake.send(request).await.unwrap()
    }

    async fn miss(&self, id: VerificationId, times: usize) {
        for _ in 0..times {
            let verdict = self.check(id, &wrong()).await;
            assert!(matches!(verdict, CheckVerdict::Wrong { .. }), "{verdict:?}");
        }
    }

    /// Ten wrong codes in a row over a channel, as somebody types them who waits where he has to.
    async fn ten_wrong_codes(&self, channel: Channel) {
        self.miss(id_of(&self.accept_send(self.only(channel)).await), 5).await;
        sleep(seconds(31)).await;
        self.miss(id_of(&self.accept_send(self.only(channel)).await), 5).await;
    }

    /// From now on every message is taken at once.
    fn all_accept(&self) {
        for vendor in self.vendors.values() {
            vendor.answers_by_itself(Duration::ZERO, Ok(None));
        }
    }
}

fn person() -> Person {
    Person { tenant: tenant("shop"), number: PhoneNumber::parse(NUMBER).unwrap(), subject: None }
}

fn uncheckable(sent: Result<Sent, Refusal>) -> Vec<ShutClass> {
    match sent {
        Err(Refusal::Uncheckable(shut)) => shut,
        other => panic!("it is not refused for its checks: {other:?}"),
    }
}

fn reasons(sent: &Sent) -> Vec<ChoiceReason> {
    sent.plan.as_ref().unwrap().considered.iter().map(|one| one.reason.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn sec_05_after_ten_wrong_codes_the_other_class_is_used_and_else_the_send_is_refused() {
    let (house, _worker) = House::open(two_classes()).await;
    house.all_accept();
    house.ten_wrong_codes(Channel::Sms).await;

    let commits = house.front.store.calls(Op::Commit);
    let sent = house.accept_send(house.request()).await;
    assert_eq!(sent.plan.as_ref().unwrap().candidates[0].channel, Channel::Rcs);
    let kept_back = ChoiceReason::Excluded(Exclusion::ChecksWaiting);
    assert_eq!(reasons(&sent), [kept_back.clone(), ChoiceReason::Priority { place: 1 }]);
    assert_eq!(
        house.front.store.calls(Op::Commit) - commits,
        2,
        "one that was refused, and one that was done"
    );

    // After the tenth failure in a row a check waits 960 s.
    let shut = uncheckable(house.front.intake.send(house.only(Channel::Sms)).await);
    let [ShutClass { class: ChannelClass::Pstn, retry_after: Some(wait) }] = shut.as_slice() else {
        panic!("{shut:?}")
    };
    assert!(*wait <= seconds(960) && *wait > seconds(950), "{wait:?}");
    let explained = house.accept_send(SendRequest { dry_run: true, ..house.only(Channel::Sms) }).await;
    assert_eq!(reasons(&explained)[0], kept_back, "a dry run tells the same");
    assert!(explained.plan.unwrap().candidates.is_empty());

    sleep(*wait).await;
    let code = Code::parse("918273").unwrap();
    let request = SendRequest { code: Some(code.clone()), ..house.only(Channel::Sms) };
    let id = id_of(&house.accept_send(request).await);
    assert!(matches!(house.check(id, &code).await, CheckVerdict::Verified { .. }), "and it can be checked");
}

#[tokio::test(start_paused = true)]
async fn sec_05_wrong_codes_under_the_number_of_before_keep_todays_shut_until_they_are_lifted() {
    let (house, _worker) = House::open(two_classes()).await;
    house.all_accept();
    let number = PhoneNumber::parse("+52 1 55 1234 5678").unwrap();
    let (recipient, hash) = challenge::former_recipient(&house.keys().install, &number).unwrap();
    let home = house.front.books.store().partitions().of_hash(hash);
    let like = house.load(id_of(&house.accept_send(house.only(Channel::Sms)).await)).await;
    for draw in 1..=2 {
        let id = VerificationId::new(like.created_at, home, [draw; 8]);
        let before = Commit {
            expected: None,
            next: Verification { id, recipient: recipient.clone(), ..like.clone() },
            effects: Vec::new(),
            due: None,
            nonce: Nonce(u64::from(draw)),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        };
        house.memory.commit(home, vec![before]).await.unwrap();
        house.miss(id, 5).await;
        sleep(seconds(31)).await;
    }
    let person = Person { number: number.clone(), ..person() };
    let counted = house.front.intake.failed_checks(&person).await.unwrap();
    assert_eq!(counted.iter().map(|counter| counter.count).collect::<Vec<_>>(), [10]);
    let to = |channel| SendRequest { number: number.clone(), ..house.only(channel) };
    let shut = uncheckable(house.front.intake.send(to(Channel::Sms)).await);
    assert_eq!(shut.iter().map(|shut| shut.class).collect::<Vec<_>>(), [ChannelClass::Pstn]);
    house.accept_send(to(Channel::Rcs)).await;
    let (author, reason) = ("ops".to_owned(), "it was me".to_owned());
    let lifted = house.front.intake.lift_checks(&person, vec![ChannelClass::Pstn], author, reason).await;
    assert_eq!(lifted.unwrap().len(), 1);
    house.accept_send(to(Channel::Sms)).await;
}

#[tokio::test(start_paused = true)]
async fn sec_05_a_wait_that_is_over_in_time_keeps_no_code_back() {
    let (house, _worker) = House::open(two_classes()).await;
    house.all_accept();
    house.miss(id_of(&house.accept_send(house.only(Channel::Sms)).await), 5).await;
    let commits = house.front.store.calls(Op::Commit);
    let sent = house.accept_send(house.request()).await;
    assert_eq!(house.front.store.calls(Op::Commit) - commits, 1, "nothing is asked twice");
    assert_eq!(sent.plan.unwrap().candidates.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sec_05_a_lock_says_so_and_is_lifted_by_an_operator() {
    let mut plan = two_classes();
    plan.tenant.purposes.values_mut().for_each(|login| login.budget = 100);
    let (house, _worker) = House::open(plan).await;
    house.all_accept();
    house.miss(id_of(&house.accept_send(house.only(Channel::Sms)).await), 100).await;
    let locked = ShutClass { class: ChannelClass::Pstn, retry_after: None };
    assert_eq!(uncheckable(house.front.intake.send(house.only(Channel::Sms)).await), [locked]);
    let sent = house.accept_send(house.request()).await;
    assert_eq!(reasons(&sent)[0], ChoiceReason::Excluded(Exclusion::ChecksLocked));
    let again = house.resend_request(id_of(&sent), None);
    sleep(seconds(31)).await;
    let refused = house.front.intake.resend(ResendRequest { channel: Some(Channel::Sms), ..again }).await;
    assert!(matches!(&refused, Err(Refusal::Uncheckable(shut)) if *shut == [locked]), "{refused:?}");

    let failed = house.front.intake.failed_checks(&person()).await.unwrap();
    assert_eq!(failed.iter().map(|counter| counter.count).collect::<Vec<_>>(), [100]);
    let account = Person { subject: Some(Subject::parse("account-7").unwrap()), ..person() };
    assert_eq!(
        house.front.intake.failed_checks(&account).await.unwrap(),
        [],
        "an account has its own counters"
    );

    let (author, reason) = ("shop/ops".to_owned(), "she called".to_owned());
    let classes = vec![ChannelClass::Pstn];
    let lifted =
        house.front.intake.lift_checks(&person(), classes.clone(), author.clone(), reason.clone()).await;
    assert_eq!(lifted.unwrap(), failed);
    let told = house.told(failed[0].last_in).await;
    let kind = HappeningKind::ChecksLifted {
        class: ChannelClass::Pstn,
        failures: 100,
        author: author.clone(),
        reason: reason.clone(),
    };
    assert_eq!(told.last(), Some(&kind));
    house.accept_send(house.only(Channel::Sms)).await;
    let lifted = house.front.intake.lift_checks(&person(), classes, author, reason).await.unwrap();
    assert_eq!(lifted, [], "there is nothing left");
}

#[tokio::test(start_paused = true)]
async fn sec_05_a_failover_goes_to_nobody_whose_class_was_locked_meanwhile() {
    let (house, _worker) = House::open(two_classes()).await;
    house.vendor("rich").answers_by_itself(Duration::ZERO, Ok(None));
    house.miss(id_of(&house.accept_send(house.only(Channel::Rcs)).await), 5).await;
    sleep(seconds(31)).await;
    let id = id_of(&house.accept_send(house.request()).await);
    let call = house.vendor("alpha").next().await;
    // Another verification's wrong codes shut the class that would be next.
    house.miss(id_of(&house.accept_send(house.only(Channel::Rcs)).await), 5).await;
    let messages = house.vendor("rich").count();
    call.fail(FailureClass::Unroutable);
    let ended = house.until(id, |it| !it.is_pending()).await;
    assert_eq!((ended.attempts.len(), ending(&ended)), (1, Some(Ending::Failed)), "nobody is left");
    assert_eq!(house.vendor("rich").count(), messages, "and nothing was sent that could not be checked");
}

#[tokio::test(start_paused = true)]
async fn sec_05_a_resend_uses_the_class_that_is_open() {
    let (house, _worker) = House::open(two_classes()).await;
    let id = id_of(&house.accept_send(house.request()).await);
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    house.all_accept();
    house.ten_wrong_codes(Channel::Rcs).await;
    let over_app = ResendRequest { channel: Some(Channel::Rcs), ..house.resend_request(id, None) };
    let refused = house.front.intake.resend(over_app).await;
    assert!(
        matches!(&refused, Err(Refusal::Uncheckable(shut)) if shut[0].class == ChannelClass::App),
        "{refused:?}"
    );
    let resent = house.front.intake.resend(house.resend_request(id, None)).await.unwrap();
    assert_eq!(resent.verification.current().map(|attempt| attempt.channel), Some(Channel::Sms));
}
