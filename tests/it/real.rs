//! The real parts: Docker Engine with both image stores, buildx, Debian's registry, crane, act, Sigstore.
//!
//! `testbed/up` brings them up and `make test` asks for these tests. None is skipped when a part is missing.

mod act;
mod archives;
mod builders;
mod canary;
mod candidate;
mod changes;
mod cleanup;
mod engine;
mod forward;
mod hostile;
mod inputs;
mod legacy;
mod move_tags;
mod parts;
mod patience;
mod registry;
mod release;
mod server;
mod servers;
mod sigstore;
mod versions;
mod world;
