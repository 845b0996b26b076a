//! What operators ordered for providers.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use otter_domain::{Moment, ProviderName};
use otter_store::{Board, BoardEntry, Error, Store};

/// Providers that operators paused. Orders outlive restarts; every process learns of them within 2 s.
#[derive(Debug, Default)]
pub struct Directives {
    paused: RwLock<BTreeMap<ProviderName, Moment>>,
}

impl Directives {
    /// Whether a provider is to be left alone.
    pub fn is_paused(&self, provider: &ProviderName) -> bool {
        self.paused.read().unwrap_or_else(PoisonError::into_inner).contains_key(provider)
    }

    /// Since when a provider is paused, if it is.
    pub fn paused_since(&self, provider: &ProviderName) -> Option<Moment> {
        self.paused.read().unwrap_or_else(PoisonError::into_inner).get(provider).copied()
    }

    /// Orders a provider to be left alone. A repeat keeps the first order's moment.
    pub async fn pause(&self, store: &dyn Store, provider: &ProviderName, now: Moment) -> Result<(), Error> {
        let since = self.paused_since(provider).unwrap_or(now);
        let value = since.as_millis().to_string().into_bytes();
        store.post(Board::Directives, provider.as_str(), value, None).await?;
        self.paused.write().unwrap_or_else(PoisonError::into_inner).insert(provider.clone(), since);
        Ok(())
    }

    /// Takes the order back.
    pub async fn resume(&self, store: &dyn Store, provider: &ProviderName) -> Result<(), Error> {
        store.post(Board::Directives, provider.as_str(), Vec::new(), None).await?;
        self.paused.write().unwrap_or_else(PoisonError::into_inner).remove(provider);
        Ok(())
    }

    /// Takes over what the board says; an empty value is an order that was taken back.
    pub fn learn(&self, entries: &[BoardEntry]) {
        let read = entries.iter().filter_map(|entry| {
            let since: u64 = std::str::from_utf8(&entry.value).ok()?.parse().ok()?;
            Some((ProviderName::parse(&entry.key).ok()?, Moment::from_millis(since)))
        });
        *self.paused.write().unwrap_or_else(PoisonError::into_inner) = read.collect();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_order_that_was_taken_back_counts_no_more() {
        let directives = Directives::default();
        let alpha = ProviderName::parse("alpha").unwrap();
        let entry = |value: &[u8]| BoardEntry { key: "alpha".to_owned(), value: value.to_vec() };
        directives.learn(&[entry(b"1000")]);
        assert_eq!(directives.paused_since(&alpha), Some(Moment::from_millis(1000)));
        directives.learn(&[entry(b"")]);
        assert!(!directives.is_paused(&alpha));
    }
}
