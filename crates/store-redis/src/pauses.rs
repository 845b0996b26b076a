//! Pauses between tries to reach a server.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// The longest pause between two tries.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pauses that double up to [`LONGEST_PAUSE`], also over connections that are made and lost at once: only one that lives
/// for longer than that lets them begin anew.
#[derive(Debug)]
pub(crate) struct Pauses {
    first: Duration,
    next: Duration,
    spread: u32,
}

impl Pauses {
    /// `spread` shortens each by up to a half.
    pub(crate) fn new(first: Duration, spread: u32) -> Self {
        Self { first, next: first, spread }
    }

    /// Waits for the next one.
    pub(crate) async fn pass(&mut self) {
        sleep(self.next.mul_f64(1.0 - f64::from(self.spread % 1000) / 2000.0)).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }

    /// Waits for the end of a connection.
    pub(crate) async fn outlive<T>(&mut self, life: impl Future<Output = T>) -> T {
        let mut life = pin!(life);
        match timeout(LONGEST_PAUSE, &mut life).await {
            Ok(end) => end,
            Err(_) => {
                self.next = self.first;
                life.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    /// Asserts how long the next pause is.
    async fn check(pauses: &mut Pauses, expected: u64) {
        let mut pause = pin!(pauses.pass());
        let expected = Duration::from_millis(expected);
        assert!(timeout(expected - MOMENT, &mut pause).await.is_err(), "less than {expected:?}");
        assert!(timeout(MOMENT * 2, &mut pause).await.is_ok(), "more than {expected:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_begin_anew_only_after_a_connection_that_lived() {
        let mut pauses = Pauses::new(Duration::from_millis(20), 0);
        for expected in [20, 40, 80, 160, 320, 640, 1000, 1000] {
            pauses.outlive(sleep(LONGEST_PAUSE / 2)).await;
            check(&mut pauses, expected).await;
        }
        pauses.outlive(sleep(LONGEST_PAUSE * 2)).await;
        check(&mut pauses, 20).await;
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_shortened_by_up_to_a_half() {
        let mut pauses = Pauses::new(Duration::from_millis(100), 500);
        check(&mut pauses, 75).await;
        check(&mut pauses, 150).await;
    }
}
