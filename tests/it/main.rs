//! The program as its users meet it, against the GHCR double and a scripted `buildx`; no engine, no network.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contract;
mod events;
mod failures;
mod publish;
mod support;
