//! Bounds on what is held at once: one gate for everybody together, and a narrower one for each provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use otter_domain::ProviderName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;

/// A provider may hold one part in this many of what everybody together may.
const SHARE: usize = 4;

/// Bytes are counted in blocks of this many.
const BLOCK: usize = 1024;

/// All gates of a server. Nobody waits at a gate.
#[derive(Debug)]
pub(crate) struct Gates {
    all: Gate,
    share: Limits,
    /// Grows with the names that were ever configured, which is few.
    of: Mutex<HashMap<ProviderName, Gate>>,
}

#[derive(Debug, Clone)]
struct Gate {
    requests: Arc<Semaphore>,
    blocks: Arc<Semaphore>,
}

/// A request that was let in; it has left when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    _requests: [OwnedSemaphorePermit; 2],
}

/// Room for the body of a request; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    gates: [Gate; 2],
    held: Vec<OwnedSemaphorePermit>,
    blocks: usize,
}

impl Gates {
    pub(crate) fn new(limits: &Limits) -> Self {
        let share = Limits {
            requests: (limits.requests / SHARE).max(1),
            buffered: (limits.buffered / SHARE).max(limits.body),
            ..*limits
        };
        Self { all: Gate::new(limits), share, of: Mutex::default() }
    }

    /// Lets a request of a provider in, unless there are too many.
    pub(crate) fn enter(&self, provider: &ProviderName) -> Option<(Pass, Room)> {
        let own = self.gate_of(provider);
        let requests = [own.enter()?, self.all.enter()?];
        let room = Room { gates: [own, self.all.clone()], held: Vec::new(), blocks: 0 };
        Some((Pass { _requests: requests }, room))
    }

    fn gate_of(&self, provider: &ProviderName) -> Gate {
        let mut gates = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(provider.clone()).or_insert_with(|| Gate::new(&self.share)).clone()
    }
}

impl Gate {
    fn new(limits: &Limits) -> Self {
        let blocks = limits.buffered.div_ceil(BLOCK).min(Semaphore::MAX_PERMITS);
        let requests = limits.requests.min(Semaphore::MAX_PERMITS);
        Self { requests: Arc::new(Semaphore::new(requests)), blocks: Arc::new(Semaphore::new(blocks)) }
    }

    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    fn take(&self, blocks: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.blocks).try_acquire_many_owned(u32::try_from(blocks).ok()?).ok()
    }
}

impl Room {
    /// Makes room for a body of this many bytes in all; says whether there is.
    pub(crate) fn fits(&mut self, bytes: usize) -> bool {
        let wanted = bytes.div_ceil(BLOCK);
        let Some(more) = wanted.checked_sub(self.blocks).filter(|more| *more > 0) else { return true };
        for gate in &self.gates {
            let Some(permit) = gate.take(more) else { return false };
            self.held.push(permit);
        }
        self.blocks = wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn gates() -> Gates {
        let limits = Limits { requests: 8, buffered: 64 * BLOCK, body: 16 * BLOCK, ..Limits::default() };
        Gates::new(&limits)
    }

    fn provider(name: &str) -> ProviderName {
        ProviderName::parse(name).unwrap()
    }

    #[test]
    fn one_provider_leaves_room_for_the_others() {
        let gates = gates();
        let flood: Vec<_> = std::iter::from_fn(|| gates.enter(&provider("acme"))).collect();
        assert_eq!(flood.len(), 2);
        assert!(gates.enter(&provider("other")).is_some());
        drop(flood);
        assert!(gates.enter(&provider("acme")).is_some());
    }

    #[test]
    fn all_together_are_bounded_too() {
        let gates = gates();
        let names = ["a", "b", "c", "d", "e"].map(provider);
        let inside: Vec<_> = names
            .iter()
            .flat_map(|name| std::iter::from_fn(|| gates.enter(name)).collect::<Vec<_>>())
            .collect();
        assert_eq!(inside.len(), 8);
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let gates = gates();
        let (_pass, mut room) = gates.enter(&provider("acme")).unwrap();
        assert!(room.fits(1));
        assert!(room.fits(16 * BLOCK));
        let (_other_pass, mut other) = gates.enter(&provider("acme")).unwrap();
        assert!(!other.fits(1));
        drop(room);
        assert!(other.fits(16 * BLOCK));
        assert!(!other.fits(16 * BLOCK + 1));
    }
}
