//! One callback, from its head to its answer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use otter_delivery::{BooksError, Desk, Setup};
use otter_domain::{Clock, ProviderName};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, ReceiptDecoder, Report};
use otter_runtime::Phases;
use otter_telemetry::{Metrics, RejectedReceipt};
use tokio::time::timeout;
use tracing::{Instrument, debug, field, info_span, warn};

use crate::body::Unread;
use crate::booking::Booking;
use crate::gates::{Gates, Pass, Room};
use crate::{Limits, answer, body, prefix};

const PLAIN: &str = "/receipts/{provider}";
const WITH_TOKEN: &str = "/receipts/{provider}/{token}";

/// The label of requests that matched no route or were never read.
const NO_ROUTE: &str = "none";

/// What answers callbacks.
#[derive(Debug)]
pub(crate) struct Ingress {
    pub(crate) desk: Desk,
    pub(crate) setup: Arc<ArcSwap<Setup>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) gates: Gates,
    pub(crate) phases: Phases,
}

/// Whom a path names, and which message.
struct Address {
    provider: String,
    token: Option<String>,
}

type Shared = State<Arc<Ingress>>;

/// The routes of an ingress.
pub(crate) fn routes(ingress: Arc<Ingress>) -> Router {
    Router::new()
        .route(PLAIN, any(plain))
        .route(WITH_TOKEN, any(with_token))
        .fallback(elsewhere)
        .with_state(ingress)
}

async fn plain(
    State(ingress): Shared,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let address = path.ok().map(|Path(provider)| Address { provider, token: None });
    ingress.answer(PLAIN, address, request).await
}

async fn with_token(
    State(ingress): Shared,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let address = path.ok().map(|Path((provider, token))| Address { provider, token: Some(token) });
    ingress.answer(WITH_TOKEN, address, request).await
}

async fn elsewhere(State(ingress): Shared, request: Request) -> Response {
    ingress.answer(NO_ROUTE, None, request).await
}

impl Ingress {
    /// Counts a connection that was turned away before its request was read.
    pub(crate) fn turned_away(&self) {
        let busy = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        self.metrics.http(NO_ROUTE, method_label(None), busy, std::time::Duration::ZERO);
    }

    /// Takes the path of the public URL off an address that begins with it.
    pub(crate) fn cut_public_path(&self, address: &mut Uri) {
        let setup = self.setup.load();
        let public_url = setup.receipts_url.as_deref().unwrap_or_default();
        if let Some(below) = prefix::below(public_url, address) {
            *address = below;
        }
    }

    async fn answer(&self, route: &'static str, address: Option<Address>, request: Request) -> Response {
        let began = self.clock.now();
        let method = method_label(Some(request.method()));
        let response = match address.and_then(|address| self.decoder(address)) {
            Some(addressed) => addressed.take(self, route, request).await,
            None => answer::bare(StatusCode::NOT_FOUND),
        };
        self.metrics.http(route, method, response.status().as_u16(), self.clock.now().since(began));
        response
    }

    /// Who reads the callback; `None` for an unknown provider and for one without callbacks.
    fn decoder(&self, address: Address) -> Option<Addressed> {
        let provider = ProviderName::parse(&address.provider).ok()?;
        let setup = self.setup.load_full();
        let decoder = Arc::clone(setup.providers.get(&provider)?.receipts.as_ref()?);
        Some(Addressed { provider, decoder, token: address.token, setup })
    }
}

/// A callback whose provider is known.
struct Addressed {
    provider: ProviderName,
    decoder: Arc<dyn ReceiptDecoder>,
    token: Option<String>,
    setup: Arc<Setup>,
}

impl Addressed {
    async fn take(self, ingress: &Ingress, route: &'static str, request: Request) -> Response {
        if !matches!(*request.method(), Method::GET | Method::POST) {
            return answer::other_method();
        }
        // What the request says of traces comes from outside, so this begins a trace of its own.
        let span = info_span!(
            parent: None,
            "callback",
            otel.name = format!("{} {route}", request.method()),
            otel.kind = "server",
            http.route = route,
            otter.provider = %self.provider,
            http.response.status_code = field::Empty,
        );
        let response = self.handle(ingress, request).instrument(span.clone()).await;
        span.record("http.response.status_code", response.status().as_u16());
        response
    }

