//! The real binary over gRPC, with a vendor that speaks HTTP and handsets that people read: once on a directory, once on
//! a real Redis.
#![allow(clippy::unwrap_used)]

/// Runs scenarios on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod on_a_directory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(otter_tests::Kept::embedded()).await;
            })+
        }

        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(otter_tests::Kept::redis()).await;
            })+
        }
    };
}

mod checks;
mod dead_letters;
mod failover;
mod journey;
mod limits;
mod locks;
mod redaction;
mod refusals;
mod tour;
