//! Determines whether our image is newer than the one a floating tag points to.

use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::inputs::tags::version::line::VersionLine;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Freshness, Unanswered};
use crate::plan::tags::PlannedTag;
use crate::publish::move_tags::TagUpdate;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain;
use crate::registry::identity::Identity;
use crate::registry::manifests::{TagList, Tagged};

/// The tags of the repository, listed when a version has to be compared with them.
pub(super) type Listed = Option<Result<TagList, Unanswered>>;

impl TagUpdate<'_> {
    /// The tags of the repository, when one of `floating` shows a version.
    pub(super) async fn list_for(
        &self,
        floating: &[&PlannedTag],
    ) -> Result<Option<TagList>, RegistryError> {
        let asks = self.session.plan.floating == Floating::Forward
            && floating.iter().any(|planned| planned.line.is_some());
        match asks {
            true => self.repository.tags().await.map(Some),
            false => Ok(None),
        }
    }

    /// The same before the tags move: without the list they stay where they are.
    pub(super) async fn listed(&self, floating: &[&PlannedTag]) -> Listed {
        let list = self.list_for(floating).await.transpose()?;
        Some(list.map_err(|error| self.unanswered("the list of tags could not be read", &error)))
    }

    /// What the tag shows now. A list without the tag saves the request.
    pub(super) async fn shown(
        &self,
        tag: &Tag,
        list: &Listed,
    ) -> Result<Option<Tagged>, Unanswered> {
        if matches!(list, Some(Ok(list)) if list.lacks(tag)) {
            return Ok(None);
        }
        let shown = self.repository.tagged(tag).await;
        shown.map_err(|error| self.unanswered("its image could not be read", &error))
    }

    /// How our image compares with the one the tag shows.
    pub(super) async fn freshness(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        list: &Listed,
    ) -> Result<Freshness, Unanswered> {
        let freshness = match (&planned.line, list, shown) {
            (Some(_), Some(Err(unanswered)), _) => Err(unanswered.clone()),
            (Some(line), Some(Ok(list)), _) => self.by_version(line, list, shown).await,
            (_, _, None) => Ok(Freshness::Newer),
            (_, _, Some(shown)) => match self.identity(shown).await {
                Ok(identity) => self.by_commit(identity).await,
                Err(unanswered) => Err(unanswered),
            },
        };
        let digest = shown.map_or("no image", |shown| shown.digest.as_str());
        let decision = match &freshness {
            Ok(freshness) => format!("{freshness:?}"),
            Err(unanswered) => format!("unknown, since {}", unanswered.reason),
        };
        let (name, tag) = (&self.subject.name, &planned.tag);
        log::debug!("tag {name}:{tag} shows {digest}; our image compared with it: {decision}");
        freshness
    }

    /// By the versions among the tags. Where they cannot tell, the image under the tag is read: the list is
    /// not complete, or this repository tags no version in full.
    async fn by_version(
        &self,
        line: &VersionLine,
        list: &TagList,
        shown: Option<&Manifest>,
    ) -> Result<Freshness, Unanswered> {
        let by_list = Freshness::by_version(line, &list.names);
        let is_sure = list.is_complete && self.tags_in_full(line);
        let (Freshness::Newer, Some(shown), false) = (&by_list, shown, is_sure) else {
            return Ok(by_list);
        };
        match self.by_shown(line, shown).await? {
            Freshness::Incomparable(_) if !list.names.is_empty() && !list.is_complete => {
                Err(cut_list())
            }
            freshness => Ok(freshness),
        }
    }

    /// By what the image under the tag says of itself: its version, else its commit.
    async fn by_shown(
        &self,
        line: &VersionLine,
        shown: &Manifest,
    ) -> Result<Freshness, Unanswered> {
        let identity = self.identity(shown).await?;
        if let Identity::Own {
            version: Some(version),
            ..
        } = &identity
            && let Some(freshness) = Freshness::by_shown_version(line, version)
        {
            return Ok(freshness);
        }
        self.by_commit(identity).await
    }

    /// Whether the plan has a tag with the whole version of `line`, so that other runs have one too.
    fn tags_in_full(&self, line: &VersionLine) -> bool {
        let mut tags = self.session.plan.tags.iter();
        tags.any(|planned| line.version_of(planned.tag.as_str()).is_some())
    }

    /// What the image says of its source.
    pub(super) async fn identity(&self, shown: &Manifest) -> Result<Identity, Unanswered> {
        let own = self.session.context.repository_facts().html_url;
        let identity = CopySource::Repository(self.repository).identity(shown, &own);
        let identity = identity.await;
        identity.map_err(|error| self.unanswered("its image could not be read", &error))
    }

    /// By the history between our commit and that of the image under the tag. Each commit is compared once.
    async fn by_commit(&self, identity: Identity) -> Result<Freshness, Unanswered> {
        let (ours, shown) = match (&self.image.commit, identity.commit()) {
            (Ok(ours), Ok(shown)) => (ours, shown),
            (_, Err(why)) => return Ok(Freshness::Incomparable(why)),
            (Err(why), Ok(_)) => return Ok(Freshness::Incomparable(why.clone())),
        };
        let shown = shown.as_str();
        let mut known = self.relations.lock().await;
        if let Some(relation) = known.get(shown) {
            return Ok(Freshness::by_ancestry(relation.clone(), shown));
        }
        let session = self.session;
        let relation = match session.history.relation(ours, shown) {
            Some(relation) => relation,
            None => {
                let repository = &session.context.repository;
                let deadline = self.repository.deadline;
                let github = &session.github;
                github.relation(repository, ours, shown, deadline).await?
            }
        };
        known.insert(shown.to_owned(), relation.clone());
        Ok(Freshness::by_ancestry(relation, shown))
    }

    /// What is not known because the registry did not respond, or denied the request.
    fn unanswered(&self, what: &str, error: &RegistryError) -> Unanswered {
        let fix = if error.is_transient() {
            "run the job again when the registry responds: the build is cached".to_owned()
        } else {
            explain::explain(what, &self.subject, error)
                .fix()
                .to_owned()
        };
        Unanswered {
            reason: format!("{what}: {error}"),
            fix,
        }
    }
}

fn cut_list() -> Unanswered {
    Unanswered {
        reason: "the registry has more tags than the 100,000 that are read, and its image names no version".to_owned(),
        fix: "delete tags that nobody needs, then run the job again".to_owned(),
    }
}
