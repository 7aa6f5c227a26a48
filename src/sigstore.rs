//! Signs attestations with Sigstore, and verifies them: what `actions/attest` does, as a library.
//!
//! token (`oidc`) + `instance` + `statement` -> `signer` -> `bundle` -> `verify`.

pub(crate) mod bundle;
mod certificate;
pub(crate) mod error;
mod evidence;
pub(crate) mod http;
pub(crate) mod instance;
mod key;
pub(crate) mod oidc;
pub(crate) mod policy;
mod provider;
pub(crate) mod refusal;
pub(crate) mod signer;
pub(crate) mod statement;
#[cfg(test)]
mod tests;
pub(crate) mod unknown_root;
pub(crate) mod verify;
