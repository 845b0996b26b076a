//! How far a call came that has no answer.

use std::error::Error;
use std::io;

use tonic::Status;

/// How a client names a call that still stood in its own queue when its connection ended: it was never on the wire.
const NEVER_LEFT: &str = "hyper::Error(Canceled, \"connection closed\")";

/// Whether a call has reached nobody: nobody listens at the address, or it never left its caller.
pub fn reached_nobody(status: &Status) -> bool {
    causes(status).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        let is_refused = io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        is_refused || format!("{error:?}") == NEVER_LEFT
    })
}

/// A status with everything that led to it.
pub(crate) fn told(status: &Status) -> String {
    let causes: Vec<String> = causes(status).map(|error| format!("{error:?}")).collect();
    format!("{:?}: {}; {}", status.code(), status.message(), causes.join("; "))
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&error| error.source())
}
