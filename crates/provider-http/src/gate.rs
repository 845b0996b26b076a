//! The last moment before a request leaves.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use otter_domain::{Clock, Moment};
use otter_provider::{Dispatch, Hold};

/// Decides once whether a request may leave, and remembers whether it did.
///
/// The connection asks when it first wants the body; the sender closes the gate when it gives up. Whoever comes first
/// wins, so a request that was reported as not sent can never leave afterwards.
pub(crate) struct Gate {
    passage: Mutex<Passage>,
    limit: Option<Limit>,
}

/// Until when a request may leave, and for as long as what is held.
struct Limit {
    clock: Arc<dyn Clock>,
    until: Moment,
    hold: Arc<dyn Hold>,
}

impl Limit {
    fn is_over(&self) -> bool {
        self.clock.now() > self.until || !self.hold.is_held()
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Nothing left yet.
    Waiting,
    /// The body was handed to the connection.
    Left,
    /// It was too late when the connection asked, or the right to send was lost.
    Expired,
    /// The sender gave up first.
    Closed,
}

impl Gate {
    /// A gate that lets nothing pass after a message's `send_before`, nor once the right to send it is lost.
    pub(crate) fn of(dispatch: &Dispatch) -> Arc<Self> {
        let (clock, hold) = (Arc::clone(&dispatch.clock), Arc::clone(&dispatch.hold));
        Self::limited(Limit { clock, until: dispatch.send_before, hold })
    }

    fn limited(limit: Limit) -> Arc<Self> {
        Arc::new(Self { passage: Mutex::new(Passage::Waiting), limit: Some(limit) })
    }

    /// A gate without a limit, for requests that carry no code.
    pub(crate) fn unlimited() -> Arc<Self> {
        Arc::new(Self { passage: Mutex::new(Passage::Waiting), limit: None })
    }

    /// Whether it is too late already.
    pub(crate) fn is_late(&self) -> bool {
        self.limit.as_ref().is_some_and(Limit::is_over)
    }

    /// Lets the request leave, once, unless it is too late or the sender gave up.
    pub(crate) fn pass(&self) -> bool {
        let mut passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner);
        if *passage == Passage::Waiting {
            *passage = if self.is_late() { Passage::Expired } else { Passage::Left };
            return *passage == Passage::Left;
        }
        false
    }

    /// Gives up, and says what had happened until then.
    pub(crate) fn close(&self) -> Passage {
        let mut passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner);
        if *passage == Passage::Waiting {
            *passage = Passage::Closed;
        }
        *passage
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("passage", &self.passage).finish_non_exhaustive()
    }
}

/// A body in one piece that asks its gate when the connection first wants it.
///
/// The connection writes the head together with the body (HTTP/1) or as the beginning of a request that stays
/// incomplete without it (HTTP/2), so a refusal here means that no complete request leaves. The body is given out once:
/// a client that repeated the request on its own would find it empty.
pub(crate) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Arc<Gate>,
}

impl GatedBody {
    pub(crate) fn new(bytes: Bytes, gate: Arc<Gate>) -> Self {
        Self { bytes: Some(bytes), gate }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if self.gate.pass() {
            Poll::Ready(Some(Ok(Frame::data(bytes))))
        } else {
            Poll::Ready(Some(Err(io::Error::other("the request may not leave any more"))))
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Debug)]
    struct FixedClock(Moment);

    impl Clock for FixedClock {
        fn now(&self) -> Moment {
            self.0
        }
    }

    /// A right that a test takes away.
    #[derive(Debug)]
    struct Right(AtomicBool);

    impl Hold for Right {
        fn is_held(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn gate(now: u64) -> Arc<Gate> {
        held(now, &Arc::new(Right(AtomicBool::new(true))))
    }

    fn held(now: u64, right: &Arc<Right>) -> Arc<Gate> {
        let clock = Arc::new(FixedClock(Moment::from_millis(now)));
        Gate::limited(Limit { clock, until: Moment::from_millis(100), hold: Arc::clone(right) as _ })
    }

    #[test]
    fn a_request_leaves_once_and_only_in_time() {
        let in_time = gate(100);
        assert!(in_time.pass());
        assert!(!in_time.pass(), "a second time");
        assert_eq!(in_time.close(), Passage::Left);

        let late = gate(101);
        assert!(!late.pass());
        assert_eq!(late.close(), Passage::Expired);
    }

    #[test]
    fn nothing_leaves_once_the_right_to_send_is_lost() {
        let right = Arc::new(Right(AtomicBool::new(true)));
        let gate = held(0, &right);
        assert!(!gate.is_late());
        right.0.store(false, Ordering::Relaxed);
        assert!(!gate.pass());
        assert_eq!(gate.close(), Passage::Expired);
        right.0.store(true, Ordering::Relaxed);
        assert!(!gate.pass(), "what was given up stays given up");
    }

    #[test]
    fn nothing_leaves_after_the_sender_gave_up() {
        let gate = gate(0);
        assert_eq!(gate.close(), Passage::Closed);
        assert!(!gate.pass());
    }
}
