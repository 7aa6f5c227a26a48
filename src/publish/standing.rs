//! The questions behind a floating tag: which tags there are, what the tag shows, and which is newer.

use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::inputs::tags::version::line::VersionLine;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Standing, Unanswered};
use crate::plan::tags::PlannedTag;
use crate::publish::tag_update::Settling;
use crate::registry::answer::Trouble;
use crate::registry::identity::Identity;
use crate::registry::origin::Origin;
use crate::registry::refusal;
use crate::registry::tags::{TagList, Tagged};

/// The tags of the repository, asked for when a version has to be compared with them.
pub(super) type Listed = Option<Result<TagList, Unanswered>>;

impl Settling<'_> {
    /// The tags of the repository, when one of `floating` shows a version.
    pub(super) async fn list_for(
        &self,
        floating: &[&PlannedTag],
    ) -> Result<Option<TagList>, Trouble> {
        let asks = self.session.plan.floating == Floating::Forward
            && floating.iter().any(|planned| planned.line.is_some());
        match asks {
            true => self.repository.tags().await.map(Some),
            false => Ok(None),
        }
    }

    /// The same before the tags move, when a missing answer leaves them where they are.
    pub(super) async fn listed(&self, floating: &[&PlannedTag]) -> Listed {
        let list = self.list_for(floating).await.transpose()?;
        Some(list.map_err(|trouble| self.unanswered("the list of tags was not read", &trouble)))
    }

    /// What the tag shows now. A list without the tag saves the question.
    pub(super) async fn shown(
        &self,
        tag: &Tag,
        list: &Listed,
    ) -> Result<Option<Tagged>, Unanswered> {
        if matches!(list, Some(Ok(list)) if list.lacks(tag)) {
            return Ok(None);
        }
        let shown = self.repository.tagged(tag).await;
        shown.map_err(|trouble| self.unanswered("its image was not read", &trouble))
    }

    /// How our image compares with the one the tag shows.
    pub(super) async fn standing(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        list: &Listed,
    ) -> Result<Standing, Unanswered> {
        match (&planned.line, list, shown) {
            (Some(_), Some(Err(unanswered)), _) => Err(unanswered.clone()),
            (Some(line), Some(Ok(list)), _) => self.by_version(line, list, shown).await,
            (_, _, None) => Ok(Standing::Newer),
            (_, _, Some(shown)) => match self.identity(shown).await?.commit() {
                Ok(commit) => self.by_ancestry(&commit).await,
                Err(why) => Ok(Standing::Incomparable(why)),
            },
        }
    }

    /// By the versions among the tags. Where they cannot tell, the image under the tag is asked: the list is
    /// not complete, or this repository tags no version in full.
    async fn by_version(
        &self,
        line: &VersionLine,
        list: &TagList,
        shown: Option<&Manifest>,
    ) -> Result<Standing, Unanswered> {
        let by_list = Standing::by_version(line, &list.names);
        let knows = list.is_complete && self.tags_in_full(line);
        match (by_list, shown) {
            (Standing::Newer, Some(shown)) if !knows => {
                let standing = self.by_shown(line, shown).await?;
                match standing {
                    Standing::Incomparable(_) if !list.names.is_empty() && !list.is_complete => {
                        Err(cut_list())
                    }
                    standing => Ok(standing),
                }
            }
            (standing, _) => Ok(standing),
        }
    }

    /// By what the image under the tag says of itself: its version, else its commit.
    async fn by_shown(&self, line: &VersionLine, shown: &Manifest) -> Result<Standing, Unanswered> {
        let identity = self.identity(shown).await?;
        if let Identity::Own {
            version: Some(version),
            ..
        } = &identity
            && let Some(standing) = Standing::by_shown_version(line, version)
        {
            return Ok(standing);
        }
        match identity.commit() {
            Ok(commit) => self.by_ancestry(&commit).await,
            Err(why) => Ok(Standing::Incomparable(why)),
        }
    }

    /// Whether the plan has a tag with the whole version of `line`, so that other runs have one too.
    fn tags_in_full(&self, line: &VersionLine) -> bool {
        let mut tags = self.session.plan.tags.iter();
        tags.any(|planned| line.version_of(planned.tag.as_str()).is_some())
    }

    /// What the image says of its origin.
    pub(super) async fn identity(&self, shown: &Manifest) -> Result<Identity, Unanswered> {
        let own = self.session.context.repository_facts().html_url;
        let identity = Origin::Repository(self.repository).identity(shown, &own);
        let identity = identity.await;
        identity.map_err(|trouble| self.unanswered("its image was not read", &trouble))
    }

    /// By the history between our commit and `shown`. Each commit is asked for once.
    async fn by_ancestry(&self, shown: &str) -> Result<Standing, Unanswered> {
        let ours = match &self.image.commit {
            Ok(ours) => ours,
            Err(why) => return Ok(Standing::Incomparable(why.clone())),
        };
        let mut known = self.relations.lock().await;
        if let Some(relation) = known.get(shown) {
            return Ok(Standing::by_ancestry(relation.clone(), shown));
        }
        let session = self.session;
        let relation = match session.history.relation(ours, shown) {
            Some(relation) => relation,
            None => {
                let repository = &session.context.repository;
                let patience = self.repository.patience();
                let asked = session.github.relation(
                    repository,
                    ours,
                    shown,
                    patience,
                    self.session.console,
                );
                asked.await?
            }
        };
        known.insert(shown.to_owned(), relation.clone());
        Ok(Standing::by_ancestry(relation, shown))
    }

    /// A registry that did not answer, or not to us.
    fn unanswered(&self, what: &str, trouble: &Trouble) -> Unanswered {
        let fix = if trouble.is_passing() {
            "run the job again when the registry answers: the build is cached".to_owned()
        } else {
            refusal::refusal(what, &self.subject, trouble)
                .fix()
                .to_owned()
        };
        Unanswered {
            reason: format!("{what}: {trouble}"),
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