    async fn handle(self, ingress: &Ingress, request: Request) -> Response {
        let Some((pass, room)) = ingress.gates.enter(&self.provider) else { return answer::busy() };
        let (head, body) = request.into_parts();
        match self.read(ingress, &head, body, room).await {
            Ok(Decoded { reports, reply, odd }) => {
                self.count_odd(ingress, odd);
                self.book(ingress, pass, reports, reply).await
            }
            Err(response) => response,
        }
    }

    /// Reads and decodes a callback; the room that its body took is free again afterwards.
    async fn read(
        &self,
        ingress: &Ingress,
        head: &Parts,
        body: axum::body::Body,
        mut room: Room,
    ) -> Result<Decoded, Response> {
        let body = body::read(body, &mut room, &ingress.limits).await.map_err(|why| {
            if why == Unread::TooLong {
                ingress.metrics.receipt_rejected(&self.provider, RejectedReceipt::Schema);
            }
            answer::unread(why)
        })?;
        self.decode(head, &body).map_err(|refusal| {
            ingress.metrics.receipt_rejected(&self.provider, reason(refusal));
            debug!(provider = %self.provider, reason = refusal.as_str(), "callback refused");
            answer::refused(refusal)
        })
    }

    fn decode(&self, head: &Parts, body: &[u8]) -> Result<Decoded, CallbackRefusal> {
        // Vendors sign the URL that they called: the public one, which a proxy in front may have changed on the way.
        let base = self.setup.receipts_url.as_deref().unwrap_or_default();
        let called = head.uri.path_and_query().map_or("/", |called| called.as_str());
        self.decoder.decode(&Callback {
            method: &head.method,
            url: &format!("{base}{called}"),
            token: self.token.as_deref(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        })
    }

    fn count_odd(&self, ingress: &Ingress, odd: u32) {
        if odd > 0 {
            ingress.metrics.receipt_odd(&self.provider, odd);
            debug!(provider = %self.provider, "callback not understood");
        }
    }

    async fn book(
        &self,
        ingress: &Ingress,
        pass: Pass,
        reports: Vec<Report>,
        reply: CallbackReply,
    ) -> Response {
        if reports.is_empty() {
            return answer::reply(reply);
        }
        let booking = Booking {
            desk: ingress.desk.clone(),
            clock: Arc::clone(&ingress.clock),
            metrics: Arc::clone(&ingress.metrics),
            provider: self.provider.clone(),
        };
        let held = ingress.phases.hold("bookings");
        // A task of its own: a report that is merged must also be followed up, whether or not the vendor still listens.
        let booked = tokio::spawn(
            async move {
                let _inside = (pass, held);
                booking.book(reports).await
            }
            .in_current_span(),
        );
        match timeout(ingress.limits.book, booked).await {
            Ok(Ok(Ok(()))) => answer::reply(reply),
            Ok(Ok(Err(error))) => {
                self.warn(&error);
                answer::unbooked()
            }
            // It panicked, which the panic hook has told.
            Ok(Err(_)) => answer::unbooked(),
            Err(_) => {
                warn!(provider = %self.provider, "booking receipts takes too long");
                answer::unbooked()
            }
        }
    }

    fn warn(&self, error: &BooksError) {
        warn!(provider = %self.provider, error = %error, "could not book receipts");
    }
}

fn reason(refusal: CallbackRefusal) -> RejectedReceipt {
    match refusal {
        CallbackRefusal::Signature => RejectedReceipt::Signature,
        CallbackRefusal::Schema => RejectedReceipt::Schema,
        CallbackRefusal::Method => RejectedReceipt::Method,
    }
}

/// The method as a bounded label.
fn method_label(method: Option<&Method>) -> &'static str {
    match method {
        Some(&Method::GET) => "GET",
        Some(&Method::POST) => "POST",
        Some(_) | None => "_OTHER",
    }
}
