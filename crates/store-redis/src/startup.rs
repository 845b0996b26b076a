//! What is asked of a server before anything is trusted to it.
//!
//! `INFO` says most of it and `CONFIG GET` the rest. Managed servers hide one or the other, and a user may not be allowed
//! either: what then stays unknown is warned of, but for `fsync`, which is a promise that cannot be made unseen.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use redis::RedisError;
use redis::aio::MultiplexedConnection;

use crate::address::Server;
use crate::failure::Failure;
use crate::{Durability, Require};

/// The oldest server whose scripts and streams can do what is needed.
const OLDEST_MAJOR: u32 = 7;

/// What the server is to be one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    /// A server by itself, or the primary that sentinels named.
    Alone,
    /// A primary of a cluster.
    Cluster,
}

/// How closely a server is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything, and what is questionable refuses it: the process is starting.
    Start,
    /// Everything; what is questionable is told, as refusing it would end the service.
    Later,
    /// Only whether it is a primary: another line looks at the rest.
    Role,
}

/// Looks at servers.
#[derive(Debug)]
pub(crate) struct Examiner {
    pub(crate) member: Member,
    pub(crate) durability: Durability,
    pub(crate) require: Require,
    /// The run of the server that was examined last, so that one that is only connected to again is not told of twice.
    pub(crate) seen: Mutex<Option<String>>,
}

impl Examiner {
    pub(crate) fn new(member: Member, durability: Durability, require: Require) -> Self {
        Self { member, durability, require, seen: Mutex::default() }
    }

    /// Asks a server about itself, and fails if it must not be used.
    pub(crate) async fn examine(
        &self,
        server: &Server,
        connection: &mut MultiplexedConnection,
        depth: Depth,
    ) -> Result<(), Failure> {
        let facts = Facts::ask(connection, depth, self.durability).await?;
        match depth {
            Depth::Role if facts.is_replica() => Err(Failure::Unsuitable(REPLICA.to_owned())),
            Depth::Role => Ok(()),
            Depth::Start | Depth::Later => self.act_on(server, &facts, depth),
        }
    }

    fn act_on(&self, server: &Server, facts: &Facts, depth: Depth) -> Result<(), Failure> {
        let Findings { impossible, careless, unknown } = facts.judge(self.member, self.durability);
        let is_new = self.is_new(facts.get("run_id"));
        if !impossible.is_empty() {
            return Err(Failure::Unsuitable(impossible.join("; ")));
        }
        if depth == Depth::Start && self.require == Require::Strict && !careless.is_empty() {
            return Err(Failure::Unsuitable(careless.join("; ")));
        }
        if is_new {
            for problem in careless {
                match (depth, self.require) {
                    (Depth::Later, Require::Strict) => {
                        tracing::error!(%server, problem, "the store's server could lose what was accepted");
                    }
                    (Depth::Start | Depth::Later | Depth::Role, Require::Strict | Require::Warn) => {
                        tracing::warn!(%server, problem, "the store's server could lose what was accepted");
                    }
                }
            }
            for problem in unknown {
                tracing::warn!(%server, problem, "the store's server may not be what it should be");
            }
        }
        Ok(())
    }

    fn is_new(&self, run: Option<&str>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = run.is_none() || seen.as_deref() != run;
        *seen = run.map(str::to_owned);
        is_new
    }
}

const REPLICA: &str = "the server is a replica; the address must be the primary's";

/// What a server says about itself.
#[derive(Debug, Default)]
struct Facts(BTreeMap<String, String>);

/// What is wrong with a server.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    /// It cannot work, or a promise cannot be kept.
    impossible: Vec<String>,
    /// It works and could lose things.
    careless: Vec<String>,
    /// It may be all right.
    unknown: Vec<String>,
}

impl Facts {
    async fn ask(
        connection: &mut MultiplexedConnection,
        depth: Depth,
        durability: Durability,
    ) -> Result<Self, RedisError> {
        let mut info = redis::cmd("INFO");
        if depth == Depth::Role {
            info.arg("replication");
        }
        let mut facts = Self::default();
        facts.read(&answered(info.query_async::<String>(connection).await)?.unwrap_or_default());
        let settings = ["maxmemory-policy", "appendonly", "appendfsync"];
        let lacks = facts.policy().is_none() || facts.appendonly().is_none();
        if depth != Depth::Role && (lacks || durability == Durability::Fsync) {
            let mut config = redis::cmd("CONFIG");
            config.arg("GET").arg(&settings);
            let found = answered(config.query_async::<BTreeMap<String, String>>(connection).await)?;
            facts.0.extend(found.unwrap_or_default());
        }
        Ok(facts)
    }

