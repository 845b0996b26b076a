//! What the vendor remembers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_domain::{Channel, Clock, Moment, Secret};
use subtle::ConstantTimeEq as _;
use tokio::sync::{broadcast, watch};

use crate::callback::Postman;
use crate::course::{Answer, Course, Planned, Send, course};
use crate::dice::Dice;
use crate::handset::{Handset, Handsets};
use crate::journal::{Handling, Journal};
use crate::wire::{Detail, ReceiptBody, Submission};
use crate::{Account, Arrival, HandsetMessage, Mishap, Received, Refusal, Rule, Script, Steering};

/// How many messages can still be revoked or repeated; older ones are unknown.
const MAX_REMEMBERED: usize = 100_000;

/// Everything behind the HTTP interface. One per vendor, shared by its requests.
#[derive(Debug)]
pub(crate) struct Desk {
    accounts: Vec<Account>,
    seed: u64,
    clock: Arc<dyn Clock>,
    postman: Postman,
    pub(crate) handsets: Handsets,
    pub(crate) arrivals: broadcast::Sender<Arrival>,
    script: Mutex<Script>,
    outages: Mutex<Vec<Outage>>,
    counts: Mutex<HashMap<(String, Channel), u64>>,
    book: Mutex<Book>,
    pub(crate) journal: Journal,
    closing: watch::Sender<bool>,
}

/// How many arrivals a slow listener may be behind before it misses some.
const ARRIVALS: usize = 256;

#[derive(Debug)]
struct Outage {
    account: String,
    channel: Option<Channel>,
    mishap: Mishap,
}

/// The messages by the vendor's name and by the sender's.
#[derive(Debug, Default)]
struct Book {
    messages: HashMap<String, Arc<Message>>,
    by_message_id: HashMap<(String, String), String>,
    order: VecDeque<(String, Option<(String, String)>)>,
    count: u64,
}

/// One accepted message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    account: Account,
    submission: Submission,
    stage: Mutex<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    OnItsWay,
    Ended,
    Revoked,
}

/// What to answer to a send.
pub(crate) struct Ruling {
    pub(crate) latency: Duration,
    pub(crate) answer: Reply,
}

pub(crate) enum Reply {
    Accepted(Arc<Message>),
    Refused(Refusal),
    Never,
    CutOff(Arc<Message>),
    Garbage,
}

impl Desk {
    pub(crate) fn new(accounts: Vec<Account>, seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self {
            accounts,
            seed,
            postman: Postman::new(Arc::clone(&clock)),
            clock,
            handsets: Handsets::default(),
            arrivals: broadcast::Sender::new(ARRIVALS),
            script: Mutex::default(),
            outages: Mutex::default(),
            counts: Mutex::default(),
            book: Mutex::default(),
            journal: Journal::new(false),
            closing: watch::Sender::new(false),
        }
    }

