//! The double as its clients see it, over a real socket; one module for each part of the protocol.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod api;
mod blobs;
mod client;
mod faults;
mod legacy;
mod manifests;
mod referrers;
mod rights;
mod seed;
mod servers;
mod tls;
mod token;
