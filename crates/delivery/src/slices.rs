//! Shared limits without a trip per use: a process takes a few tokens at a time and spends them.
//!
//! A limit is never exceeded. It may refuse early by what other processes hold and do not use; what is held is thrown
//! away after a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use otter_domain::Moment;

use crate::{Books, BooksError};

/// How long tokens are held before they are thrown away.
const HELD_FOR: Duration = Duration::from_secs(1);

/// The part of a second's allowance that is taken at once.
const SHARE: f64 = 0.05;

/// The shared limits of one process.
#[derive(Debug, Default)]
pub struct Slices {
    held: Mutex<HashMap<String, Held>>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    tokens: u32,
    until: Moment,
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
        if self.spend(key, books.now()) {
            return Ok(Ok(()));
        }
        let want = ((rate * SHARE) as u32).clamp(1, burst.max(1));
        let grant = books.stamped(books.store().take(key, rate, burst, want).await?);
        if grant.granted == 0 {
            return Ok(Err(grant.retry_after));
        }
        self.hold(key, grant.granted - 1, books.now() + HELD_FOR);
        Ok(Ok(()))
    }

    /// How many tokens are at hand, after taking some if there were none. What is used of them is to be [`Self::spent`].
    pub(crate) async fn ready(
        &self,
        books: &Books,
        key: &str,
        rate: f64,
        burst: u32,
    ) -> Result<u32, BooksError> {
        let now = books.now();
        if let Some(tokens) = self.at_hand(key, now) {
            return Ok(tokens);
        }
        let want = ((rate * SHARE) as u32).clamp(1, burst.max(1));
        let grant = books.stamped(books.store().take(key, rate, burst, want).await?);
        self.hold(key, grant.granted, now + HELD_FOR);
        Ok(grant.granted)
    }

    /// Uses up tokens that were ready.
    pub(crate) fn spent(&self, key: &str, count: u32) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = held.get_mut(key) {
            slice.tokens = slice.tokens.saturating_sub(count);
        }
    }

    fn at_hand(&self, key: &str, now: Moment) -> Option<u32> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key).filter(|slice| slice.tokens > 0 && now < slice.until).map(|slice| slice.tokens)
    }

    fn spend(&self, key: &str, now: Moment) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(key) {
            Some(slice) if slice.tokens > 0 && now < slice.until => {
                slice.tokens -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    fn hold(&self, key: &str, tokens: u32, until: Moment) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(key) {
            Some(slice) => *slice = Held { tokens, until },
            None => {
                held.insert(key.to_owned(), Held { tokens, until });
            }
        }
    }
}
