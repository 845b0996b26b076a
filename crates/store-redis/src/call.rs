//! One call of a script, as it travels.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind};

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
        let command = self.command();
        match command.query_async(connection).await {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                command.query_async(connection).await
            }
            answer => answer,
        }
    }

    /// Runs the script and waits until replicas hold what it wrote, and whatever was written before it. Answers with how
    /// many do when that is so, or when `patience` is over.
    pub(crate) async fn run_and_wait(
        &self,
        connection: &mut MultiplexedConnection,
        replicas: u8,
        patience: Duration,
    ) -> Result<(Vec<u8>, u64), RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(self.command()).add_command(wait(replicas, patience));
        match pipeline.query_async(connection).await {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                pipeline.query_async(connection).await
            }
            answer => answer,
        }
    }

    fn command(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        // Neither key ever exists. On a cluster both name the slot, and as they are two, no server that has only a part
        // of a slot that moves runs the script: the one it leaves says ASK, which is not followed, and the one it comes
        // to says TRYAGAIN.
        let second = format!("{}-", self.prefix);
        command.arg(self.script.get_hash()).arg(2).arg(self.prefix).arg(second);
        command.arg(&self.argument).arg(self.publish);
        command
    }
}

/// Waits until replicas hold what this connection wrote before.
pub(crate) fn wait(replicas: u8, patience: Duration) -> Cmd {
    let mut command = redis::cmd("WAIT");
    // Nothing would be for ever.
    command.arg(replicas).arg(patience.as_millis().max(1) as u64);
    command
}

fn is_unknown(error: &RedisError) -> bool {
    if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) {
        return true;
    }
    // A pipeline says which of its commands failed.
    let failed = error.clone().into_server_errors();
    failed
        .is_some_and(|failed| failed.iter().any(|(_, error)| error.kind() == Some(ServerErrorKind::NoScript)))
}
