//! What belongs to no recipient: token buckets and boards. Pure, like [`crate::PartitionState`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use otter_domain::Moment;
use serde::{Deserialize, Serialize};

use crate::format::{pack, unpack, unreadable};
use crate::{Board, BoardEntry, Error, Grant};

/// Token buckets and boards.
#[derive(Debug, Default)]
pub struct SharedState {
    buckets: HashMap<String, Bucket>,
    boards: BTreeMap<(Board, String), Posted>,
    expiries: BTreeSet<(Moment, SharedKey)>,
}

/// One thing that is written, replaced and deleted as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedKey {
    /// A token bucket.
    Bucket(String),
    /// An entry of a board.
    Entry(Board, String),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Bucket {
    tokens: f64,
    /// When that many tokens were in it, in milliseconds since 1970.
    at: u64,
    /// When it will be full again, and no different from a new one.
    full_at: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Posted {
    #[serde(with = "serde_bytes")]
    value: Vec<u8>,
    until: Option<u64>,
}

impl SharedState {
    /// Takes tokens from a bucket; see [`crate::Store::take`].
    pub fn take(&mut self, key: &str, rate: f64, burst: u32, want: u32, now: Moment) -> Grant {
        let burst = f64::from(burst);
        let before = self.buckets.get(key);
        let refilled = before.map_or(burst, |bucket| {
            let elapsed = now.since(Moment::from_millis(bucket.at)).as_secs_f64();
            (bucket.tokens + elapsed * rate).min(burst)
        });
        // A float cast to an integer rounds down and saturates.
        let granted = want.min(refilled as u32);
        let tokens = refilled - f64::from(granted);
        let full_at = now + time_for(burst - tokens, rate);
        let bucket = Bucket { tokens, at: now.as_millis(), full_at: full_at.as_millis() };
        if self.buckets.insert(key.to_owned(), bucket).is_none() {
            self.expiries.insert((full_at, SharedKey::Bucket(key.to_owned())));
        }
        let retry_after = if granted < want { time_for(1.0 - tokens, rate) } else { Duration::ZERO };
        Grant { granted, retry_after }
    }

    /// Puts an entry on a board; see [`crate::Store::post`].
    pub fn post(&mut self, board: Board, key: &str, value: Vec<u8>, life: Option<Duration>, now: Moment) {
        let until = life.map(|life| now + life);
        let posted = Posted { value, until: until.map(Moment::as_millis) };
        self.boards.insert((board, key.to_owned()), posted);
        self.expiries.extend(until.map(|moment| (moment, SharedKey::Entry(board, key.to_owned()))));
    }

    /// A board's entries, sorted by their keys.
    pub fn read(&self, board: Board, now: Moment) -> Vec<BoardEntry> {
        let entries = self.boards.range((board, String::new())..).take_while(|((of, _), _)| *of == board);
        let alive = entries.filter(|(_, posted)| posted.until.is_none_or(|until| now.as_millis() < until));
        alive.map(|((_, key), posted)| BoardEntry { key: key.clone(), value: posted.value.clone() }).collect()
    }

    /// Deletes up to `max` entries and buckets whose time is over; returns their keys.
    pub fn sweep(&mut self, max: usize, now: Moment) -> Vec<SharedKey> {
        let mut swept = Vec::new();
        for _ in 0..max {
            let Some((_, key)) = self.expiries.first().filter(|(moment, _)| *moment <= now).cloned() else {
                break;
            };
            self.expiries.pop_first();
            match self.expiry(&key) {
                None => {}
                Some(until) if now < until => {
                    self.expiries.insert((until, key));
                }
                Some(_) => {
                    self.remove(&key);
                    swept.push(key);
                }
            }
        }
        swept
    }

    fn expiry(&self, key: &SharedKey) -> Option<Moment> {
        let until = match key {
            SharedKey::Bucket(key) => self.buckets.get(key).map(|bucket| bucket.full_at),
            SharedKey::Entry(board, key) => self.boards.get(&(*board, key.clone()))?.until,
        };
        until.map(Moment::from_millis)
    }

    fn remove(&mut self, key: &SharedKey) {
        match key {
            SharedKey::Bucket(key) => {
                self.buckets.remove(key);
            }
            SharedKey::Entry(board, key) => {
                self.boards.remove(&(*board, key.clone()));
            }
        }
    }

    /// The present value of a key; `None` when it does not exist (any more).
    pub fn value(&self, key: &SharedKey) -> Option<Vec<u8>> {
        match key {
            SharedKey::Bucket(key) => self.buckets.get(key).map(pack),
            SharedKey::Entry(board, key) => self.boards.get(&(*board, key.clone())).map(pack),
        }
    }

    /// Every key that has a value; for dumps.
    pub fn keys(&self) -> Vec<SharedKey> {
        let buckets = self.buckets.keys().cloned().map(SharedKey::Bucket);
        let entries = self.boards.keys().cloned().map(|(board, key)| SharedKey::Entry(board, key));
        buckets.chain(entries).collect()
    }

    /// Takes back one key and value that [`Self::value`] gave.
    pub fn restore(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        let key = SharedKey::parse(name).ok_or_else(|| unreadable("its key is of an unknown kind"))?;
        match key.clone() {
            SharedKey::Bucket(name) => {
                self.buckets.insert(name, unpack(value)?);
            }
            SharedKey::Entry(board, name) => {
                self.boards.insert((board, name), unpack(value)?);
            }
        }
        self.expiries.extend(self.expiry(&key).map(|moment| (moment, key)));
        Ok(())
    }
}

/// How long this many tokens take, in whole milliseconds rounded up.
fn time_for(tokens: f64, rate: f64) -> Duration {
    let millis = (tokens.max(0.0) / rate * 1000.0).ceil();
    // Not a number, or more than a century: a bucket that does not refill.
    if millis.is_finite() { Duration::from_millis(millis as u64).min(NEVER) } else { NEVER }
}

/// What is answered for a bucket that does not refill.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl SharedKey {
    /// The key as text.
    pub fn name(&self) -> String {
        match self {
            Self::Bucket(key) => format!("bucket:{key}"),
            Self::Entry(board, key) => format!("board:{}:{key}", board.as_str()),
        }
    }

    /// Reads the text of [`Self::name`].
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(':')?;
        match kind {
            "bucket" => Some(Self::Bucket(rest.to_owned())),
            "board" => {
                let (word, key) = rest.split_once(':')?;
                let boards = [Board::Directives, Board::Breakers, Board::Codes, Board::Installation];
                let board = boards.into_iter().find(|board| board.as_str() == word)?;
                Some(Self::Entry(board, key.to_owned()))
            }
            _ => None,
        }
    }
}
