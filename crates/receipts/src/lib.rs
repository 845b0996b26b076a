//! Provider callbacks over HTTP: verify, decode and hand to delivery.
//!
//! A vendor calls `GET` or `POST` on `/receipts/{provider}` or `/receipts/{provider}/{token}`. The provider's decoder
//! decides whether the request is genuine; [`Desk`] finds the verification by the token and books what is reported.
//! A public URL with a path is called at `PATH/receipts/…`; that is served with the path and, for a proxy that cuts it off,
//! without. What is verified is the URL that the vendor called, so either way it is the public one.
//!
//! **Nothing is lost, and nobody waits long.** A callback is answered with the decoder's reply only once every report in
//! it is durable, and 503 if that takes longer than [`Limits::book`]: vendors repeat what was not answered 2xx, and a
//! repeat changes nothing that is booked already. Answering first and booking later would be quicker by a store's round
//! trip and would lose what a process held when it died. A booking that misses its limit goes on in the background, and
//! neither it nor the vendor hanging up leaves a report half booked.
//!
//! | answer | when |
//! |---|---|
//! | the decoder's, usually 200 | every report is durable, is nothing new, or names no message of ours, or is genuine and not understood, which is counted (the vendor would repeat it for days) |
//! | 400, 403, 405 | the decoder cannot verify it: form, signature, method |
//! | 404 | there is no such provider, or it has no callbacks here; says no more |
//! | 408, 413 | the body is slower or longer than its [`Limits`] |
//! | 503 with `Retry-After` | too much is held at once, or the store does not answer |
//!
//! **Floods.** Connections, requests and bytes are bounded and nothing queues; one provider gets at most a quarter of the
//! requests and bytes, so that its flood leaves room for the others.
//!
//! Bodies are never decompressed. HTTP/1.1 only, without TLS: a proxy in front ends TLS and speaks HTTP/1.1 to us. No
//! query, token, header or body is logged or measured.
//!
//! [`Desk`]: otter_delivery::Desk

mod answer;
mod body;
mod booking;
mod gates;
mod ingress;
mod limits;
mod prefix;
mod server;

pub use limits::Limits;
pub use server::Server;
