//! What a process stands behind: nothing goes out of one that stands still or is gone, and nothing comes in.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Open,
    Paused,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Gate {
    stand: Mutex<Stand>,
    opened: Notify,
    /// How many cuts keep it from the store.
    cuts: AtomicUsize,
}

impl Gate {
    pub(crate) fn open() -> Self {
        Self { stand: Mutex::new(Stand::Open), opened: Notify::new(), cuts: AtomicUsize::new(0) }
    }

    /// Goes through; waits while the process stands still, and for ever once it is gone.
    pub(crate) async fn pass(&self) {
        while !self.is_open() {
            // Nobody opens it between these two: all of a run is on one thread.
            self.opened.notified().await;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.stand.lock().unwrap() == Stand::Open
    }

    pub(crate) fn pause(&self) {
        self.change(Stand::Paused);
    }

    pub(crate) fn resume(&self) {
        self.change(Stand::Open);
        self.opened.notify_waiters();
    }

    pub(crate) fn remove(&self) {
        self.change(Stand::Gone);
    }

    /// What is gone does not come back.
    fn change(&self, to: Stand) {
        let mut stand = self.stand.lock().unwrap();
        if *stand != Stand::Gone {
            *stand = to;
        }
    }

    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.cuts.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) > 0
    }
}
