//! The envelope of everything that is stored: one byte that names the format, then MessagePack.
//!
//! Structs are arrays. A new field goes to the end with `#[serde(default)]`, so that older records stay readable; any
//! other change takes a new format byte and a branch here. `tests/golden` holds a record of each format.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The format that is written.
pub const FORMAT: u8 = 1;

/// Writes a value in the present format.
pub(crate) fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    rmp_serde::encode::write(&mut bytes, value)
        .expect("records hold nothing that MessagePack cannot express");
    bytes
}

/// Reads a value of any known format. The error never repeats what was read.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    match bytes {
        [FORMAT, body @ ..] => rmp_serde::from_slice(body).map_err(|_| unreadable("it is damaged")),
        [format, ..] => {
            Err(unreadable(&format!("its format is {format}, this process reads up to {FORMAT}")))
        }
        [] => Err(unreadable("it is empty")),
    }
}

pub(crate) fn unreadable(why: &str) -> Error {
    Error::Unreadable { why: why.to_owned() }
}
