//! What tags show before the build, kept so that nothing is asked twice.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, OptionFuture, join, join_all, ready, select};
use futures_util::{StreamExt as _, stream};

use crate::answers::Answers;
use crate::deadline::Deadline;
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
        let names = names_in(registries, session).map(async |name| {
            let registry = &registries[name.registry()];
            let once = Deadline::after(Duration::ZERO, registry.pace);
            let repository = registry.repository(name.repository(), once);
            let reads = async {
                if repository.is_granted().await {
                    let reads = tags.iter().map(|tag| self.read(name, tag, repository));
                    let reads = stream::iter(reads).buffer_unordered(PARALLEL);
                    let reads = reads.for_each(|_shown| ready(()));
                    let list = OptionFuture::from(lists.then(|| self.list(name, repository)));
                    join(reads, list).await;
                }
            };
            let _elapsed = registry.pace.timeout(MAX_RESPONSE_TIME, reads).await;
        });
        join_all(names).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Pace;
    use crate::publish::faults::fixture::Fixture;
    use crate::publish::preflight::{before_build, connect};
    use ghcr_double::{Endpoint, Fault};

    #[tokio::test]
    async fn read_without_an_answer_is_given_up_after_15_seconds_and_asked_again_later() {
        let fixture = Fixture::new();
        let session = fixture.session();
        let registries = connect(session, Pace::REAL).await.unwrap();
        let hanging = Fault::on(Endpoint::ManifestRead).path("1.2.3");
        fixture.script(hanging.hang(Duration::from_secs(600)));
        let early = EarlyAnswers::default();
        let preflight = before_build(session, &registries);
        let asked = early.ask_beside(preflight, session, &registries);
        // The client itself gives up after 30 seconds.
        let in_time = tokio::time::timeout(Duration::from_secs(25), asked).await;
        in_time.expect("the build begins").unwrap();
        let name = &session.plan.images[0];
        let once = Deadline::after(Duration::ZERO, Pace::REAL);
        let repository = registries[name.registry()].repository(name.repository(), once);
        let reads = || {
            let requests = fixture.requests().into_iter();
            let reads = requests.filter(|seen| seen.path.ends_with("manifests/1.2.3"));
            reads.count()
        };
        assert_eq!(reads(), 1);
        let tag = Tag::sanitized("1.2.3").unwrap();
        let shown = early.read(name, &tag, repository).await.unwrap();
        assert!(shown.is_none());
        assert_eq!(reads(), 2);
    }
}
