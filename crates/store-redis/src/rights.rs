//! What the user must be allowed to do in scripts.
//!
//! A right that is missing shows only when a script gets that far: a user without `RPUSH` would have codes accepted that
//! never reach a lane. So each is tried at the start.

use redis::Script;

use crate::call::Call;
use crate::connection::Home;
use crate::failure::{Failure, is_forbidden};
use crate::line::Line;

/// The commands that scripts use, as they are tried on a key that only this uses; the manual lists them too. The first
/// two have their places, see `rights.lua`. None of the others leaves anything on a key that is set.
const COMMANDS: [&str; 29] = [
    "del key",
    "set key 0 PX 1000",
    "get key",
    "pexpire key 1000",
    "pexpireat key ?",
    "hget key 0",
    "hmget key 0",
    "hgetall key",
    "hset key 0 0",
    "hsetnx key 0 0",
    "hdel key 0",
    "hexists key 0",
    "hincrby key 0 1",
    "lindex key 0",
    "llen key",
    "lpop key",
    "rpush key 0",
    "zadd key 0 0",
    "zcard key",
    "zcount key 0 0",
    "zrange key 0 0",
    "zrem key 0",
    "zremrangebyscore key 0 0",
    "zscore key 0",
    "xadd key * 0 0",
    "xrange key - +",
    "xrevrange key + -",
    "xtrim key MAXLEN 0",
    "time",
];

/// Fails if the user may not run all commands that scripts use, on the keys of a partition that the server has. Whatever
/// else is in the way is noticed by calls.
pub(crate) async fn try_commands(
    mut line: Line,
    channel: &str,
    publish: &'static str,
) -> Result<(), Failure> {
    let prefix = Home::prefix_of(channel);
    let (keys, _) = prefix.split_once('{').unwrap_or((prefix, ""));
    let script = Script::new(include_str!("scripts/rights.lua"));
    let argument = COMMANDS.join("\n").into_bytes();
    let call = Call { script: &script, confirm: false, prefix, argument, publish };
    match call.run(&mut line.connection).await {
        Ok(refused) if refused.is_empty() => Ok(()),
        Ok(refused) => {
            let refused = String::from_utf8_lossy(&refused);
            let rights: Vec<_> = refused.lines().map(|command| format!("+{command}")).collect();
            Err(Failure::Unsuitable(format!(
                "the user may not run commands that are needed; allow it {} on ~{keys}*",
                rights.join(" ")
            )))
        }
        Err(error) if is_forbidden(&error) => Err(Failure::Unsuitable(format!(
            "the user may not run scripts; allow it +evalsha +script|load on ~{keys}*"
        ))),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_tried_is_what_the_manual_says_that_scripts_need() {
        let manual = include_str!("../../../docs/operating/redis.md");
        let (_, rest) = manual.split_once("### Least privileges").unwrap();
        let (block, _) = rest.split_once("```\n").unwrap().1.split_once("```").unwrap();
        let (_, of_scripts) = block.split_once("+time").unwrap();
        let listed: BTreeSet<_> = of_scripts
            .split_whitespace()
            .map(|right| right.strip_prefix('+').unwrap())
            .chain(["time"])
            .collect();
        let tried: BTreeSet<_> =
            COMMANDS.iter().filter_map(|command| command.split_whitespace().next()).collect();
        assert_eq!(tried, listed);
        assert!(COMMANDS[0].starts_with("del ") && COMMANDS[1].starts_with("set "));
    }
}
