//! Loops that have to stand as long as the process does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tracing::error;

/// How long after a panic a loop begins again.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that a turn of such a loop takes: a few calls to the store, each with a deadline of its own.
pub(crate) const TURN: Duration = Duration::from_secs(5);

/// Runs a loop until it ends by itself, again and again if it panics: one record that nobody expected must not stop the
/// timers or the lane of everybody else.
pub(crate) async fn standing<F: Future<Output = ()>>(what: &'static str, mut begin: impl FnMut() -> F) {
    while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
        error!(what, "a loop panicked and begins again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says once that something does not work, however often it is tried.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    is_known: bool,
}

impl Trouble {
    /// Takes how a try went; true when it is the first to fail since one worked.
    pub(crate) fn is_news<T, E>(&mut self, result: &Result<T, E>) -> bool {
        let was_known = std::mem::replace(&mut self.is_known, result.is_err());
        result.is_err() && !was_known
    }
}
