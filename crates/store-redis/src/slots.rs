//! Who serves which slot of a cluster, by what its servers say.

use std::collections::{BTreeMap, BTreeSet};

use redis::{RedisError, Value, from_redis_value};

use crate::address::Server;

/// How many slots a cluster has.
const SLOTS: u16 = 16384;

/// The slot of a key's hash tag: CRC-16/XMODEM of what stands between the braces.
pub(crate) fn slot_of(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % SLOTS
}

/// What one server says: ranges of slots and the primary of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotMap(Vec<(u16, u16, Server)>);

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS`. A server that names no host means the one that was asked.
    pub(crate) fn read(answer: Value, asked: &Server) -> Result<Self, RedisError> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer)?;
        let range = |range: Vec<Value>| {
            let mut parts = range.into_iter();
            let (first, last) = (parts.next()?, parts.next()?);
            let mut primary = from_redis_value::<Vec<Value>>(parts.next()?).ok()?.into_iter();
            let host: Option<String> = from_redis_value(primary.next()?).ok()?;
            let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.host.clone());
            let port = from_redis_value(primary.next()?).ok()?;
            Some((from_redis_value(first).ok()?, from_redis_value(last).ok()?, Server { host, port }))
        };
        Ok(Self(ranges.into_iter().filter_map(range).collect()))
    }

    fn owner(&self, slot: u16) -> Option<&Server> {
        let range = self.0.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        range.map(|(_, _, server)| server)
    }

    fn primaries(&self) -> BTreeSet<&Server> {
        self.0.iter().map(|(_, _, server)| server).collect()
    }
}

/// Who owns a slot by several answers, each with the server that gave it.
///
/// A server knows best what it has itself, so what exactly one server claims for itself is so. Otherwise a server that
/// sent us on knew better than whoever has not heard of it yet (`hint`), and otherwise most are right.
pub(crate) fn owner(answers: &[(Server, SlotMap)], slot: u16, hint: Option<&Server>) -> Option<Server> {
    let mut claims = answers.iter().filter(|(asked, map)| map.owner(slot) == Some(asked));
    if let (Some((claimant, _)), None) = (claims.next(), claims.next()) {
        return Some(claimant.clone());
    }
    if let Some(hint) = hint {
        return Some(hint.clone());
    }
    let mut votes: BTreeMap<&Server, usize> = BTreeMap::new();
    for owner in answers.iter().filter_map(|(_, map)| map.owner(slot)) {
        *votes.entry(owner).or_default() += 1;
    }
    votes.into_iter().max_by_key(|(_, count)| *count).map(|(server, _)| server.clone())
}

/// The primaries that more than half of the answers name.
pub(crate) fn primaries(answers: &[(Server, SlotMap)]) -> BTreeSet<Server> {
    let mut votes: BTreeMap<&Server, usize> = BTreeMap::new();
    for server in answers.iter().flat_map(|(_, map)| map.primaries()) {
        *votes.entry(server).or_default() += 1;
    }
    let named = votes.into_iter().filter(|(_, count)| count * 2 > answers.len());
    named.map(|(server, _)| server.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn server(port: u16) -> Server {
        Server { host: "10.0.0.1".to_owned(), port }
    }

    /// Two halves of the slots, by two primaries.
    fn halves(first: u16, second: u16) -> SlotMap {
        SlotMap(vec![(0, 8191, server(first)), (8192, 16383, server(second))])
    }

    #[test]
    fn slots_are_those_of_the_servers() {
        // `CLUSTER KEYSLOT` says so; the first is the specification's own check value.
        assert_eq!(slot_of("123456789"), 0x31c3);
        assert_eq!((slot_of("foo"), slot_of("bar"), slot_of("")), (12182, 5061, 0));
    }

    #[test]
    fn a_servers_answer_is_read() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let answer = Value::Array(vec![
            range(0, 5, vec![node(text("a"), 1), node(text("replica"), 9)]),
            range(6, 16383, vec![node(Value::Nil, 2)]),
        ]);
        let asked = Server { host: "asked".to_owned(), port: 7 };
        let map = SlotMap::read(answer, &asked).unwrap();
        assert_eq!(map.owner(5), Some(&Server { host: "a".to_owned(), port: 1 }));
        assert_eq!(map.owner(6), Some(&Server { host: "asked".to_owned(), port: 2 }));
        assert_eq!(map.owner(16384), None);
    }

    #[test]
    fn a_server_knows_best_what_it_has_itself() {
        let moved = [(server(1), halves(1, 2)), (server(2), halves(1, 2)), (server(3), halves(3, 2))];
        // Server 3 claims what server 1 claims too: then most are right, unless somebody was sent on.
        assert_eq!(owner(&moved, 0, None), Some(server(1)));
        assert_eq!(owner(&moved, 0, Some(&server(3))), Some(server(3)));
        // Server 1 has given it away and says so, server 2 has not heard of it.
        let told = [(server(1), halves(3, 2)), (server(2), halves(1, 2)), (server(3), halves(3, 2))];
        assert_eq!(owner(&told, 0, Some(&server(1))), Some(server(3)));
        // The owner is dead: most are right.
        assert_eq!(owner(&told[..2], 9000, None), Some(server(2)));
        assert_eq!(owner(&[], 0, None), None);
    }

    #[test]
    fn primaries_are_those_that_most_name() {
        let answers = [(server(1), halves(1, 2)), (server(2), halves(1, 2)), (server(3), halves(3, 2))];
        assert_eq!(primaries(&answers), [server(1), server(2)].into());
    }
}
