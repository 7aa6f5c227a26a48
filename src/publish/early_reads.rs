//! Reads an image as soon as the progress says that it is pushed: buildx takes a moment more to end.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::buildx::progress::exported::{Exported, Pushed};
use crate::context::server::RegistryKind;
use crate::deadline::Deadline;
use crate::publish::preflight::{MAX_RESPONSE_TIME, Registries, names_in};
use crate::session::Session;

/// The reads of images that were pushed while buildx had not ended.
#[derive(Default)]
pub(super) struct EarlyReads<'a> {
    reads: FuturesUnordered<LocalBoxFuture<'a, ()>>,
    /// When the first image was pushed: what was read since then need not be read again.
    pub(super) since: Option<Instant>,
}

impl<'a> EarlyReads<'a> {
    /// What `build` gives. Each of the `images` that it pushes is read at once; what fails is read again by the verification.
    pub(super) async fn beside<T>(
        &mut self,
        build: impl Future<Output = T>,
        mut images: UnboundedReceiver<Pushed>,
        session: &'a Session,
        registries: &'a Registries,
    ) -> T {
        let mut build = pin!(build);
        let built = loop {
            tokio::select! {
                Some(image) = images.recv() => self.begin(image, session, registries),
                Some(()) = self.reads.next() => {}
                built = &mut build => break built,
            }
        };
        while let Ok(image) = images.try_recv() {
            self.begin(image, session, registries);
        }
        built
    }

    fn begin(&mut self, image: Pushed, session: &'a Session, registries: &'a Registries) {
        let mut names = names_in(registries, session);
        let Some(name) = names.find(|name| image.is_under(name)) else {
            return;
        };
        let registry = &registries[name.registry()];
        let deadline = Deadline::after(Duration::ZERO, registry.pace);
        let repository = registry.repository(name.repository(), deadline);
        if repository.kind() == RegistryKind::Docker {
            // It serves no manifest by digest.
            return;
        }
        self.since.get_or_insert(image.since);
        let read = async move {
            let Exported {
                manifests, configs, ..
            } = &image.parts;
            let read = repository.read_pushed(&image.digest, manifests, configs, image.since);
            let _elapsed = registry.pace.timeout(MAX_RESPONSE_TIME, read).await;
        };
        self.reads.push(read.boxed_local());
    }

    /// What `other` gives, with the reads that have not ended.
    pub(super) async fn end_beside<T>(self, other: impl Future<Output = T>) -> T {
        let ended = self.reads.for_each(|()| ready(()));
        join(other, ended).await.0
    }
}
