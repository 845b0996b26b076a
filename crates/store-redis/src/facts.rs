//! What a server says about itself, and what is wrong with it by that.
//!
//! `INFO` says most of it and `CONFIG GET` the rest. Managed servers hide one or the other, and a user may not be allowed
//! either: what then stays unknown is warned of, but for `fsync`, which is a promise that cannot be made unseen.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError};

use crate::Durability;
use crate::failure::Failure;
use crate::startup::Member;

/// The oldest server whose scripts and streams can do what is needed.
const OLDEST_MAJOR: u32 = 7;

/// What is not in `INFO`, or not in that of every server.
const SETTINGS: [&str; 4] = ["maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite"];

pub(crate) const REPLICA: &str = "the server is a replica; the address must be the primary's";

/// What a server says about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(BTreeMap<String, String>);

/// What is wrong with a server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// It cannot work, or a promise cannot be kept.
    pub(crate) impossible: Vec<String>,
    /// It works and could lose things.
    pub(crate) careless: Vec<String>,
    /// It may be all right.
    pub(crate) unknown: Vec<String>,
}

impl Facts {
    /// Asks for everything.
    pub(crate) async fn ask(
        connection: &mut MultiplexedConnection,
        durability: Durability,
    ) -> Result<Self, RedisError> {
        let mut facts = Self::default();
        facts.extend(connection, &redis::cmd("INFO")).await?;
        let lacks = facts.policy().is_none() || facts.appendonly().is_none();
        if lacks || durability == Durability::Fsync {
            let mut config = redis::cmd("CONFIG");
            config.arg("GET").arg(&SETTINGS);
            let found = answered(config.query_async::<BTreeMap<String, String>>(connection).await)?;
            facts.0.extend(found.unwrap_or_default());
        }
        Ok(facts)
    }

    /// Asks again for what changes without the server being told: whether it is a primary, and who copies it.
    pub(crate) async fn ask_replication(
        &mut self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        self.extend(connection, redis::cmd("INFO").arg("replication")).await
    }

    async fn extend(&mut self, connection: &mut MultiplexedConnection, info: &Cmd) -> Result<(), RedisError> {
        self.read(&answered(info.query_async::<String>(connection).await)?.unwrap_or_default());
        Ok(())
    }

    /// Takes the lines of `INFO`.
    pub(crate) fn read(&mut self, info: &str) {
        let facts = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        self.0.extend(facts.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn is_replica(&self) -> bool {
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

    /// Whether as many replicas take what is written as are waited for, as far as it is known.
    pub(crate) fn has_replicas(&self, durability: Durability) -> Option<bool> {
        let Durability::Replica { replicas } = durability else { return None };
        self.replicas().map(|(_, online)| online >= u64::from(replicas))
    }

    /// What is wrong with it, for who wants it to be such a member and so durable.
    pub(crate) fn judge(&self, member: Member, durability: Durability) -> Findings {
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
        for (setting, wanted) in [("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")] {
            match self.get(setting) {
                Some(value) if value == wanted => {}
                Some(other) => findings
                    .impossible
                    .push(format!("{wish} and the server's {setting} is {other}; it must be {wanted}")),
                None => findings.impossible.push(format!(
                    "{wish} and the server does not tell its {setting}; allow CONFIG GET, or choose another level"
                )),
            }
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
        Err(error) if error.code().is_some() && !Failure::Server(error.clone()).passes() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(crate) const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n\
        maxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\nconnected_slaves:2\r\n\
        slave0:ip=10.0.0.1,port=1,state=online,offset=1,lag=0\r\n\
        slave1:ip=10.0.0.2,port=1,state=wait_bgsave,offset=1,lag=0\r\n";

    pub(crate) fn facts(info: &str) -> Facts {
        let mut facts = Facts::default();
        facts.read(info);
        facts
    }

    fn findings(info: &str, durability: Durability) -> Findings {
        facts(info).judge(Member::Alone, durability)
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
    fn what_a_server_does_not_say_is_warned_of_and_only_refused_for_fsync() {
        let nothing = findings("", Durability::Primary);
        assert_eq!((nothing.impossible.len(), nothing.careless.len(), nothing.unknown.len()), (0, 0, 3));
        let check = |more: &str, expected: &[&str]| {
            let found = findings(&format!("{GOOD}{more}"), Durability::Fsync).impossible;
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:?}");
        };
        let synced = "appendfsync:always\r\nno-appendfsync-on-rewrite:no\r\n";
        check(synced, &[]);
        check(&format!("{synced}appendfsync:everysec\r\n"), &["is everysec; it must be always"]);
        check(&format!("{synced}no-appendfsync-on-rewrite:yes\r\n"), &["is yes; it must be no"]);
        check("appendfsync:always\r\n", &["does not tell its no-appendfsync-on-rewrite"]);
        check("", &["does not tell its appendfsync", "does not tell its no-appendfsync-on-rewrite"]);
        check(&format!("{synced}aof_enabled:0\r\n"), &["appendonly is off"]);
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
