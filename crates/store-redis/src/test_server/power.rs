//! A server whose machine can lose its power: what it has not synced to its disk by then is gone.
//!
//! A process that is killed leaves what it has written to the operating system, which a power cut does not. So this one
//! runs under a tracer that notes each write to the append-only file and each sync of it, and a cut takes away what no
//! finished sync covers. Writes that a sync overtook count as not covered.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use super::server::RedisServer;
use super::{Error, until};

/// The file that the server appends to, as long as it is never rewritten.
const APPENDED: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// Where the tracer writes.
const TRACE: &str = "trace";

/// A server under a tracer. Dropping it stops it.
#[derive(Debug)]
pub struct PoweredServer {
    server: RedisServer,
    /// How much of the file was on the disk when the process started.
    kept_before: u64,
}

/// What a power cut did to the append-only file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut {
    /// How much had been written.
    pub written: u64,
    /// How much of that was on the disk, and is there still.
    pub kept: u64,
}

impl PoweredServer {
    /// Starts an empty server that refuses to evict and syncs its append-only file as `appendfsync` says. Each sync takes
    /// so much longer than it would.
    pub fn start(appendfsync: &str, slowness: Duration) -> Result<Self, Error> {
        let settings = [
            &["--maxmemory-policy", "noeviction", "--appendonly", "yes"][..],
            &["--appendfsync", appendfsync, "--auto-aof-rewrite-percentage", "0"],
        ];
        let (trace, file) = (format!("{{}}/{TRACE}"), format!("{{}}/{APPENDED}"));
        // -D: the server is our child, and the tracer is its. It stops at these calls only.
        let tracer = ["strace", "-D", "-q", "-f", "--seccomp-bpf", "-s", "0", "-o", &trace, "-P", &file];
        let slow = format!("inject=fdatasync:delay_enter={}", slowness.as_micros());
        let calls = ["-e", "trace=write,fdatasync", "-e", &slow];
        let launcher = [&tracer[..], if slowness.is_zero() { &calls[..2] } else { &calls }].concat();
        let server = RedisServer::start_under(&launcher, &settings.concat())?;
        Ok(Self { server, kept_before: 0 })
    }

    /// The server.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// Waits for a moment right after a sync, once something that came after it has been written. While a sync runs, a
    /// server that syncs once a second answers first and writes later.
    pub async fn after_a_sync(&self) -> Result<(), Error> {
        let before = fs::metadata(self.trace())?.len();
        until("a sync and a write after it", || async {
            let mut file = File::open(self.trace()).ok()?;
            file.seek(SeekFrom::Start(before)).ok()?;
            let mut trace = String::new();
            file.read_to_string(&mut trace).ok()?;
            let (_, later) = trace.rsplit_once("fdatasync")?;
            let is_over = later.lines().next()?.contains("= 0");
            (is_over && later.lines().skip(1).any(|line| line.contains("write("))).then_some(())
        })
        .await
    }

    /// Kills the process without a chance to say goodbye. What it has written stays.
    pub fn crash(&mut self) {
        self.server.crash();
    }

    /// Kills the process and takes away what it had not synced.
    pub async fn cut_power(&mut self) -> Result<PowerCut, Error> {
        self.crash();
        let end = format!("{} ", self.server.pid());
        let is_end = |line: &str| line.starts_with(&end) && line.ends_with("+++ killed by SIGKILL +++");
        let trace = until("the tracer to tell all", || async {
            let trace = fs::read_to_string(self.trace()).ok()?;
            trace.lines().any(is_end).then_some(trace)
        })
        .await?;
        let kept = self.kept_before + synced(&trace);
        let file = OpenOptions::new().write(true).open(self.server.directory().join(APPENDED))?;
        let written = file.metadata()?.len();
        file.set_len(kept)?;
        Ok(PowerCut { written, kept })
    }

    /// Starts the process again on what is left.
    pub fn start_again(&mut self) -> Result<(), Error> {
        // What is there now was there before the process.
        self.kept_before = fs::metadata(self.server.directory().join(APPENDED))?.len();
        self.server.start_again()
    }

    fn trace(&self) -> PathBuf {
        self.server.directory().join(TRACE)
    }
}

/// How many bytes were written before a sync that came to its end began.
fn synced(trace: &str) -> u64 {
    let (mut written, mut synced) = (0, 0);
    let mut under_way = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let result = || call.rsplit_once("= ")?.1.split(' ').next()?.parse::<u64>().ok();
        if call.contains("write") {
            written += result().unwrap_or(0);
        } else if call.contains("fdatasync") {
            if !call.contains("resumed") {
                under_way.insert(thread, written);
            }
            if let (Some(0), Some(covered)) = (result(), under_way.get(thread)) {
                synced = synced.max(*covered);
            }
        }
    }
    synced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_before_a_finished_sync_began_is_safe() {
        let trace = "\
            7 write(7, \"\"..., 51)               = 51\n\
            9 fdatasync(7 <unfinished ...>\n\
            7 write(7, \"\"..., 28 <unfinished ...>\n\
            9 <... fdatasync resumed>)            = 0\n\
            7 <... write resumed>)                = 28\n\
            9 fdatasync(7 <unfinished ...>\n\
            7 +++ killed by SIGKILL +++\n";
        assert_eq!(synced(trace), 51);
        let injected = "7 write(7, \"\"..., 9) = 9\n7 fdatasync(7)  = 0 (DELAYED)\n";
        assert_eq!(synced(injected), 9);
    }
}
