//! A caller that turns to another process when one does not answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_contract::v1::{SendOtpRequest, SendOtpResponse};
use tonic::transport::Endpoint;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use crate::client::{Authorized, authorized};
use crate::reach::{reached_nobody, told};
use crate::stopwatch::Stopwatch;

/// How long one process may take to answer a call.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long to wait after a call that was not answered, at first and at most; the pause doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// The contract at one process.
pub(crate) type Line = OtpServiceClient<Authorized>;

/// A caller over several processes. Cheap to clone; connections are made when needed and again when lost.
#[derive(Debug, Clone)]
pub struct Callers {
    urls: Arc<Vec<String>>,
    lines: Arc<Vec<Line>>,
    next: Arc<AtomicUsize>,
    repeated: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// Why a call was repeated that reached nobody: nobody listens at the address, or it never left its caller.
pub const REACHED_NOBODY: &str = "reached nobody";

/// Why a call has no answer.
#[derive(Debug, Clone)]
pub(crate) enum Unanswered {
    /// It was refused for good.
    Refused(Box<Status>),
    /// Nobody answered as long as it was asked. It may have been done.
    Silence,
    /// The server found a defect in itself.
    Defect(Box<Status>),
}

/// What a status asks of a caller.
enum Advice {
    Repeat,
    GiveUp,
    Report,
}

impl Callers {
    /// A caller over the processes that listen at these addresses, now or later. Must be called within a runtime.
    pub fn of(urls: impl IntoIterator<Item = String>) -> Self {
        let urls: Vec<String> = urls.into_iter().collect();
        let line = |url: &String| {
            let endpoint = Endpoint::from_shared(url.clone()).expect("the harness makes URLs");
            authorized(endpoint.timeout(DEADLINE).connect_timeout(DEADLINE).connect_lazy())
        };
        let lines = Arc::new(urls.iter().map(line).collect());
        Self { urls: Arc::new(urls), lines, next: Arc::default(), repeated: Arc::default() }
    }

    /// Where the processes listen.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// How many calls were repeated so far, by the reason that the status gave, or [`REACHED_NOBODY`], or what the
    /// transport says.
    pub fn repeated(&self) -> BTreeMap<String, usize> {
        self.repeated.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends as asked, by one process, once.
    pub async fn send(&self, request: SendOtpRequest) -> Result<SendOtpResponse, Status> {
        self.line().send_otp(request).await.map(Response::into_inner)
    }

    /// The next process in turn.
    pub(crate) fn line(&self) -> Line {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.lines[turn % self.lines.len()].clone()
    }

    /// Calls one process after the other until one answers or refuses for good, for as long as `patience`; at least
    /// once.
    pub(crate) async fn ask<T, F>(
        &self,
        patience: Duration,
        call: impl Fn(Line) -> F,
    ) -> Result<T, Unanswered>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let began = Stopwatch::start();
        let mut pause = FIRST_PAUSE;
        loop {
            let status = match call(self.line()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let advice = advice(&status);
            if matches!(advice, Advice::Repeat) {
                let mut repeated = self.repeated.lock().unwrap_or_else(PoisonError::into_inner);
                *repeated.entry(why_repeated(&status)).or_default() += 1;
            }
            match advice {
                Advice::GiveUp => return Err(Unanswered::Refused(Box::new(status))),
                Advice::Report => return Err(Unanswered::Defect(Box::new(status))),
                Advice::Repeat if began.elapsed() >= patience => return Err(Unanswered::Silence),
                Advice::Repeat => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn why_repeated(status: &Status) -> String {
    let details = status.get_error_details();
    if let Some(info) = details.error_info() {
        return info.reason.clone();
    }
    if reached_nobody(status) { REACHED_NOBODY.to_owned() } else { told(status) }
}

/// A status without a reason is not from Otter: the connection broke, or nobody listens.
fn advice(status: &Status) -> Advice {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { return Advice::Repeat };
    match info.reason.as_str() {
        "STORE_UNAVAILABLE" | "OVERLOADED" | "DRAINING" | "CONTENTION" | "DEADLINE_EXCEEDED" => {
            Advice::Repeat
        }
        "INTERNAL" => Advice::Report,
        _ => Advice::GiveUp,
    }
}
