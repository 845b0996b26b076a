//! Vendors that take, refuse, hang, lose answers and report what they like, and a journal of what they were handed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    AttemptNumber, Channel, Clock, Code, Content, ErrorClass, Failure, FailureClass, MessageId, Moment,
    ProviderName, ProviderReference, ReceiptStatus, VerificationId,
};
use otter_provider::{Dispatch, Recall, RecallOutcome, Revoker, Sender};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::chance::Chance;
use crate::gate::Gate;
use crate::town::Town;
use crate::way::Broken;

/// How long a sender waits for an answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// One complete request to send that a vendor received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: VerificationId,
    pub(crate) attempt: AttemptNumber,
    pub(crate) provider: ProviderName,
    pub(crate) code: Code,
    pub(crate) at: Moment,
    pub(crate) send_before: Moment,
    /// Whether whoever sent it held the attempt by the store's word.
    pub(crate) is_held: bool,
    /// Whether it became a message.
    pub(crate) taken: bool,
}

/// One wish to take a message back.
#[derive(Debug, Clone)]
pub(crate) struct Recalled {
    pub(crate) id: VerificationId,
    pub(crate) attempt: AttemptNumber,
}

/// What a vendor answers to a complete request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Takes,
    Refuses(FailureClass, ErrorClass),
    /// It takes the message, and an error comes back all the same once it has reported that.
    Denies(FailureClass, ErrorClass, ReceiptStatus),
    /// The connection breaks before the answer is there.
    Breaks,
    /// The answer comes too late or never.
    Hangs,
    /// The same, and the sender does not keep its own deadline.
    HangsForEver,
}

/// Will say whether a report was answered.
type Told = oneshot::Receiver<bool>;

/// What becomes of one send.
#[derive(Debug)]
struct Course {
    connects_after: Option<Duration>,
    reply: Reply,
    is_taken: bool,
    answers_after: Duration,
    retry_after: Option<Duration>,
}

impl Course {
    fn draw(chance: &Chance) -> Self {
        use FailureClass::{Misconfigured, Rejected, Throttled, Unavailable, Unroutable};
        let reply = chance.weighted(&[
            (60, Reply::Takes),
            (4, Reply::Refuses(Rejected, ErrorClass::ContentRejected)),
            (4, Reply::Refuses(Unroutable, ErrorClass::InvalidDestination)),
            (5, Reply::Refuses(Throttled, ErrorClass::RateLimited)),
            (7, Reply::Refuses(Unavailable, ErrorClass::Provider5xx)),
            (1, Reply::Refuses(Misconfigured, ErrorClass::Auth)),
            (1, Reply::Denies(Rejected, ErrorClass::ContentRejected, ReceiptStatus::Sent)),
            (1, Reply::Denies(Throttled, ErrorClass::RateLimited, ReceiptStatus::Sent)),
            (2, Reply::Denies(Unavailable, ErrorClass::Provider5xx, ReceiptStatus::Delivered)),
            (1, Reply::Denies(Unavailable, ErrorClass::Provider5xx, ReceiptStatus::Undelivered)),
            (8, Reply::Breaks),
            (6, Reply::Hangs),
            (2, Reply::HangsForEver),
        ]);
        let is_taken = match reply {
            Reply::Takes | Reply::Denies(..) => true,
            Reply::Refuses(..) => false,
            Reply::Breaks | Reply::Hangs | Reply::HangsForEver => chance.percent(60),
        };
        let connects_after = (!chance.percent(4))
            .then(|| if chance.percent(25) { chance.millis(100, 2_900) } else { chance.millis(0, 40) });
        let answers_after =
            if chance.percent(12) { chance.millis(200, 2_900) } else { chance.millis(0, 150) };
        let retry_after = chance.percent(60).then(|| chance.millis(0, 5_000));
        Self { connects_after, reply, is_taken, answers_after, retry_after }
    }
}

/// Reports on a message, each so long after the one before.
fn reports(chance: &Chance) -> Vec<(Duration, ReceiptStatus)> {
    use ReceiptStatus::{Delivered, Expired, Read, Sent, Undelivered};
    const COURSES: [&[ReceiptStatus]; 11] = [
        &[],
        &[],
        &[Delivered],
        &[Sent, Delivered],
        &[Sent, Delivered, Read],
        &[Delivered, Sent],
        &[Delivered, Delivered],
        &[Undelivered],
        &[Undelivered, Delivered],
        &[Delivered, Undelivered],
        &[Sent, Expired],
    ];
    let after = || match chance.below(100) {
        0..35 => chance.millis(0, 60),
        35..80 => chance.millis(60, 5_000),
        80..95 => chance.millis(5_000, 40_000),
        _ => chance.millis(40_000, 120_000),
    };
    chance.pick(&COURSES).iter().map(|status| (after(), *status)).collect()
}

/// A process's way to a vendor.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) town: Weak<Town>,
    pub(crate) name: ProviderName,
    pub(crate) process: usize,
    pub(crate) gate: Arc<Gate>,
}

impl Line {
    fn town(&self) -> Arc<Town> {
        self.town.upgrade().expect("the town stands as long as anything runs in it")
    }

