//! What every call passes before a service sees it: who calls, whether there is room, until when an answer is of use.
//!
//! Around it stand the call's span and its time. Refusals of the transport itself leave with the details that ours have.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use otter_contract::v1::ErrorReason;
use otter_delivery::Intake;
use otter_domain::Country;
use otter_runtime::{InFlight, Phase, Phases};
use otter_telemetry::{Metrics, RequestOutcome};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tonic::body::Body;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field, info_span};

use crate::Access;
use crate::callers::Identity;
use crate::error::{self, Problem};
use crate::methods::{self, Answer, Method};
use crate::open;

/// How long a call may take that names no deadline, or a later one. A stream has to begin by then.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The layer.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Keeper>);

/// What the gate asks.
struct Keeper {
    intake: Arc<Intake>,
    access: Arc<ArcSwap<Access>>,
    metrics: Arc<Metrics>,
    phases: Phases,
    calls: Arc<Semaphore>,
    /// What of `calls` may be calls that begin messages: the rest is left for checks, reads and cancels.
    sends: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// What a stream holds while it is open, and when it has to end.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// The caller's deadline.
    pub(crate) deadline: Option<Instant>,
    _room: Arc<Held>,
}

/// What a call holds while it runs.
#[derive(Debug)]
pub(crate) struct Held {
    _room: OwnedSemaphorePermit,
    _send: Option<OwnedSemaphorePermit>,
    _in_flight: InFlight,
}

impl Gate {
    pub(crate) fn new(
        intake: Arc<Intake>,
        access: Arc<ArcSwap<Access>>,
        metrics: Arc<Metrics>,
        phases: Phases,
        room: Room,
    ) -> Self {
        let [calls, sends, streams] =
            [room.calls, room.sends, room.streams].map(|places| Arc::new(Semaphore::new(places)));
        Self(Arc::new(Keeper { intake, access, metrics, phases, calls, sends, streams }))
    }
}

/// How much may run at once in this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) calls: usize,
    /// How many of the calls may begin messages.
    pub(crate) sends: usize,
    pub(crate) streams: usize,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, keeper: Arc::clone(&self.0) }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    keeper: Arc<Keeper>,
}

impl<S: fmt::Debug> fmt::Debug for Gated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gated").field(&self.inner).finish()
    }
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(method) = Method::at(request.uri().path()) else {
            return self.call_open(request);
        };
        let keeper = Arc::clone(&self.keeper);
        let began = keeper.intake.books().now();
        let span = span_of(method);
        let asked = timeout_of(request.headers());
        // The clock starts here, before that of the transport, whose refusal would have no details.
        let timer = sleep(asked.map_or(LONGEST_CALL, |asked| asked.min(LONGEST_CALL)));
        let deadline = asked.map(|asked| sleep(asked).deadline());
        let answer = match span.in_scope(|| keeper.admit(&mut request, method, deadline)) {
            // The service that was polled to be ready is the one that is called.
            Ok(held) => Ok((held, self.inner.call(request))),
            Err(status) => Err(status),
        };
        let observed = span.clone();
        let call = async move {
            let response = match answer {
                Ok((_held, answer)) => answered(answer, timer).await?,
                Err(status) => status.into_http(),
            };
            let response = error::completed(response);
            let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
            note(&observed, code);
            let took = keeper.intake.books().now().since(began);
            keeper.metrics.rpc(method.name(), error::code_name(code), took);
            Ok(response)
        };
        Box::pin(call.instrument(span))
    }
}

impl<S> Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    /// Calls what everybody may call. Of that only streams need room.
    fn call_open(&mut self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, S::Error>> {
        if !methods::is_open_stream(request.uri().path()) {
            let answer = self.inner.call(request);
            return Box::pin(async move { answer.await.map(error::completed) });
        }
        let phases = self.keeper.phases.clone();
        let held = match self.keeper.admit_open() {
            Ok(held) => Arc::new(held),
            Err(status) => return Box::pin(ready(Ok(status.into_http()))),
        };
        let answer = self.inner.call(open::asked(request, Arc::clone(&held), phases.clone()));
        Box::pin(async move {
            let response = answer.await.map(error::completed)?;
            Ok(open::told(response, held, phases))
        })
    }
}

