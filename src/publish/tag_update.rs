//! `TagUpdate`: the update of the tags of one image in one registry, and what it has moved so far.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::context::history::Relation;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::{PushedImage, subject};
use crate::registry::Repository;
use crate::registry::diagnosis::Subject;
use crate::registry::manifests::Tagged;
use crate::session::Session;

/// What update an image needs to know, and what it has moved so far.
pub(super) struct TagUpdate<'a> {
    pub(super) session: &'a Session,
    pub(super) subject: Subject,
    pub(super) image: &'a PushedImage<'a>,
    pub(super) repository: Repository<'a>,
    /// Floating tags that were, or may have been, moved, in the order of the attempts.
    pub(super) moved: RefCell<Vec<MovedTag>>,
    /// How our commit relates to others, as far as it was asked.
    pub(super) relations: tokio::sync::Mutex<BTreeMap<String, Relation>>,
    /// The longest time between a question and the write it led to.
    pub(super) gap: Cell<Duration>,
    pub(super) last_write: Cell<Instant>,
}

impl<'a> TagUpdate<'a> {
    pub(super) fn new(
        session: &'a Session,
        name: &ImageName,
        image: &'a PushedImage<'a>,
        repository: Repository<'a>,
    ) -> Self {
        Self {
            session,
            subject: subject(session, name),
            image,
            repository,
            moved: RefCell::default(),
            relations: tokio::sync::Mutex::default(),
            gap: Cell::default(),
            last_write: Cell::new(Instant::now()),
        }
    }
}

/// A floating tag that points to our image, or may, and what it pointed to before our last write.
pub(super) struct MovedTag {
    pub(super) tag: Tag,
    pub(super) before: Option<Manifest>,
}

/// How often a conditional write may be refused although the tag shows the same image: its entity tag is
/// then of no use, for example a weak one (<https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1>).
const MAX_UNCHANGED: u32 = 2;

/// Conditional writes that were refused although the tag still shows the same image.
#[derive(Default)]
pub(super) struct RefusedWrites {
    shown: Option<Digest>,
    times: u32,
}

impl RefusedWrites {
    pub(super) fn count(&mut self, shown: Option<&Tagged>) {
        let shown = shown.map(|shown| shown.manifest.digest.clone());
        self.times = if self.shown == shown { self.times } else { 0 } + 1;
        self.shown = shown;
    }

    /// The condition for the next write over what is shown.
    pub(super) fn condition<'a>(&self, shown: Option<&'a Tagged>) -> Option<&'a str> {
        let shown = shown?;
        let is_useless =
            self.times >= MAX_UNCHANGED && self.shown.as_ref() == Some(&shown.manifest.digest);
        shown.etag.as_deref().filter(|_| !is_useless)
    }
}