    /// Takes the lines of `INFO`.
    fn read(&mut self, info: &str) {
        let facts = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        self.0.extend(facts.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn is_replica(&self) -> bool {
        self.get("role") == Some("slave")
    }

    fn policy(&self) -> Option<&str> {
        self.get("maxmemory_policy").or_else(|| self.get("maxmemory-policy"))
    }

    fn appendonly(&self) -> Option<bool> {
        match (self.get("aof_enabled"), self.get("appendonly")) {
            (Some(enabled), _) => Some(enabled == "1"),
            (None, Some(configured)) => Some(configured == "yes"),
            (None, None) => None,
        }
    }

    /// How many replicas there are, and how many of them take what is written, as far as it is known.
    fn replicas(&self) -> Option<(u64, u64)> {
        let connected: u64 = self.get("connected_slaves")?.parse().ok()?;
        let is_online = |place: &u64| {
            self.get(&format!("slave{place}")).is_none_or(|replica| replica.contains("state=online"))
        };
        Some((connected, (0..connected).filter(is_online).count() as u64))
    }

    fn judge(&self, member: Member, durability: Durability) -> Findings {
        let mut findings = Findings::default();
        self.judge_kind(member, &mut findings);
        self.judge_memory(&mut findings);
        self.judge_disk(durability, &mut findings);
        if let Durability::Replica { replicas } = durability {
            self.judge_replicas(replicas, &mut findings);
        }
        findings
    }

    fn judge_kind(&self, member: Member, findings: &mut Findings) {
        match self.get("redis_version") {
            None => findings.unknown.push("it does not say which version it is".to_owned()),
            Some(version) => {
                let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
                if major.is_none_or(|major| major < OLDEST_MAJOR) {
                    findings.impossible.push(format!(
                        "the server's version is {version}; it must be {OLDEST_MAJOR}.0 or later"
                    ));
                }
            }
        }
        if self.is_replica() {
            findings.impossible.push(REPLICA.to_owned());
        }
        if self.get("redis_mode") == Some("sentinel") {
            findings.impossible.push("the server is a sentinel; use redis-sentinel://".to_owned());
        }
        match (member, self.get("cluster_enabled")) {
            (Member::Alone, Some("1")) => findings
                .impossible
                .push("the server is part of a cluster; use redis-cluster:// for it".to_owned()),
            (Member::Cluster, Some("0")) => {
                findings
                    .impossible
                    .push("the server is not part of a cluster; use redis:// for it".to_owned());
            }
            (Member::Alone | Member::Cluster, _) => {}
        }
    }

    fn judge_memory(&self, findings: &mut Findings) {
        match self.policy() {
            None => findings.unknown.push(
                "it does not say its maxmemory-policy, so it may evict; see that it is noeviction".to_owned(),
            ),
            Some("noeviction") => {}
            Some(policy) => findings
                .careless
                .push(format!("the server's maxmemory-policy is {policy}; it must be noeviction")),
        }
    }

    fn judge_disk(&self, durability: Durability, findings: &mut Findings) {
        match self.appendonly() {
            None => findings.unknown.push(
                "it does not say whether it writes an append-only file; see that appendonly is on".to_owned(),
            ),
            Some(true) => {}
            Some(false) => {
                findings.careless.push("the server's appendonly is off; it must be on".to_owned());
            }
        }
        if self.get("aof_last_write_status").is_some_and(|status| status != "ok") {
            let problem = "its last write to the append-only file failed; look at its disk";
            findings.unknown.push(problem.to_owned());
        }
        if durability != Durability::Fsync {
            return;
        }
        let wish = "store.durability is \"fsync\"";
        if self.appendonly() == Some(false) {
            findings.impossible.push(format!("{wish} and the server's appendonly is off; it must be on"));
        }
        match self.get("appendfsync") {
            Some("always") => {}
            Some(other) => findings
                .impossible
                .push(format!("{wish} and the server's appendfsync is {other}; it must be always")),
            None => findings.impossible.push(format!(
                "{wish} and the server does not tell its appendfsync; allow CONFIG GET, or choose another level"
            )),
        }
    }

    fn judge_replicas(&self, wanted: u8, findings: &mut Findings) {
        let Some((connected, online)) = self.replicas() else {
            findings.unknown.push(format!(
                "it does not say how many replicas it has; see that there are exactly {wanted}"
            ));
            return;
        };
        if online < u64::from(wanted) {
            findings.unknown.push(format!(
                "it has {online} replicas in sync and store.replicas is {wanted}: \
                 until there are enough, whatever writes is refused as unavailable"
            ));
        }
        if connected > u64::from(wanted) {
            findings.careless.push(format!(
                "the server has {connected} replicas and store.replicas is {wanted}: a failover could promote \
                 one that is not waited for; set store.replicas to {connected}"
            ));
        }
    }
}

/// What was answered; nothing if the server does not answer such questions, or not to us.
fn answered<T>(answer: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code().is_some() && !passes(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn passes(error: &RedisError) -> bool {
    Failure::Server(error.clone()).passes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n\
        maxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\nconnected_slaves:2\r\n\
        slave0:ip=10.0.0.1,port=1,state=online,offset=1,lag=0\r\n\
        slave1:ip=10.0.0.2,port=1,state=wait_bgsave,offset=1,lag=0\r\n";

    fn facts(info: &str) -> Facts {
        let mut facts = Facts::default();
        facts.read(info);
        facts
    }

    fn findings(info: &str, durability: Durability) -> Findings {
        facts(info).judge(Member::Alone, durability)
    }

    fn refusal(info: &str, depth: Depth, require: Require) -> Option<String> {
        let examiner = Examiner::new(Member::Alone, Durability::Primary, require);
        let server = Server { host: "a".to_owned(), port: 1 };
        examiner.act_on(&server, &facts(info), depth).err().map(|failure| failure.to_string())
    }

    #[test]
    fn a_server_that_keeps_what_it_is_given_is_taken() {
        assert_eq!(findings(GOOD, Durability::Primary), Findings::default());
        let valkey = GOOD.replace(
            "redis_version:7.0.15",
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1",
        );
        assert_eq!(findings(&valkey, Durability::Primary), Findings::default());
    }

    #[test]
    fn a_server_that_could_lose_things_is_refused_unless_only_a_warning_is_asked_for_or_it_is_too_late() {
        let careless = GOOD.replace("noeviction", "allkeys-lru").replace("aof_enabled:1", "aof_enabled:0");
        assert_eq!(
            refusal(&careless, Depth::Start, Require::Strict).unwrap(),
            "the server's maxmemory-policy is allkeys-lru; it must be noeviction; \
             the server's appendonly is off; it must be on"
        );
        assert_eq!(refusal(&careless, Depth::Start, Require::Warn), None);
        assert_eq!(refusal(&careless, Depth::Later, Require::Strict), None);
    }

    #[test]
    fn a_server_that_cannot_work_is_refused_whatever_is_asked_for() {
        let check = |from: &str, to: &str, why: &str| {
            for depth in [Depth::Start, Depth::Later] {
                let refused = refusal(&GOOD.replace(from, to), depth, Require::Warn).unwrap();
                assert!(refused.contains(why), "{refused}");
            }
        };
        check("7.0.15", "6.2.14", "version is 6.2.14");
        check("7.0.15", "unstable", "version is unstable");
        check("role:master", "role:slave", "is a replica");
        check("cluster_enabled:0", "cluster_enabled:1", "use redis-cluster://");
        check("redis_mode:standalone", "redis_mode:sentinel", "use redis-sentinel://");
        let alone = facts(GOOD).judge(Member::Cluster, Durability::Primary).impossible;
        assert!(alone[0].contains("not part of a cluster"), "{alone:?}");
    }

    #[test]
    fn what_a_server_does_not_say_is_warned_of_and_only_refused_for_fsync() {
        let nothing = findings("", Durability::Primary);
        assert_eq!((nothing.impossible.len(), nothing.careless.len(), nothing.unknown.len()), (0, 0, 3));
        let check = |more: &str, expected: &[&str]| {
            let found = findings(&format!("{GOOD}{more}"), Durability::Fsync).impossible;
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:?}");
        };
        check("appendfsync:always\r\n", &[]);
        check("appendfsync:everysec\r\n", &["is everysec"]);
        check("", &["does not tell its appendfsync"]);
        check("appendfsync:always\r\naof_enabled:0\r\n", &["appendonly is off"]);
    }

    #[test]
    fn replicas_are_compared_with_those_that_are_waited_for() {
        let online = GOOD.replace("wait_bgsave", "online");
        let found = |info, replicas| findings(info, Durability::Replica { replicas });
        assert_eq!(found(&online, 2), Findings::default());
        assert!(found(GOOD, 2).unknown[0].contains("has 1 replicas in sync and store.replicas is 2"));
        // One that is still copying will be one that could be promoted.
        for info in [GOOD, &online] {
            let more = found(info, 1).careless;
            assert!(more[0].contains("set store.replicas to 2"), "{more:?}");
        }
    }
}