/// The service's answer, or that it came too late. What was begun is left where it is: commits are single steps, so
/// nothing is half done, but it may have been done.
async fn answered<E>(
    answer: impl Future<Output = Result<Response<Body>, E>>,
    timer: Sleep,
) -> Result<Response<Body>, E> {
    tokio::select! {
        biased;
        response = answer => response,
        () = timer => Ok(Status::from(error::deadline()).into_http()),
    }
}

impl Keeper {
    /// Lets a call in: says whom it is from, and holds room for it.
    fn admit(
        &self,
        request: &mut Request<Body>,
        method: &Method,
        deadline: Option<Instant>,
    ) -> Result<Option<Held>, Status> {
        self.comes_in_time(method.answer)?;
        let identity = self.identify(request)?;
        if !identity.scopes.contains(&method.scope) {
            let scope = method.scope.as_str();
            let text = format!("the caller may not use this rpc: it lacks the scope {scope}");
            return Err(Problem::new(ErrorReason::ScopeMissing, text).with("scope", scope).into());
        }
        if !self.intake.setup().tenants.contains_key(&identity.tenant) {
            return Err(error::tenant_unknown().into());
        }
        Span::current().record("otter.tenant", identity.tenant.as_str());
        let held = self.hold(method).inspect_err(|_| {
            if method.is_counted() {
                self.metrics.request(None, Country::NONE, RequestOutcome::Shed);
            }
        })?;
        request.extensions_mut().insert(identity);
        match method.answer {
            Answer::Once => Ok(Some(held)),
            Answer::Stream => {
                request.extensions_mut().insert(Hold { deadline, _room: Arc::new(held) });
                Ok(None)
            }
        }
    }

    /// Lets a stream in that everybody may open.
    fn admit_open(&self) -> Result<Held, Status> {
        self.comes_in_time(Answer::Stream)?;
        self.hold_as(Answer::Stream, None)
    }

    /// Refuses what comes when the process has no time for it any more.
    fn comes_in_time(&self, answer: Answer) -> Result<(), Status> {
        let last = match answer {
            // A call that comes while its connection is asked to go was sent before its caller knew: it is served.
            Answer::Once => Phase::Draining,
            Answer::Stream => Phase::Leaving,
        };
        if self.phases.now() > last { Err(error::draining().into()) } else { Ok(()) }
    }

    fn hold(&self, method: &Method) -> Result<Held, Status> {
        let send = if method.begins_a_message() { Some(self.room(&self.sends)?) } else { None };
        self.hold_as(method.answer, send)
    }

    fn hold_as(&self, answer: Answer, send: Option<OwnedSemaphorePermit>) -> Result<Held, Status> {
        let (places, label) = match answer {
            Answer::Once => (&self.calls, "call"),
            Answer::Stream => (&self.streams, "stream"),
        };
        Ok(Held { _room: self.room(places)?, _send: send, _in_flight: self.phases.hold(label) })
    }

    /// Room for one more call; otherwise says whether it is ours to make or the store's.
    fn room(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(places).try_acquire_owned().map_err(|_| {
            let retry_after = self.intake.come_back(Duration::ZERO);
            if self.intake.books().is_any_stalled() {
                error::stalled(retry_after).into()
            } else {
                error::overloaded(retry_after).into()
            }
        })
    }

