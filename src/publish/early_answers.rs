//! What tags show before the build, kept so that nothing is asked twice.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, OptionFuture, join, join_all, ready, select};
use futures_util::{StreamExt as _, stream};

use crate::answers::Answers;
use crate::deadline::{Deadline, Pace};
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Mode;
use crate::publish::preflight::{MAX_RESPONSE_TIME, Registries, names_in};
use crate::publish::tag_reads::LIST_FROM;
use crate::registry::error::RegistryError;
use crate::registry::manifests::TagList;
use crate::registry::{PARALLEL, Repository};
use crate::session::Session;

/// What the tags that have to be known before the build showed, and which tags there were.
#[derive(Default)]
pub(super) struct EarlyAnswers {
    shown: Answers<(ImageName, Tag), Option<Manifest>>,
    lists: Answers<ImageName, TagList>,
}

impl EarlyAnswers {
    /// What the tag shows, read before or now.
    pub(super) async fn read(
        &self,
        name: &ImageName,
        tag: &Tag,
        repository: Repository<'_>,
    ) -> Result<Option<Manifest>, RegistryError> {
        let question = (name.clone(), tag.clone());
        let shown = repository.manifest_of(tag);
        let (_asked, shown) = self.shown.get(&question, |_asked| true, shown).await?;
        Ok(shown)
    }

    /// The tags of the repository, read before or now.
    pub(super) async fn list(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
    ) -> Result<TagList, RegistryError> {
        let list = self.lists.get(name, |_asked| true, repository.tags());
        Ok(list.await?.1)
    }

    /// What `preflight` gives. Beside it, what the checks before a build depend on is read, in the same round trip as the
    /// question for push access. What has no answer is asked again where it is needed.
    pub(super) async fn ask_beside<T>(
        &self,
        preflight: impl Future<Output = anyhow::Result<T>>,
        session: &Session,
        registries: &Registries,
    ) -> anyhow::Result<T> {
        let (preflight, reads) = (pin!(preflight), pin!(self.ask(session, registries)));
        match select(preflight, reads).await {
            Either::Left((outcome, reads)) => {
                let outcome = outcome?;
                reads.await;
                Ok(outcome)
            }
            Either::Right(((), preflight)) => preflight.await,
        }
    }

    async fn ask(&self, session: &Session, registries: &Registries) {
        let plan = &session.plan;
        if plan.is_promotion() || session.mode == Mode::Merge {
            return;
        }
        let mut tags = plan.commit_tags();
        let lists = tags.len() >= LIST_FROM;
        if lists {
            tags.clear();
        }
        tags.extend(plan.versions().cloned());
        let deadline = Deadline::after(Duration::ZERO, Pace::REAL);
        let names = names_in(registries, session).map(async |name| {
            let repository = registries[name.registry()].repository(name.repository(), deadline);
            if repository.is_granted().await {
                let reads = tags.iter().map(|tag| self.read(name, tag, repository));
                let reads = stream::iter(reads).buffer_unordered(PARALLEL);
                let reads = reads.for_each(|_shown| ready(()));
                let list = OptionFuture::from(lists.then(|| self.list(name, repository)));
                join(reads, list).await;
            }
        });
        let _elapsed = Pace::REAL.timeout(MAX_RESPONSE_TIME, join_all(names)).await;
    }
}
