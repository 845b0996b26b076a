//! Why something could not be asked, or what was answered instead.

use otter_store::Error;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use thiserror::Error as ThisError;

use crate::address::Server;

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
    /// The same, of a server that was looked for or looked at.
    #[error("{server}: {failure}")]
    At { server: Server, failure: Box<Failure> },
}

impl Failure {
    /// Whether the server refused before it did anything, for a reason that passes: a slot that moves, a failover, a
    /// start. The same call may be made again, there or elsewhere.
    pub(crate) fn passes(&self) -> bool {
        let Self::Server(error) = self.reason() else { return false };
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
    pub(crate) fn moved_to(&self) -> Option<String> {
        let Self::Server(error) = self.reason() else { return None };
        if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
            return None;
        }
        // Not by the error itself: that of a pipeline has no details, but those of its commands have.
        let errors = error.clone().into_server_errors()?;
        let (_, first) = errors.first()?;
        first.details()?.split_ascii_whitespace().nth(1).map(str::to_owned)
    }

    /// What it becomes for who wants to open a store.
    pub(crate) fn opening(self) -> Error {
        if self.is_unsuitable() {
            Error::Unsuitable { why: self.to_string() }
        } else {
            unavailable("connecting")(self)
        }
    }

    /// Says which server it is about, unless that is said already.
    pub(crate) fn at(self, server: &Server) -> Self {
        match self.server() {
            Some(_) => self,
            None => Self::At { server: server.clone(), failure: Box::new(self) },
        }
    }

    /// The server that it is about, if that is said.
    pub(crate) fn server(&self) -> Option<&Server> {
        let Self::At { server, .. } = self else { return None };
        Some(server)
    }

    /// What it is, wherever that is.
    pub(crate) fn reason(&self) -> &Self {
        let Self::At { failure, .. } = self else { return self };
        failure
    }

    /// Whether the server is there and must not be used.
    pub(crate) fn is_unsuitable(&self) -> bool {
        matches!(self.reason(), Self::Unsuitable(_))
    }
}

/// What a failed call becomes: nothing is known about what was asked.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> Error {
    move |source| Error::Unavailable { doing, source: Some(Box::new(source)) }
}

/// Whether the user lacks a right.
pub(crate) fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use redis::{Cmd, ConnectionLike, RedisResult, Value, parse_redis_value};

    use super::*;

    /// Answers to every command that the slot is elsewhere.
    struct Elsewhere;

    impl ConnectionLike for Elsewhere {
        fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
            parse_redis_value(b"-MOVED 7 10.0.0.1:7001\r\n")
        }

        fn req_packed_commands(&mut self, _: &[u8], _: usize, count: usize) -> RedisResult<Vec<Value>> {
            (0..count).map(|_| self.req_packed_command(&[])).collect()
        }

        fn get_db(&self) -> i64 {
            0
        }

        fn check_connection(&mut self) -> bool {
            true
        }

        fn is_open(&self) -> bool {
            true
        }
    }

    #[test]
    fn where_a_slot_has_moved_to_is_read_from_one_command_and_from_several() {
        let one = Cmd::new().arg("GET").query::<()>(&mut Elsewhere).unwrap_err();
        let several = redis::pipe().cmd("GET").cmd("WAIT").query::<()>(&mut Elsewhere).unwrap_err();
        for error in [one, several] {
            let failure = Failure::from(error);
            assert!(failure.passes());
            assert_eq!(failure.moved_to().as_deref(), Some("10.0.0.1:7001"), "{failure:?}");
        }
        assert_eq!(Failure::Silence.moved_to(), None);
    }
}
