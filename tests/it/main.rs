//! The program as its users meet it: against the GHCR double and a scripted `buildx`, and with the
//! feature `real-engine` on the real parts.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod attest;
mod bad_inputs;
mod build;
mod builders;
mod candidate;
mod changes;
mod checkout;
mod cleanup;
mod comments;
mod commit_tags;
mod contract;
mod diagnostics;
mod documentation;
mod engine_double;
mod events;
mod failures;
mod helpers;
mod hostile;
mod import_order;
mod json;
mod keep_login;
mod laptop;
mod modes;
mod move_tags;
mod no_engine;
mod parts;
mod progress;
mod properties;
mod proxies;
mod publication;
mod publish;
mod pure;
mod pushes;
#[cfg(feature = "real-engine")]
mod real;
mod registries;
mod round_trips;
mod stopped;
mod support;
mod tags;
mod testbed;
mod vectors;
mod verify;
mod versions;
