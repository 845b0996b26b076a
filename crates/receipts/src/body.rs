//! Reading a body that may be slow, long, or one of too many.

use axum::body::{Body, HttpBody};
use futures::StreamExt;
use tokio::time::timeout;

use crate::Limits;
use crate::gates::Room;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than a body may be.
    TooLong,
    /// It took longer than a body may take.
    TooSlow,
    /// The connection broke, or the framing is wrong.
    Broken,
    /// Too much is held at once.
    NoRoom,
}

/// Reads a body as it arrived. `room` is taken as bytes come, not as they are announced.
pub(crate) async fn read(body: Body, room: &mut Room, limits: &Limits) -> Result<Vec<u8>, Unread> {
    if HttpBody::size_hint(&body).lower() > limits.body as u64 {
        return Err(Unread::TooLong);
    }
    timeout(limits.read, gather(body, room, limits.body)).await.unwrap_or(Err(Unread::TooSlow))
}

async fn gather(body: Body, room: &mut Room, longest: usize) -> Result<Vec<u8>, Unread> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        let length = bytes.len() + chunk.len();
        if length > longest {
            return Err(Unread::TooLong);
        }
        if !room.fits(length) {
            return Err(Unread::NoRoom);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
