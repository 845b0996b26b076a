//! The admin port: `/livez`, `/readyz` and `/metrics`. Plaintext, for the cluster's inside; never routed.
//!
//! A process is alive while its loops turn, and ready while it takes work. Neither asks a store or a provider: one that
//! is down must not restart or unready every replica.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use otter_runtime::{Phase, Phases};
use otter_telemetry::Metrics;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Admin {
    phases: Phases,
    metrics: Arc<Metrics>,
}

/// Answers until the process closes: probes must see a drain.
pub(crate) async fn serve(
    listener: TcpListener,
    phases: Phases,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let admin = Admin { phases: phases.clone(), metrics };
    let router = Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_page))
        .with_state(admin);
    let closing = async move { phases.reached(Phase::Closing).await };
    axum::serve(listener, router).with_graceful_shutdown(closing).await
}

async fn alive(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.phases.stalled().as_slice() {
        [] => (StatusCode::OK, "alive\n".to_owned()),
        stalled => (StatusCode::SERVICE_UNAVAILABLE, format!("stalled: {}\n", stalled.join(", "))),
    }
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.phases.now() {
        Phase::Running => (StatusCode::OK, "ready\n"),
        Phase::Leaving | Phase::Draining | Phase::Closing => (StatusCode::SERVICE_UNAVAILABLE, "leaving\n"),
    }
}

async fn metrics_page(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.metrics.render() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
