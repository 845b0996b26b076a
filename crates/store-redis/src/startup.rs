//! What is asked of a server before anything is trusted to it, and now and then afterwards.
//!
//! What is wrong with it refuses it at the start. Later it is told, once, as refusing it would end the service; only what
//! cannot work at all is refused at any time.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

use crate::address::Server;
use crate::call::wait;
use crate::facts::{Facts, Findings, REPLICA};
use crate::failure::{Failure, is_forbidden};
use crate::{Durability, Require};

/// How often a server whose replicas are waited for is asked how many it has.
const REPLICAS_WATCH: Duration = Duration::from_secs(2);

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
    member: Member,
    durability: Durability,
    require: Require,
    /// The server that was looked at last, so that nothing is told of it twice.
    seen: Mutex<Option<Seen>>,
}

/// What a server said, and what was wrong with it.
#[derive(Debug)]
struct Seen {
    facts: Facts,
    problems: BTreeSet<String>,
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
        match depth {
            Depth::Role => {
                let mut facts = Facts::default();
                facts.ask_replication(connection).await?;
                if facts.is_replica() { Err(Failure::Unsuitable(REPLICA.to_owned())) } else { Ok(()) }
            }
            Depth::Start | Depth::Later => {
                let facts = Facts::ask(connection, self.durability).await?;
                self.try_wait(connection).await?;
                self.act_on(server, facts, depth)
            }
        }
    }

    /// Looks every few seconds at a server in use whose replicas are waited for, and tells what is new: one that came
    /// while nobody connected may be promoted without having what was accepted. Returns when the server is no primary
    /// any more.
    pub(crate) async fn watch(&self, server: &Server, mut connection: MultiplexedConnection) {
        let Durability::Replica { .. } = self.durability else { return std::future::pending().await };
        loop {
            sleep(REPLICAS_WATCH).await;
            let mut facts = self.seen().as_ref().map(|seen| seen.facts.clone()).unwrap_or_default();
            // Whether it still answers is asked elsewhere.
            if facts.ask_replication(&mut connection).await.is_ok()
                && self.act_on(server, facts, Depth::Later).is_err()
            {
                return;
            }
        }
    }

    /// A user who may not wait for replicas would be refused after each write.
    async fn try_wait(&self, connection: &mut MultiplexedConnection) -> Result<(), Failure> {
        let Durability::Replica { .. } = self.durability else { return Ok(()) };
        match wait(0, Duration::from_millis(1)).query_async::<u64>(connection).await {
            Err(error) if is_forbidden(&error) => Err(Failure::Unsuitable(
                "the user may not wait for replicas, which store.durability \"replica\" needs; allow it +wait".to_owned(),
            )),
            Err(error) if error.code().is_none() => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn act_on(&self, server: &Server, facts: Facts, depth: Depth) -> Result<(), Failure> {
        let findings = facts.judge(self.member, self.durability);
        if !findings.impossible.is_empty() {
            return Err(Failure::Unsuitable(findings.impossible.join("; ")));
        }
        if depth == Depth::Start && self.require == Require::Strict && !findings.careless.is_empty() {
            return Err(Failure::Unsuitable(findings.careless.join("; ")));
        }
        let had_replicas = self.seen().as_ref().and_then(|seen| seen.facts.has_replicas(self.durability));
        let has_replicas = facts.has_replicas(self.durability);
        let Findings { careless, unknown, .. } = self.news(facts, findings);
        if (had_replicas, has_replicas) == (Some(false), Some(true)) {
            tracing::info!(%server, "enough replicas are in sync again");
        }
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
        Ok(())
    }

    /// What has not been found before in this run of the server.
    fn news(&self, facts: Facts, mut findings: Findings) -> Findings {
        let problems = findings.careless.iter().chain(&findings.unknown).cloned().collect();
        let mut seen = self.seen();
        let before = seen.take().filter(|before| before.facts.get("run_id") == facts.get("run_id"));
        if let Some(before) = before {
            findings.careless.retain(|problem| !before.problems.contains(problem));
            findings.unknown.retain(|problem| !before.problems.contains(problem));
        }
        *seen = Some(Seen { facts, problems });
        findings
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::facts::tests::{GOOD, facts};

    fn refusal(info: &str, depth: Depth, require: Require) -> Option<String> {
        let examiner = Examiner::new(Member::Alone, Durability::Primary, require);
        let server = Server { host: "a".to_owned(), port: 1 };
        examiner.act_on(&server, facts(info), depth).err().map(|failure| failure.to_string())
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
    fn a_problem_is_told_once_in_a_run_of_the_server_and_a_new_one_at_any_time() {
        let examiner = Examiner::new(Member::Alone, Durability::Replica { replicas: 2 }, Require::Strict);
        let news = |info: &str| {
            let facts = facts(info);
            let findings = facts.judge(Member::Alone, examiner.durability);
            let Findings { careless, unknown, .. } = examiner.news(facts, findings);
            (careless.len(), unknown.len())
        };
        let sound = format!("run_id:a\r\n{}", GOOD.replace("wait_bgsave", "online"));
        let third = sound.replace("connected_slaves:2", "connected_slaves:3");
        assert_eq!(news(&sound), (0, 0));
        assert_eq!(news(&third), (1, 0), "a replica came");
        assert_eq!(news(&third), (0, 0));
        assert_eq!(news(&sound), (0, 0));
        assert_eq!(news(&third), (1, 0), "it came again");
        assert_eq!(news(&third.replace("noeviction", "allkeys-lru")), (1, 0));
        assert_eq!(news(&third.replace("run_id:a", "run_id:b")), (1, 0), "another server");
    }
}