    /// A key decides if one is shown, otherwise the certificate of the connection.
    fn identify(&self, request: &Request<Body>) -> Result<Identity, Status> {
        let access = self.access.load();
        let identity = match key_of(request.headers())? {
            Some(key) => access.callers.by_key(key, self.intake.books().now()),
            None => {
                let connection = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
                let certificates = connection.and_then(TlsConnectInfo::peer_certs).ok_or_else(|| {
                    Problem::new(
                        ErrorReason::CredentialsMissing,
                        "the call has no API key in \"authorization: Bearer\" and no client certificate",
                    )
                })?;
                certificates.first().and_then(|certificate| access.callers.by_certificate(certificate))
            }
        };
        identity.ok_or_else(credentials_invalid)
    }
}

/// The API key that a call shows, if any.
fn key_of(headers: &HeaderMap) -> Result<Option<&[u8]>, Status> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = shown.next() else { return Ok(None) };
    let (scheme, key) = value.as_bytes().split_at_checked(7).ok_or_else(credentials_invalid)?;
    let is_one_bearer = scheme.eq_ignore_ascii_case(b"Bearer ") && shown.next().is_none();
    if is_one_bearer { Ok(Some(key)) } else { Err(credentials_invalid()) }
}

fn credentials_invalid() -> Status {
    Problem::new(ErrorReason::CredentialsInvalid, "the credentials are unknown, expired or revoked").into()
}

/// How long the caller waits, from `grpc-timeout`; what cannot be read is no deadline.
fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let shaped = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| shaped)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The call's span; what is empty is filled in by whoever knows it.
fn span_of(method: &Method) -> Span {
    info_span!(
        "call",
        otel.name = method.name(),
        otel.kind = "server",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = method.name(),
        rpc.status_code = field::Empty,
        otter.tenant = field::Empty,
        otter.verification.id = field::Empty,
        otter.channel = field::Empty,
        otter.country = field::Empty,
        otter.verify.outcome = field::Empty,
    )
}

fn note(span: &Span, code: Code) {
    span.record("rpc.status_code", error::code_name(code));
    let fault = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if fault {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, http::HeaderValue::from_bytes(value).expect("it may be in a header"));
        }
        headers
    }

    #[test]
    fn deadlines_are_read_in_every_unit_and_nonsense_is_none() {
        let check = |text: &str, expected: Option<Duration>| {
            assert_eq!(timeout_of(&headers("grpc-timeout", &[text.as_bytes()])), expected, "{text}");
        };
        check("2H", Some(Duration::from_secs(7200)));
        check("3M", Some(Duration::from_secs(180)));
        check("5S", Some(Duration::from_secs(5)));
        check("250m", Some(Duration::from_millis(250)));
        check("99999999u", Some(Duration::from_micros(99_999_999)));
        check("7n", Some(Duration::from_nanos(7)));
        for text in ["", "S", "5", "5s", "999999999S", "-5S", "+5S", "5 S", "ü"] {
            check(text, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_in_time_is_a_deadline_that_passed() {
        let second = Duration::from_secs(1);
        let never = std::future::pending::<Result<Response<Body>, std::convert::Infallible>>();
        let Ok(late) = answered(never, sleep(second)).await;
        let status = Status::from_header_map(late.headers()).expect("it is refused");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(!status.details().is_empty(), "ours come with details");
        let at_once = async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
        let Ok(answer) = answered(at_once, sleep(Duration::ZERO)).await;
        assert!(Status::from_header_map(answer.headers()).is_none());
    }

    #[test]
    fn a_key_is_one_bearer_token() {
        let check =
            |values: &[&[u8]]| key_of(&headers("authorization", values)).ok().flatten().map(<[u8]>::to_vec);
        assert_eq!(check(&[b"Bearer abc"]), Some(b"abc".to_vec()));
        assert_eq!(check(&[b"bearer \xff\xfe"]), Some(b"\xff\xfe".to_vec()));
        assert_eq!(check(&[b"Basic abc"]), None);
        assert_eq!(check(&[b"Bearer"]), None);
        assert_eq!(check(&[b"Bearer abc", b"Bearer def"]), None);
        assert!(key_of(&HeaderMap::new()).is_ok_and(|key| key.is_none()));
    }
}
