//! Calls that the server refuses, as the log tells them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::time::sleep;

use crate::address::Server;
use crate::failure::Failure;

/// A refusal that has not come for so long, or nearly twice as long, is told again. A success in between says nothing:
/// with full memory whatever only reads goes on.
const QUIET: Duration = Duration::from_secs(60);

/// The codes of refusals, and whether each came again since that was looked at last.
type Codes = Mutex<BTreeMap<String, bool>>;

/// The refusals of one primary that have been told.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Arc<Codes>);

impl Refusals {
    /// Tells of a failure if it is a refusal that is new.
    pub(crate) fn note(&self, server: Option<&Server>, failure: &Failure) {
        let Failure::Server(error) = failure.reason() else { return };
        if is_expected(error) {
            return;
        }
        // Only the code: the rest may repeat what was sent.
        if let Some(code) = error.code()
            && self.is_news(code)
        {
            let server = server.map(tracing::field::display);
            tracing::warn!(server, error = code, "the store's server refuses calls");
        }
    }

    fn is_news(&self, code: &str) -> bool {
        let mut codes = lock(&self.0);
        match codes.get_mut(code) {
            Some(came_again) => {
                *came_again = true;
                false
            }
            None => {
                codes.insert(code.to_owned(), false);
                tokio::spawn(forget_when_quiet(Arc::downgrade(&self.0), code.to_owned()));
                true
            }
        }
    }
}

/// Forgets a refusal that does not come any more.
async fn forget_when_quiet(codes: Weak<Codes>, code: String) {
    loop {
        sleep(QUIET).await;
        let Some(codes) = codes.upgrade() else { return };
        let mut codes = lock(&codes);
        match codes.get_mut(&code) {
            Some(came_again) if *came_again => *came_again = false,
            Some(_) | None => {
                codes.remove(&code);
                return;
            }
        }
    }
}

fn lock(codes: &Codes) -> MutexGuard<'_, BTreeMap<String, bool>> {
    codes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it belongs to a failover, to a slot that moves, or to a script that has to be loaded: others see to those.
fn is_expected(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::NoScript
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_when_it_comes_and_again_after_a_while_without_it() {
        let refusals = Refusals::default();
        assert!(refusals.is_news("OOM"));
        assert!(refusals.is_news("NOPERM"), "another one");
        for _ in 0..4 {
            sleep(QUIET / 2).await;
            assert!(!refusals.is_news("OOM"), "it goes on");
        }
        sleep(QUIET * 3).await;
        assert!(refusals.is_news("OOM"));
    }
}
