//! Why something could not be asked, or what was answered instead.

use otter_store::Error;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use thiserror::Error as ThisError;

/// Why a call was not carried out, or not confirmed.
#[derive(Debug, Clone, ThisError)]
pub(crate) enum Failure {
    /// The server or the way to it.
    #[error(transparent)]
    Server(#[from] RedisError),
    /// The server is there and must not be used.
    #[error("{0}")]
    Unsuitable(String),
    /// It is not known whom to ask.
    #[error("{0}")]
    Nobody(&'static str),
    /// Fewer replicas than wanted hold what was written.
    #[error("{acknowledged} of {wanted} replicas confirmed in time")]
    Unconfirmed { acknowledged: u64, wanted: u8 },
    /// No answer in time, and nothing said why.
    #[error("no answer in time")]
    Silence,
}

impl Failure {
    /// Whether the server refused before it did anything, for a reason that passes: a slot that moves, a failover, a
    /// start. The same call may be made again, there or elsewhere.
    pub(crate) fn passes(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let ErrorKind::Server(kind) = error.kind() else { return false };
        matches!(
            kind,
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
        )
    }

    /// Where the server says that the slot is now, if it says so; the host is empty if it is the same.
    pub(crate) fn moved_to(&self) -> Option<&str> {
        match self {
            Self::Server(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) => {
                error.redirect_node().map(|(server, _)| server)
            }
            Self::Server(_)
            | Self::Unsuitable(_)
            | Self::Nobody(_)
            | Self::Unconfirmed { .. }
            | Self::Silence => None,
        }
    }

    /// What it becomes for who wants to open a store.
    pub(crate) fn opening(self) -> Error {
        match self {
            Self::Unsuitable(why) => Error::Unsuitable { why },
            other @ (Self::Server(_) | Self::Nobody(_) | Self::Unconfirmed { .. } | Self::Silence) => {
                unavailable("connecting")(other)
            }
        }
    }
}

/// What a failed call becomes: nothing is known about what was asked.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> Error {
    move |source| Error::Unavailable { doing, source: Some(Box::new(source)) }
}
