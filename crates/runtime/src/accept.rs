//! Taking in connections, also when there is no room for one more file.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

/// How long to wait for a file descriptor when there are none.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for the next connection that `accept` gives. A peer that was gone before it was taken in is passed over at once.
/// Any other error is logged and asked again after 100 ms: the process has no file descriptor left, the listener stays
/// ready all the while, and asking at once would burn a core. Dropping it loses nothing.
pub async fn next_connection<T, F>(mut accept: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                warn!(error = %error, "could not take in a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the peer, not this process, is why a connection could not be taken in.
fn is_the_peers(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::time::Instant;

    use super::*;

    /// How long it takes to get a connection behind these errors, each of them met once.
    async fn waited_behind(errors: &[ErrorKind]) -> Duration {
        let (mut left, began) = (errors.iter(), Instant::now());
        next_connection(|| ready(left.next().map_or(Ok(()), |kind| Err((*kind).into())))).await;
        assert!(left.next().is_none());
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_without_file_descriptors_waits_before_it_asks_again() {
        // What the system says when there are none has no kind of its own.
        assert_eq!(waited_behind(&[ErrorKind::Other, ErrorKind::Other]).await, 2 * PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_was_gone_already_keeps_nobody_waiting() {
        let gone = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
        assert_eq!(waited_behind(&gone).await, Duration::ZERO);
    }
}
