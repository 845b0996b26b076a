//! What operators wrote about their orders, on the board of the orders themselves.
//!
//! A note stands under the provider's name with [`SUFFIX`], which no provider's name can have. It is read when somebody
//! asks to see it and nothing is decided by it, so it is not part of the view that is kept fresh.

use std::collections::BTreeMap;

use otter_domain::ProviderName;
use otter_store::{Board, BoardEntry, Error, Store};

const SUFFIX: &str = "/note";

/// Writes why a provider is paused; replaces what was written before. An empty text removes it.
pub async fn write_note(store: &dyn Store, provider: &ProviderName, text: &str) -> Result<(), Error> {
    store.post(Board::Directives, &format!("{provider}{SUFFIX}"), text.as_bytes().to_vec(), None).await
}

/// Reads what is written about every provider.
pub async fn read_notes(store: &dyn Store) -> Result<BTreeMap<ProviderName, String>, Error> {
    let entries = store.read(Board::Directives).await?.value;
    Ok(entries.into_iter().filter_map(note).filter(|(_, text)| !text.is_empty()).collect())
}

fn note(entry: BoardEntry) -> Option<(ProviderName, String)> {
    let provider = ProviderName::parse(entry.key.strip_suffix(SUFFIX)?).ok()?;
    Some((provider, String::from_utf8(entry.value).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use otter_domain::{Clock, Moment, PartitionCount};
    use otter_store::{MemoryStore, Retention};

    use super::*;
    use crate::Directives;

    #[derive(Debug)]
    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Moment {
            Moment::from_millis(1_000_000)
        }
    }

    #[tokio::test]
    async fn a_note_is_read_back_until_it_is_emptied_and_is_no_order() {
        let store = MemoryStore::new(PartitionCount::DEFAULT, Retention::default(), Arc::new(Standing));
        let alpha = ProviderName::parse("alpha").unwrap();
        write_note(&store, &alpha, "maintenance until noon").await.unwrap();
        assert_eq!(read_notes(&store).await.unwrap()[&alpha], "maintenance until noon");
        let directives = Directives::default();
        directives.learn(&store.read(Board::Directives).await.unwrap().value);
        assert!(!directives.is_paused(&alpha));
        write_note(&store, &alpha, "").await.unwrap();
        assert!(read_notes(&store).await.unwrap().is_empty());
    }
}