    /// The account with this key.
    pub(crate) fn account(&self, key: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.key.reveal().as_bytes().ct_eq(key.as_bytes()).into())
    }

    pub(crate) fn follow(&self, script: Script) {
        *locked(&self.script) = script;
    }

    pub(crate) fn break_down(&self, account: &str, channel: Option<Channel>, mishap: Mishap) {
        let mut outages = locked(&self.outages);
        outages.retain(|outage| !(outage.account == account && outage.channel == channel));
        outages.push(Outage { account: account.to_owned(), channel, mishap });
    }

    pub(crate) fn recover(&self, account: &str) {
        locked(&self.outages).retain(|outage| outage.account != account);
    }

    /// How many sends have come on an account, over all channels and refused ones included; repeats are not counted.
    pub(crate) fn count(&self, account: &str) -> u64 {
        locked(&self.counts).iter().filter(|((name, _), _)| name == account).map(|(_, count)| count).sum()
    }

    pub(crate) fn look(&self, number: &str) -> Handset {
        self.handsets.look(number)
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Tells everything that waits to stop.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Ends when the vendor stops.
    pub(crate) async fn closed(&self) {
        // The sender is a field of `self`, so it cannot be gone.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// The same, and every request is written down.
    pub(crate) fn with_journal(self) -> Self {
        Self { journal: Journal::new(true), ..self }
    }

    /// Decides on a send and, if it is taken, sets it on its way.
    pub(crate) fn submit(self: &Arc<Self>, account: &Account, submission: Submission) -> Ruling {
        let entry = self.journal.entry(self.now(), &account.name, &submission);
        let (ruling, handling) = self.rule_on(account, submission);
        if let Some(entry) = entry {
            self.journal.write(Received { handling, ..entry });
        }
        ruling
    }

    fn rule_on(self: &Arc<Self>, account: &Account, submission: Submission) -> (Ruling, Handling) {
        if let Some(known) = self.known(account, &submission) {
            let ruling = Ruling { latency: Duration::ZERO, answer: Reply::Accepted(known) };
            return (ruling, Handling::Repeated);
        }
        let course = self.course(account, &submission);
        let latency = course.latency;
        let (answer, handling) = match course.answer {
            Answer::Refused(refusal) => (Reply::Refused(refusal), Handling::Refused),
            Answer::Never if course.arrival.is_none() => (Reply::Never, Handling::DroppedInSilence),
            Answer::Never => {
                self.set_off(account, submission, course);
                (Reply::Never, Handling::TakenInSilence)
            }
            said @ (Answer::Accepted | Answer::CutOff | Answer::Garbage) => {
                let (message, is_new) = self.set_off(account, submission, course);
                let handling = if is_new { Handling::Taken } else { Handling::Repeated };
                let answer = match said {
                    Answer::CutOff => Reply::CutOff(message),
                    Answer::Garbage => Reply::Garbage,
                    Answer::Accepted | Answer::Refused(_) | Answer::Never => Reply::Accepted(message),
                };
                (answer, handling)
            }
        };
        (Ruling { latency, answer }, handling)
    }

    /// Takes a message back.
    pub(crate) fn revoke(&self, account: &Account, id: &str) -> Result<(), Refusal> {
        let message = locked(&self.book).messages.get(id).cloned();
        let message = message.filter(|message| message.account.name == account.name);
        let message = message.ok_or(Refusal::UnknownMessage)?;
        let mut stage = locked(&message.stage);
        match *stage {
            Stage::OnItsWay | Stage::Revoked => {
                *stage = Stage::Revoked;
                Ok(())
            }
            Stage::Ended => Err(Refusal::TooLate),
        }
    }

    fn known(&self, account: &Account, submission: &Submission) -> Option<Arc<Message>> {
        let book = locked(&self.book);
        let key = (account.name.clone(), submission.message_id.clone()?);
        book.messages.get(book.by_message_id.get(&key)?).cloned()
    }

    fn course(&self, account: &Account, submission: &Submission) -> Course {
        let channel = submission.channel;
        let request = {
            let mut counts = locked(&self.counts);
            let count = counts.entry((account.name.clone(), channel)).or_default();
            *count += 1;
            *count
        };
        let mut rule = locked(&self.script).rule(&account.name, channel);
        self.switch(account, channel, &mut rule);
        let steering =
            if account.obeys_numbers { Steering::of(submission.to.reveal()) } else { Steering::Ordinary };
        let validity = Duration::from_secs(submission.validity_seconds);
        let dice = Dice::of(self.seed, &format!("{}/{channel}", account.name), request);
        course(Send { channel, validity, request }, steering, &rule, dice)
    }

    /// An outage that was switched on by hand comes before the script's.
    fn switch(&self, account: &Account, channel: Channel, rule: &mut Rule) {
        let outages = locked(&self.outages);
        let hit = |outage: &&Outage| {
            outage.account == account.name && outage.channel.is_none_or(|wanted| wanted == channel)
        };
        if let Some(outage) = outages.iter().rev().find(hit) {
            rule.outage = Some(outage.mishap);
        }
    }

    /// Sends a message on its way and says whether it is a new one.
    fn set_off(
        self: &Arc<Self>,
        account: &Account,
        submission: Submission,
        course: Course,
    ) -> (Arc<Message>, bool) {
        let (message, is_new) = self.enter(account, submission);
        if !is_new {
            return (message, false);
        }
        let (desk, traveller) = (Arc::clone(self), Arc::clone(&message));
        tokio::spawn(async move {
            tokio::select! {
                () = desk.travel(&traveller, course) => {}
                () = desk.closed() => {}
            }
        });
        (message, true)
    }

    /// Writes a message down, unless a repeat of it was faster.
    fn enter(&self, account: &Account, submission: Submission) -> (Arc<Message>, bool) {
        let mut book = locked(&self.book);
        let key = submission.message_id.clone().map(|message_id| (account.name.clone(), message_id));
        let known = key.as_ref().and_then(|key| book.messages.get(book.by_message_id.get(key)?));
        if let Some(known) = known {
            return (Arc::clone(known), false);
        }
        book.count += 1;
        let id = format!("sbx-{:08}", book.count);
        let message = Arc::new(Message {
            id: id.clone(),
            account: account.clone(),
            submission,
            stage: Mutex::new(Stage::OnItsWay),
        });
        book.messages.insert(id.clone(), Arc::clone(&message));
        if let Some(key) = key.clone() {
            book.by_message_id.insert(key, id.clone());
        }
        book.order.push_back((id, key));
        if book.order.len() > MAX_REMEMBERED
            && let Some((oldest, key)) = book.order.pop_front()
        {
            book.messages.remove(&oldest);
            key.and_then(|key| book.by_message_id.remove(&key));
        }
        (message, true)
    }

    /// One message from the answer to its last receipt.
    async fn travel(&self, message: &Message, course: Course) {
        tokio::time::sleep(course.departure).await;
        let reports = async {
            let mut passed = Duration::ZERO;
            for report in &course.reports {
                tokio::time::sleep(report.after.saturating_sub(passed)).await;
                passed = passed.max(report.after);
                self.report(message, *report).await;
            }
        };
        let arrival = async {
            if let Some(after) = course.arrival {
                tokio::time::sleep(after).await;
                self.arrive(message);
            }
        };
        // In this order, so that what is due at once has arrived when it is reported.
        tokio::join!(biased; arrival, reports);
    }

    fn arrive(&self, message: &Message) {
        let mut stage = locked(&message.stage);
        if *stage == Stage::Revoked {
            return;
        }
        *stage = Stage::Ended;
        let number = message.submission.to.reveal();
        let arrived = HandsetMessage {
            sequence: 0,
            id: message.id.clone(),
            account: message.account.name.clone(),
            channel: message.submission.channel,
            text: Secret::new(message.submission.text.reveal()),
            arrived_at: self.now(),
        };
        self.handsets.inbox(number).deliver(arrived.clone());
        // It fails when nobody listens.
        let _ = self.arrivals.send(Arrival { number: Secret::new(number), message: arrived });
    }

    async fn report(&self, message: &Message, planned: Planned) {
        let ends = planned.status.is_negative() || planned.status.is_positive();
        {
            let mut stage = locked(&message.stage);
            if *stage == Stage::Revoked {
                return;
            }
            if ends {
                *stage = Stage::Ended;
            }
        }
        let Some(url) = &message.submission.callback_url else { return };
        let receipt = ReceiptBody {
            id: &message.id,
            client_reference: &message.submission.client_reference,
            message_id: message.submission.message_id.as_deref(),
            status: planned.status.as_str(),
            error: planned.error.map(Detail::from),
            occurred_at: self.now().as_millis(),
        };
        let body = serde_json::to_vec(&receipt).expect("texts and numbers are always JSON");
        self.postman.post(url, &message.account.signing_key, body).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
