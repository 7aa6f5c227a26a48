//! What the tests of ghcr-publish share.

pub mod corpus;
pub mod proof;
pub mod runner;
