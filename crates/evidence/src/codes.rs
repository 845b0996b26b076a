//! Vendors' codes that stand in no table of ours.
//!
//! They are rare, so a few per account are kept; each is posted on a board, where operators find it for a day.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{Moment, ProviderName, VendorCode};
use otter_store::{Board, BoardEntry, Error, Store};

/// How many different codes of one account are told apart in one process within an hour.
const MOST: usize = 20;

/// How often a code that goes on coming is posted again.
const AGAIN: Duration = Duration::from_secs(600);

/// When a code that stopped coming makes room for others.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// How long a code is shown after it came last.
const LIFE: Duration = Duration::from_secs(26 * 3600);

/// The unlisted codes that this process has seen.
#[derive(Debug, Default)]
pub struct UnlistedCodes {
    posted: Mutex<HashMap<ProviderName, BTreeMap<VendorCode, Moment>>>,
}

/// What is to be done about a code that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The code as a metric may name it; `None` if the account has too many.
    pub label: Option<VendorCode>,
    /// Whether it is to be posted and logged: it is new, or came last long ago.
    pub is_news: bool,
}

impl UnlistedCodes {
    /// Takes note of a code.
    pub fn saw(&self, provider: &ProviderName, code: VendorCode, now: Moment) -> Seen {
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let codes = posted.entry(provider.clone()).or_default();
        codes.retain(|_, at| now.since(*at) < FORGOTTEN);
        if !codes.contains_key(&code) && codes.len() >= MOST {
            return Seen { label: None, is_news: false };
        }
        let is_news = codes.get(&code).is_none_or(|at| now.since(*at) >= AGAIN);
        if is_news {
            codes.insert(code, now);
        }
        Seen { label: Some(code), is_news }
    }
}

/// Tells every process of a code.
pub async fn post_code(
    store: &dyn Store,
    provider: &ProviderName,
    code: VendorCode,
    now: Moment,
) -> Result<(), Error> {
    let value = now.as_millis().to_string().into_bytes();
    store.post(Board::Codes, &format!("{provider}|{code}"), value, Some(LIFE)).await
}

/// The codes that came within the last day, with the moment when each was posted last.
pub async fn read_codes(
    store: &dyn Store,
) -> Result<BTreeMap<ProviderName, Vec<(VendorCode, Moment)>>, Error> {
    let mut codes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (provider, code, at) in store.read(Board::Codes).await?.value.iter().filter_map(read) {
        codes.entry(provider).or_default().push((code, at));
    }
    Ok(codes)
}

fn read(entry: &BoardEntry) -> Option<(ProviderName, VendorCode, Moment)> {
    let (provider, code) = entry.key.split_once('|')?;
    let at = std::str::from_utf8(&entry.value).ok()?.parse().ok()?;
    Some((ProviderName::parse(provider).ok()?, VendorCode::parse(code).ok()?, Moment::from_millis(at)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use otter_domain::{Clock, PartitionCount};
    use otter_store::{MemoryStore, Retention};

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    #[derive(Debug)]
    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Moment {
            NOW
        }
    }

    fn alpha() -> ProviderName {
        ProviderName::parse("alpha").unwrap()
    }

    #[test]
    fn a_code_is_news_once_and_again_after_ten_minutes_and_too_many_are_one() {
        let codes = UnlistedCodes::default();
        let seen = |number: u32, now| codes.saw(&alpha(), number.into(), now);
        assert_eq!(seen(1, NOW), Seen { label: Some(1.into()), is_news: true });
        assert_eq!(seen(1, NOW), Seen { label: Some(1.into()), is_news: false });
        assert_eq!(seen(1, NOW + AGAIN), Seen { label: Some(1.into()), is_news: true });
        for number in 2..=20 {
            assert!(seen(number, NOW).is_news);
        }
        assert_eq!(seen(21, NOW), Seen { label: None, is_news: false });
        assert!(seen(21, NOW + AGAIN + FORGOTTEN).is_news, "those that stopped coming make room");
        assert_eq!(codes.saw(&ProviderName::parse("beta").unwrap(), 21.into(), NOW).label, Some(21.into()));
    }

    #[tokio::test]
    async fn every_process_reads_what_one_posted() {
        let store = MemoryStore::new(PartitionCount::DEFAULT, Retention::default(), Arc::new(Standing));
        let word = VendorCode::parse("Brand:New").unwrap();
        post_code(&store, &alpha(), word, NOW).await.unwrap();
        post_code(&store, &alpha(), 30_999.into(), NOW).await.unwrap();
        let codes = read_codes(&store).await.unwrap();
        assert_eq!(codes[&alpha()], [(30_999.into(), NOW), (word, NOW)]);
    }
}
