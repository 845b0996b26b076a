//! What a node thinks of its cluster.

use std::ops::RangeInclusive;

/// One node's answer to `CLUSTER NODES`.
#[derive(Debug)]
pub(super) struct View {
    pub(super) members: Vec<Member>,
}

/// What it says about one node.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) master: Option<String>,
    is_well: bool,
    slots: Vec<RangeInclusive<u16>>,
}

impl View {
    /// Reads the lines `<id> <ip>:<port>@<bus> <flags> <master> <ping> <pong> <epoch> <link> <slot>...`.
    pub(super) fn parse(text: &str) -> Self {
        Self { members: text.lines().filter_map(Member::parse).collect() }
    }

    pub(super) fn at(&self, port: u16) -> Option<&Member> {
        self.members.iter().find(|member| member.port == port)
    }

    /// The port of the node that owns a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<u16> {
        self.members.iter().find(|member| member.owns(slot)).map(|member| member.port)
    }

    /// Who owns what, in an order that does not depend on who says it.
    pub(super) fn owners(&self) -> Vec<(u16, &[RangeInclusive<u16>])> {
        let owners = self.members.iter().filter(|member| !member.slots.is_empty());
        let mut owners: Vec<_> = owners.map(|member| (member.port, member.slots.as_slice())).collect();
        owners.sort_by_key(|(port, _)| *port);
        owners
    }

    /// Whether it knows this many nodes, and has nothing to say against any of them.
    pub(super) fn is_well(&self, nodes: usize) -> bool {
        self.members.len() == nodes && self.members.iter().all(|member| member.is_well)
    }
}

impl Member {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [id, address, flags, master, _, _, _, link, slots @ ..] = words.as_slice() else { return None };
        let port = address.split(['@', ',']).next()?.rsplit(':').next()?.parse().ok()?;
        let is_well = !flags.split(',').any(|flag| ["fail", "fail?", "handshake", "noaddr"].contains(&flag));
        Some(Self {
            id: (*id).to_owned(),
            port,
            master: (*master != "-").then(|| (*master).to_owned()),
            is_well: is_well && *link == "connected",
            slots: slots.iter().filter_map(|slots| range(slots)).collect(),
        })
    }

    fn owns(&self, slot: u16) -> bool {
        self.slots.iter().any(|slots| slots.contains(&slot))
    }
}

/// Reads `7` and `7-9`. Slots on the move, `[7->-id]`, belong to whom they are listed for without brackets.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}
