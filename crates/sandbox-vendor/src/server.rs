//! The HTTP interface.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use futures::stream;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::state::{Desk, Reply};
use crate::wire::{Acknowledgement, Detail, ErrorBody, Inbox, InboxMessage, Submission};
use crate::{Account, Refusal, Script};

/// The largest request, in bytes.
const MAX_REQUEST: usize = 64 * 1024;
/// How long a silent request is held before the connection is given back.
const MAX_SILENCE: Duration = Duration::from_secs(300);
/// How long a look at a handset may wait.
const MAX_WAIT: u64 = 60;

pub(crate) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/messages", post(submit))
        .route("/v1/messages/{id}", delete(revoke))
        .route("/v1/handsets/{number}/messages", get(inbox))
        .route("/v1/script", put(script))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(desk)
}

async fn submit(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let account = authenticated(&desk, &headers)?;
    let ruling = desk.submit(account, Submission::parse(&body)?);
    tokio::time::sleep(ruling.latency).await;
    match ruling.answer {
        Reply::Accepted(message) => Ok(accepted(&message.id)),
        Reply::CutOff(message) => Ok(cut_off(accepted(&message.id)).await),
        Reply::Garbage => Ok(Html("<html><body><h1>It works!</h1></body></html>").into_response()),
        Reply::Refused(refusal) => Err(refusal),
        Reply::Never => {
            tokio::select! {
                () = tokio::time::sleep(MAX_SILENCE) => {}
                () = desk.closed() => {}
            }
            Err(Refusal::OutcomeUnknown)
        }
    }
}

fn accepted(id: &str) -> Response {
    json(StatusCode::ACCEPTED, &Acknowledgement { id, status: "accepted" })
}

/// The same answer, announced in full, of which half comes before the connection is closed.
async fn cut_off(whole: Response) -> Response {
    let (mut parts, body) = whole.into_parts();
    let body = to_bytes(body, MAX_REQUEST).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let pieces = stream::iter([Ok(half), Err(io::Error::from(io::ErrorKind::ConnectionAborted))]);
    Response::from_parts(parts, Body::from_stream(pieces))
}

async fn revoke(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let account = authenticated(&desk, &headers)?;
    desk.revoke(account, &id)?;
    Ok(json(StatusCode::OK, &Acknowledgement { id: &id, status: "revoked" }))
}

/// What of a handset to show.
#[derive(Deserialize)]
struct Look {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_seconds: u64,
}

async fn inbox(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    Query(look): Query<Look>,
) -> Response {
    let inbox = desk.handsets.inbox(&number);
    tokio::select! {
        _ = inbox.first_after(look.after) => {}
        () = tokio::time::sleep(Duration::from_secs(look.wait_seconds.min(MAX_WAIT))) => {}
        () = desk.closed() => {}
    }
    let messages = inbox.after(look.after);
    json(StatusCode::OK, &Inbox { messages: messages.iter().map(InboxMessage::from).collect() })
}

async fn script(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    match Script::parse(&body) {
        Ok(script) => {
            desk.follow(script);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(invalid) => (StatusCode::BAD_REQUEST, format!("{invalid}\n")).into_response(),
    }
}

fn authenticated<'a>(desk: &'a Desk, headers: &HeaderMap) -> Result<&'a Account, Refusal> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthorized)?;
    desk.account(key).ok_or(Refusal::Unauthorized)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("texts and numbers are always JSON");
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status(), &ErrorBody { error: Detail::from(self) });
        if self == Self::TooFast {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests;