    /// Hands the request over, complete, unless it is too late; from then on the vendor goes its own way. Returns what
    /// will say whether its first report was answered, if it waits for that.
    async fn hand_over(&self, dispatch: &Dispatch, course: &Course) -> Result<Option<Told>, Failure> {
        let town = self.town();
        self.gate.pass().await;
        let Some(connects_after) = course.connects_after else {
            return Err(Failure::new(FailureClass::Unavailable, ErrorClass::Network));
        };
        sleep(connects_after).await;
        self.gate.pass().await;
        let is_late = dispatch.clock.now() >= dispatch.send_before || !dispatch.hold.is_held();
        if is_late && town.rules.broken != Broken::SenderIsLate {
            return Err(Failure::new(FailureClass::Unavailable, ErrorClass::Expired));
        }
        let is_held = town.holds(dispatch.verification, dispatch.attempt, self.process).await;
        for _ in 0..if town.rules.broken == Broken::SenderRepeats { 2 } else { 1 } {
            town.received(Request {
                id: dispatch.verification,
                attempt: dispatch.attempt,
                provider: self.name.clone(),
                code: code_in(&dispatch.content),
                at: town.clock.now(),
                send_before: dispatch.send_before,
                is_held,
                taken: course.is_taken,
            });
        }
        if course.is_taken {
            let reports = reports(&town.chance);
            let by_message_id = town.chance.percent(50).then_some(dispatch.message_id);
            let message = Message {
                id: dispatch.verification,
                attempt: dispatch.attempt,
                provider: self.name.clone(),
                by_message_id,
            };
            if let Reply::Denies(_, _, first) = course.reply {
                let (told, is_told) = oneshot::channel();
                tokio::spawn(async move {
                    // Whoever sent it may have gone.
                    let _ = told.send(town.tell(&message, first, true).await);
                    town.report(message, reports).await;
                });
                return Ok(Some(is_told));
            }
            tokio::spawn(async move { town.report(message, reports).await });
        }
        Ok(None)
    }

    async fn answer(
        &self,
        course: &Course,
        told: Option<Told>,
    ) -> Result<Option<ProviderReference>, Failure> {
        let ambiguous = |error| Failure::new(FailureClass::Ambiguous, error);
        sleep(course.answers_after).await;
        let is_reported = match told {
            Some(told) => told.await.is_ok_and(|is_told| is_told),
            None => false,
        };
        self.gate.pass().await;
        if course.is_taken && self.town().rules.broken == Broken::SenderDenies {
            return Err(Failure::new(FailureClass::Unavailable, ErrorClass::Provider5xx));
        }
        match course.reply {
            Reply::Denies(class, error, _) if is_reported => {
                self.town().note(format!("{} denies what it reported on", self.name));
                Err(Failure::new(class, error).with_retry_after(course.retry_after))
            }
            // What nobody could be told of is not denied: then nobody could know better.
            Reply::Takes | Reply::Denies(..) => Ok(ProviderReference::parse("message-1").ok()),
            Reply::Refuses(class, error) => {
                Err(Failure::new(class, error).with_retry_after(course.retry_after))
            }
            Reply::Breaks => Err(ambiguous(ErrorClass::Network)),
            Reply::Hangs | Reply::HangsForEver => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Sender for Line {
    async fn send(&self, dispatch: &Dispatch) -> Result<Option<ProviderReference>, Failure> {
        let course = Course::draw(&self.town().chance);
        let told = self.hand_over(dispatch, &course).await?;
        let answer = self.answer(&course, told);
        if course.reply == Reply::HangsForEver {
            return answer.await;
        }
        let late = Failure::new(FailureClass::Ambiguous, ErrorClass::Timeout);
        timeout(TIMEOUT, answer).await.unwrap_or(Err(late))
    }
}

#[async_trait]
impl Revoker for Line {
    async fn revoke(&self, recall: &Recall) -> Result<RecallOutcome, Failure> {
        let town = self.town();
        self.gate.pass().await;
        sleep(town.chance.millis(0, 200)).await;
        self.gate.pass().await;
        town.recalled(Recalled { id: recall.verification, attempt: recall.attempt });
        sleep(town.chance.millis(0, 200)).await;
        self.gate.pass().await;
        match town.chance.below(10) {
            0..5 => Ok(RecallOutcome::Revoked),
            5..7 => Ok(RecallOutcome::TooLate),
            7 => Err(Failure::new(FailureClass::Unavailable, ErrorClass::Network)),
            8 => Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)),
            _ => std::future::pending().await,
        }
    }
}

/// A message as its vendor knows it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: VerificationId,
    pub(crate) attempt: AttemptNumber,
    pub(crate) provider: ProviderName,
    pub(crate) by_message_id: Option<MessageId>,
}

fn code_in(content: &Content) -> Code {
    let text = match content {
        Content::Sms(sms) => sms.text.reveal(),
        Content::Rcs(rcs) => rcs.text.reveal(),
        Content::WhatsApp(call) => return call.code.clone(),
        Content::Voice(spoken) => return spoken.code.clone(),
    };
    let mut words = text.split(|letter: char| !letter.is_ascii_digit());
    words.find_map(|word| Code::parse(word).ok()).expect("the text contains a code")
}

/// The providers of the route, with their channels, in its order.
pub(crate) const ROUTE: [(Channel, &[&str]); 2] =
    [(Channel::Sms, &["alpha", "beta"]), (Channel::Rcs, &["gamma"])];
