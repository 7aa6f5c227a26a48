//! Tests of the double over real sockets; one module per part of the protocol.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod api;
mod attestations;
mod auth;
mod blobs;
mod client;
mod comments;
mod deletion;
mod docker;
mod faults;
mod manifests;
mod permissions;
mod pull_requests;
mod referrers;
mod seed;
mod servers;
mod tls;
mod versions;
