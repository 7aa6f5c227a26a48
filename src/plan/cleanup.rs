//! Which versions of a package a clean-up deletes, in which order, and why the others stay. Pure.
//!
//! [`Policy`] judges tags, [`Selection`] says which manifests must be read, and decides when all of them are. What is
//! not proven to be unused is kept.

mod assessment;
pub(crate) mod graph;
mod judged;
pub(crate) mod links;
pub(crate) mod order;
pub(crate) mod policy;
mod protection;
pub(crate) mod reason;
pub(crate) mod selection;
mod standing;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod package;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walker;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::image::digest::Digest;
use crate::plan::cleanup::links::Content;

/// What was read of the manifests of a package.
pub(crate) type Contents = BTreeMap<Digest, Content>;

/// What a decision depends on besides the package and the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) now: DateTime<Utc>,
    /// The images of this run, which stay.
    pub(crate) own: &'a BTreeSet<Digest>,
    /// Whether each pull request that GitHub was asked about is closed.
    pub(crate) closed: &'a BTreeMap<u64, bool>,
}
