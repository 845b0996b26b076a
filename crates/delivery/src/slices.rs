//! Shared limits without a trip per use: a process takes a few tokens at a time and spends them.
//!
//! Every token that is spent was taken from the shared bucket before, so no more is spent than the limit gives. It may
//! refuse early by what other processes hold and do not use; what is held is thrown away after a second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_domain::Moment;
use otter_store::Grant;

use crate::{Books, BooksError};

/// How long tokens are held before they are thrown away.
const HELD_FOR: Duration = Duration::from_secs(1);

/// The part of a second's allowance that is taken at once.
const SHARE: f64 = 0.05;

/// The shared limits of one process. There is one entry per key for as long as the process lives: keys are configured
/// names.
#[derive(Debug, Default)]
pub struct Slices {
    held: Mutex<HashMap<String, Held>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    tokens: u32,
    until: Moment,
    /// The bucket was empty and has nothing before this; asking again would be a trip for nothing.
    empty_until: Moment,
}

impl Slices {
    /// Takes one token of a bucket that refills at `rate` a second up to `burst`; otherwise says when to ask again.
    pub async fn take(
        &self,
        books: &Books,
        key: &str,
        rate: f64,
        burst: u32,
    ) -> Result<Result<(), Duration>, BooksError> {
        if let Some(answer) = self.spend(key, books.now()) {
            return Ok(answer);
        }
        let want = ((rate * SHARE) as u32).clamp(1, burst.max(1));
        let grant = books.stamped(books.store().take(key, rate, burst, want).await?);
        Ok(self.receive(key, grant, books.now()))
    }

    /// Answers from what is known here, if that is enough.
    fn spend(&self, key: &str, now: Moment) -> Option<Result<(), Duration>> {
        let mut held = self.lock();
        let slice = held.get_mut(key)?;
        if slice.tokens > 0 && now < slice.until {
            slice.tokens -= 1;
            return Some(Ok(()));
        }
        (now < slice.empty_until).then(|| Err(now.until(slice.empty_until)))
    }

    /// Spends one of the tokens that came and holds the others, beside what another call may have brought meanwhile.
    fn receive(&self, key: &str, grant: Grant, now: Moment) -> Result<(), Duration> {
        let mut held = self.lock();
        let slice = held.entry(key.to_owned()).or_default();
        let Some(left) = grant.granted.checked_sub(1) else {
            slice.empty_until = now + grant.retry_after.min(HELD_FOR);
            return Err(grant.retry_after);
        };
        let kept = if now < slice.until { slice.tokens } else { 0 };
        *slice = Held { tokens: kept + left, until: now + HELD_FOR, empty_until: Moment::EPOCH };
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
