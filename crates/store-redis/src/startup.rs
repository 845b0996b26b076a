//! What is asked of a server before anything is trusted to it.

use otter_store::Error;

use crate::Require;

/// The oldest server whose scripts and streams can do what is needed.
const OLDEST_MAJOR: u32 = 7;

/// Judges what a server says about itself in `INFO`.
///
/// A server that is too old, a replica, or part of a cluster cannot be used at all; one that could lose what was
/// accepted is refused or used with a warning, as `require` says.
pub(crate) fn judge(info: &str, require: Require) -> Result<(), Error> {
    let fact = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
    };
    let unsuitable = |problems: Vec<String>| Err(Error::Unsuitable { why: problems.join("; ") });
    let problems = impossible(&fact);
    if !problems.is_empty() {
        return unsuitable(problems);
    }
    let problems = careless(&fact);
    match require {
        Require::Strict if !problems.is_empty() => unsuitable(problems),
        Require::Strict => Ok(()),
        Require::Warn => {
            for problem in problems {
                tracing::warn!(problem, "the store's server could lose what was accepted");
            }
            Ok(())
        }
    }
}

fn impossible<'a>(fact: &impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut problems = Vec::new();
    let version = fact("redis_version").unwrap_or("unknown");
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < OLDEST_MAJOR) {
        problems.push(format!("the server's version is {version}; it must be {OLDEST_MAJOR}.0 or later"));
    }
    if fact("role") == Some("slave") {
        problems.push("the server is a replica; the address must be the primary's".to_owned());
    }
    if fact("cluster_enabled") == Some("1") {
        problems.push("the server is part of a cluster; it must stand alone".to_owned());
    }
    problems
}

fn careless<'a>(fact: &impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut problems = Vec::new();
    let policy = fact("maxmemory_policy").unwrap_or("unknown");
    if policy != "noeviction" {
        problems.push(format!("the server's maxmemory-policy is {policy}; it must be noeviction"));
    }
    if fact("aof_enabled") != Some("1") {
        problems.push("the server's appendonly is off; it must be on".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\n";

    fn refusal(info: &str, require: Require) -> Option<String> {
        judge(info, require).err().map(|error| error.to_string())
    }

    #[test]
    fn a_server_that_keeps_what_it_is_given_is_taken() {
        assert_eq!(refusal(GOOD, Require::Strict), None);
        let valkey = GOOD.replace(
            "redis_version:7.0.15",
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1",
        );
        assert_eq!(refusal(&valkey, Require::Strict), None);
    }

    #[test]
    fn a_server_that_could_lose_things_is_refused_unless_only_a_warning_is_asked_for() {
        let careless = GOOD.replace("noeviction", "allkeys-lru").replace("aof_enabled:1", "aof_enabled:0");
        assert_eq!(
            refusal(&careless, Require::Strict).unwrap(),
            "the store cannot be used: the server's maxmemory-policy is allkeys-lru; it must be noeviction; \
             the server's appendonly is off; it must be on"
        );
        assert_eq!(refusal(&careless, Require::Warn), None);
    }

    #[test]
    fn a_server_that_cannot_work_is_refused_whatever_is_asked_for() {
        let check = |from: &str, to: &str, why: &str| {
            let refused = refusal(&GOOD.replace(from, to), Require::Warn).unwrap();
            assert!(refused.contains(why), "{refused}");
        };
        check("7.0.15", "6.2.14", "version is 6.2.14");
        check("redis_version:7.0.15", "something:else", "version is unknown");
        check("role:master", "role:slave", "is a replica");
        check("cluster_enabled:0", "cluster_enabled:1", "part of a cluster");
    }
}
