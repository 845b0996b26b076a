//! The edge as callers meet it: a real client over loopback, in front of the in-memory store. Nobody works on the
//! lanes, so what is sent stays queued unless a test plays the worker.
#![allow(clippy::unwrap_used)]

mod access;
mod checking;
mod connections;
mod dead_letters;
mod house;
mod life;
mod locks;
mod operators;
mod sending;
mod streams;
mod transport;
