//! Why a command ends without the answer, and what it exits with.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::show::Refusal;

/// Exit code: there is an answer, and it is no.
pub(crate) const ANSWER_IS_NO: u8 = 1;
/// Exit code: the request is wrong and a repeat will not help.
pub(crate) const INVALID: u8 = 2;
/// Exit code: the server refused.
pub(crate) const REFUSED: u8 = 3;
/// Exit code: no answer, or none in time.
pub(crate) const UNREACHABLE: u8 = 4;

/// What the server answered to a question of yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Verified, accepted, done.
    Yes,
    /// Not verified; nobody may send.
    No,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request is wrong before it is sent. Says what would be right.
    Invalid(String),
    /// The server cannot be reached.
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong, in the words of the operating system or of TLS.
        cause: String,
    },
    /// The server did not begin to answer in time.
    TooLate,
    /// The server answered with an error.
    Refused(Box<Status>),
    /// The answer could not be written.
    Unwritten(io::Error),
}

impl Failure {
    /// The connection failed.
    pub(crate) fn unreachable(server: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Unreachable { server: server.to_owned(), cause: deepest(error) }
    }

    /// What people and scripts are told. `None` if nobody is left to be told: the reader of the answer went away.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let refusal = match self {
            Self::Invalid(message) => Refusal::local(message),
            Self::Unreachable { server, cause } => Refusal::local(format!(
                "could not reach {server}: {cause}. `otter dev` starts a server; --server names another one"
            )),
            Self::TooLate => Refusal::local("the server did not answer in time; --timeout waits longer"),
            Self::Refused(status) => Refusal::of(status),
            Self::Unwritten(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Self::Unwritten(error) => Refusal::local(format!("could not write the answer: {error}")),
        };
        Some(refusal)
    }

    /// What the command exits with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Invalid(_) => INVALID.into(),
            Self::Unreachable { .. } | Self::TooLate => UNREACHABLE.into(),
            Self::Refused(status) => exit_code_of(status).into(),
            Self::Unwritten(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Unwritten(_) => UNREACHABLE.into(),
        }
    }
}

fn exit_code_of(status: &Status) -> u8 {
    let is_from_otter = status.get_details_error_info().is_some();
    match status.code() {
        Code::InvalidArgument => INVALID,
        Code::DeadlineExceeded => UNREACHABLE,
        // Without the server's own reason these come from the connection or from a proxy on the way.
        Code::Unavailable | Code::Cancelled | Code::Unknown if !is_from_otter => UNREACHABLE,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => REFUSED,
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        // The channel gives up the deadline that the request carries under this code.
        let is_ours = status.code() == Code::Cancelled && status.get_details_error_info().is_none();
        if is_ours && status.message() == tonic::TimeoutExpired(()).to_string() {
            return Self::TooLate;
        }
        Self::Refused(Box::new(status))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

/// The first cause, which says more than "transport error".
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn exit_codes_tell_a_refusal_from_silence() {
        let otter = |code| {
            let details = ErrorDetails::with_error_info("REASON", "otter", []);
            exit_code_of(&Status::with_error_details(code, "no", details))
        };
        assert_eq!(otter(Code::InvalidArgument), INVALID);
        assert_eq!(otter(Code::Unavailable), REFUSED);
        assert_eq!(otter(Code::ResourceExhausted), REFUSED);
        assert_eq!(otter(Code::DeadlineExceeded), UNREACHABLE);
        assert_eq!(exit_code_of(&Status::unavailable("no healthy upstream")), UNREACHABLE);
        assert_eq!(exit_code_of(&Status::unimplemented("")), REFUSED);
    }

    #[test]
    fn a_reader_that_went_away_is_told_nothing() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.refusal().is_none());
    }
}
