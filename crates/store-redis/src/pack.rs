//! MessagePack as the server's Lua reads it.
//!
//! The server's library knows text and no binary data, and its text may hold any bytes. So what is binary is marked as
//! text on the way in; on the way out everything is text, which serde reads as bytes where bytes are wanted.

use serde::Serialize;

/// Packs a value with its fields' names. Fails only for what MessagePack cannot express, which nothing here holds.
pub(crate) fn pack(value: &impl Serialize) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut packed = rmp_serde::to_vec_named(value)?;
    mark_binary_as_text(&mut packed);
    Ok(packed)
}

/// What follows a marker.
enum Follows {
    /// This many bytes and then the next value.
    Bytes(usize),
    /// A length of so many bytes, and then as many bytes as it says.
    Length(usize),
}

fn mark_binary_as_text(packed: &mut [u8]) {
    let mut place = 0;
    while let Some(&marker) = packed.get(place) {
        // `bin 8`, `bin 16` and `bin 32` become `str 8`, `str 16` and `str 32`: the same but for the marker.
        if let 0xc4..=0xc6 = marker {
            packed[place] = marker + (0xd9 - 0xc4);
        }
        place += 1;
        match follows(marker) {
            Follows::Bytes(count) => place += count,
            Follows::Length(width) => {
                let length = packed.get(place..place + width).unwrap_or_default();
                let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                place += width + length;
            }
        }
    }
}

fn follows(marker: u8) -> Follows {
    match marker {
        0xa0..=0xbf => Follows::Bytes(usize::from(marker & 0x1f)),
        0xc4 | 0xd9 => Follows::Length(1),
        0xc5 | 0xda => Follows::Length(2),
        0xc6 | 0xdb => Follows::Length(4),
        0xcc | 0xd0 => Follows::Bytes(1),
        0xcd | 0xd1 | 0xdc | 0xde => Follows::Bytes(2),
        0xca | 0xce | 0xd2 | 0xdd | 0xdf => Follows::Bytes(4),
        0xcb | 0xcf | 0xd3 => Follows::Bytes(8),
        // Small numbers, nil, booleans, and lists and maps, whose elements come next. Serde writes no extensions.
        0x00..=0x9f | 0xc0..=0xc3 | 0xc7..=0xc9 | 0xd4..=0xd8 | 0xe0..=0xff => Follows::Bytes(0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_bytes::ByteBuf;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        bytes: Vec<ByteBuf>,
        text: String,
        numbers: (u64, i64, f64, Option<bool>),
        nested: Vec<(String, Vec<i32>)>,
    }

    fn everything() -> impl Strategy<Value = Everything> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..40);
        let long = proptest::collection::vec(any::<u8>(), 250..70_000);
        let bytes =
            proptest::collection::vec(prop_oneof![9 => bytes, 1 => long].prop_map(ByteBuf::from), 0..5);
        let nested =
            proptest::collection::vec((".{0,40}", proptest::collection::vec(any::<i32>(), 0..20)), 0..20);
        let numbers = (any::<u64>(), any::<i64>(), -1e9..1e9, any::<Option<bool>>());
        (bytes, ".{0,300}", numbers, nested).prop_map(|(bytes, text, numbers, nested)| Everything {
            bytes,
            text,
            numbers,
            nested,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn everything_is_read_as_it_was_packed(value in everything()) {
            prop_assert_eq!(rmp_serde::from_slice::<Everything>(&pack(&value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn bytes_are_packed_as_text() {
        assert_eq!(pack(&ByteBuf::from([0xc4, 0xff])).unwrap(), [0xd9, 2, 0xc4, 0xff]);
        assert_eq!(pack(&[ByteBuf::from([1; 300])]).unwrap()[..4], [0x91, 0xda, 1, 44]);
    }
}
