//! Providers that do what a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{Code, Content, ErrorClass, Failure, FailureClass, ProviderReference};
use otter_provider::{Dispatch, Recall, RecallOutcome, Revoker, Sender};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

pub(crate) type Answer = Result<Option<ProviderReference>, Failure>;

/// The longest that a test waits for something to happen, on paused time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a send comes to.
#[derive(Debug)]
enum Outcome {
    Answer(Answer),
    Panic,
}

/// A send that waits for the test to say what comes of it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) dispatch: Dispatch,
    pub(crate) at: Instant,
    outcome: oneshot::Sender<Outcome>,
}

impl Call {
    pub(crate) fn accept(self) {
        self.answer(Ok(ProviderReference::parse("message-1").ok()));
    }

    pub(crate) fn fail(self, class: FailureClass) {
        self.answer(Err(Failure::new(class, ErrorClass::Unknown)));
    }

    pub(crate) fn answer(self, answer: Answer) {
        self.outcome.send(Outcome::Answer(answer)).expect("the worker still waits for the answer");
    }

    pub(crate) fn panic(self) {
        self.outcome.send(Outcome::Panic).expect("the worker still waits for the answer");
    }

    /// The code in the message.
    pub(crate) fn code(&self) -> Code {
        code_in(&self.dispatch)
    }
}

fn code_in(dispatch: &Dispatch) -> Code {
    let text = match &dispatch.content {
        Content::Sms(sms) => sms.text.reveal(),
        Content::Rcs(rcs) => rcs.text.reveal(),
        Content::WhatsApp(call) => return call.code.clone(),
        Content::Voice(spoken) => return spoken.code.clone(),
    };
    let words = text.split(|letter: char| !letter.is_ascii_digit());
    words.into_iter().find_map(|word| Code::parse(word).ok()).expect("the text contains a code")
}

/// A wish to take a message back that waits for the test to say what comes of it.
#[derive(Debug)]
pub(crate) struct Revoke {
    pub(crate) recall: Recall,
    outcome: oneshot::Sender<Result<RecallOutcome, Failure>>,
}

impl Revoke {
    pub(crate) fn answer(self, answer: Result<RecallOutcome, Failure>) {
        self.outcome.send(answer).expect("the worker still waits for the answer");
    }
}

/// One provider of a test.
#[derive(Debug)]
pub(crate) struct Vendor {
    calls: UnboundedSender<Call>,
    revokes: UnboundedSender<Revoke>,
    waiting: tokio::sync::Mutex<UnboundedReceiver<Call>>,
    waiting_revokes: tokio::sync::Mutex<UnboundedReceiver<Revoke>>,
    /// Answers at once after this long, without a test's doing.
    by_itself: Mutex<Option<(Duration, Answer)>>,
    /// When each send began.
    pub(crate) begun: Mutex<Vec<Instant>>,
    running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
}

impl Vendor {
    pub(crate) fn new() -> Arc<Self> {
        let (calls, waiting) = mpsc::unbounded_channel();
        let (revokes, waiting_revokes) = mpsc::unbounded_channel();
        Arc::new(Self {
            calls,
            revokes,
            waiting: waiting.into(),
            waiting_revokes: waiting_revokes.into(),
            by_itself: Mutex::default(),
            begun: Mutex::default(),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        })
    }

    /// From now on every send is answered after a time.
    pub(crate) fn answers_by_itself(&self, after: Duration, answer: Answer) {
        *self.by_itself.lock().unwrap() = Some((after, answer));
    }

    /// The next send that reaches the provider.
    pub(crate) async fn next(&self) -> Call {
        let mut waiting = self.waiting.lock().await;
        timeout(PATIENCE, waiting.recv()).await.expect("a send reaches the provider").unwrap()
    }

    pub(crate) async fn next_revoke(&self) -> Revoke {
        let mut waiting = self.waiting_revokes.lock().await;
        timeout(PATIENCE, waiting.recv()).await.expect("a revoke reaches the provider").unwrap()
    }

    /// Whether no send has reached the provider that the test has not taken.
    pub(crate) async fn is_idle(&self) -> bool {
        self.waiting.lock().await.is_empty()
    }

    pub(crate) async fn has_no_revoke(&self) -> bool {
        self.waiting_revokes.lock().await.is_empty()
    }

    /// How many sends reached the provider.
    pub(crate) fn count(&self) -> usize {
        self.begun.lock().unwrap().len()
    }
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Sender for Vendor {
    async fn send(&self, dispatch: &Dispatch) -> Answer {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(now, Ordering::SeqCst);
        let _running = Running(&self.running);
        self.begun.lock().unwrap().push(Instant::now());
        let by_itself = self.by_itself.lock().unwrap().clone();
        if let Some((after, answer)) = by_itself {
            tokio::time::sleep(after).await;
            return answer;
        }
        let (outcome, answered) = oneshot::channel();
        self.calls.send(Call { dispatch: dispatch.clone(), at: Instant::now(), outcome }).unwrap();
        match answered.await {
            Ok(Outcome::Answer(answer)) => answer,
            Ok(Outcome::Panic) => panic!("could not send {}", code_in(dispatch).reveal()),
            // The test has let the call go: it never ends.
            Err(_) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Revoker for Vendor {
    async fn revoke(&self, recall: &Recall) -> Result<RecallOutcome, Failure> {
        let (outcome, answered) = oneshot::channel();
        self.revokes.send(Revoke { recall: recall.clone(), outcome }).unwrap();
        match answered.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }
}
