//! One call of a script, as it travels.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind};

/// Tells a script that it must write something, as replicas are waited for afterwards.
const CONFIRMED: &str = "confirmed";

/// An argument for a script that takes none: MessagePack's nil.
const NOTHING: [u8; 1] = [0xc0];

/// One call of a script in one partition.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) script: &'a Script,
    /// Whether what it writes has to be as durable as was asked for before it is answered.
    pub(crate) confirm: bool,
    /// The partition's prefix.
    pub(crate) prefix: &'a str,
    pub(crate) argument: Vec<u8>,
    /// The command that publishes wakes.
    pub(crate) publish: &'static str,
}

impl Call<'_> {
    /// Runs the script. The server is told its text when it does not know it yet or any more.
    pub(crate) async fn run(&self, connection: &mut MultiplexedConnection) -> Result<Vec<u8>, RedisError> {
        let command = self.command("");
        match command.query_async(connection).await {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                command.query_async(connection).await
            }
            answer => answer,
        }
    }

    /// Runs the script and waits until replicas hold what it wrote, and whatever was written on the server before it, by
    /// whomever. Answers with how many do when that is so, or when `patience` is over.
    ///
    /// The script writes in any case: `WAIT` waits for the last write of its connection, and on a connection that wrote
    /// nothing, or nothing new, it would not wait at all.
    pub(crate) async fn run_and_wait(
        &self,
        connection: &mut MultiplexedConnection,
        replicas: u8,
        patience: Duration,
    ) -> Result<(Vec<u8>, u64), RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(self.command(CONFIRMED)).add_command(wait(replicas, patience));
        match pipeline.query_async(connection).await.map_err(failed) {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                pipeline.query_async(connection).await.map_err(failed)
            }
            answer => answer,
        }
    }

    /// A call in the same partition that does nothing but write, to be waited for.
    pub(crate) fn write_only<'a>(&'a self, now: &'a Script) -> Call<'a> {
        let Self { confirm, prefix, publish, .. } = *self;
        Call { script: now, confirm, prefix, argument: NOTHING.to_vec(), publish }
    }

    fn command(&self, confirmed: &'static str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        // Neither key ever exists. On a cluster both name the slot, and as they are two, no server that has only a part
        // of a slot that moves runs the script: the one it leaves says ASK, which is not followed, and the one it comes
        // to says TRYAGAIN.
        let second = format!("{}-", self.prefix);
        command.arg(self.script.get_hash()).arg(2).arg(self.prefix).arg(second);
        command.arg(&self.argument).arg(self.publish).arg(confirmed);
        command
    }
}

/// Waits until replicas hold what this connection wrote last, and so everything that was written before that.
pub(crate) fn wait(replicas: u8, patience: Duration) -> Cmd {
    let mut command = redis::cmd("WAIT");
    // Nothing would be for ever.
    command.arg(replicas).arg(patience.as_millis().max(1) as u64);
    command
}

/// Why a script or its wait failed. When the script was carried out and only the wait was refused, that is no error after
/// which the call may be made again.
fn failed(error: RedisError) -> RedisError {
    match error.clone().into_server_errors().as_deref() {
        Some([(0, script), ..]) => script.clone().into(),
        Some([(_, wait), ..]) => {
            (ErrorKind::Extension, "replicas were not waited for", wait.to_string()).into()
        }
        Some([]) | None => error,
    }
}

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
