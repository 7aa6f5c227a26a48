//! The vocabulary of images: names, tags, digests, references.

pub(crate) mod changes;
pub(crate) mod contents;
pub(crate) mod digest;
pub(crate) mod index;
pub(crate) mod manifest;
pub(crate) mod name;
pub(crate) mod platform;
pub(crate) mod tag;
pub(crate) mod version;

use std::fmt;

use crate::image::name::ImageName;
use crate::image::tag::Tag;

/// A name with a tag: what a person writes after `docker pull`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    pub(crate) name: ImageName,
    pub(crate) tag: Tag,
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}
