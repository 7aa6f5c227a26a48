//! A tag that names a commit keeps showing it: no image of another commit takes it.

use std::time::Duration;

use crate::deadline::Patience;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::{Registries, names_in, subject};
use crate::registry::Repository;
use crate::registry::answer::Trouble;
use crate::registry::origin::Origin;
use crate::registry::refusal::read_refusal;
use crate::session::Session;

/// The image that is about to be published.
pub(super) struct Claim<'a> {
    pub(super) session: &'a Session,
    /// The commit it is of; else why that is not known.
    pub(super) commit: &'a Result<String, String>,
    /// Unknown before it is built.
    pub(super) digest: Option<&'a Digest>,
}

/// Who holds a tag.
enum Holder {
    /// Nobody, or an image of the same commit.
    Free,
    /// The text completes the sentence "it shows an image that ...".
    Other(String),
}

/// From so many tags on, one list of all tags saves questions about single ones.
const WORTH_A_LIST: usize = 3;

const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";

/// Those of `tags` that the repository may have. Without a list, each is asked for; in a repository that is
/// not there yet, only `first` is, the one that the engine writes.
async fn not_absent(
    repository: Repository<'_>,
    mut tags: Vec<Tag>,
    first: Option<&Tag>,
) -> Vec<Tag> {
    if tags.len() < WORTH_A_LIST {
        return tags;
    }
    if let Ok(list) = repository.at_most(Duration::ZERO).tags().await {
        let is_new = list.names.is_empty() && !list.is_complete;
        tags.retain(|tag| match first {
            Some(first) if is_new => tag == first,
            _ => !list.lacks(tag),
        });
    }
    tags
}

impl Claim<'_> {
    /// Refuses when a tag of the plan that names a commit shows another one, before anything is written.
    ///
    /// A repository that may not be read yet is asked again when the image is in it: before the first
    /// push, registries hide what does not exist.
    pub(super) async fn require_all(
        &self,
        registries: &Registries,
        patience: Patience,
    ) -> anyhow::Result<()> {
        let plan = &self.session.plan;
        for name in names_in(registries, self.session) {
            let registry = &registries[name.registry()];
            let repository = registry.repository(name.repository(), patience);
            for tag in not_absent(repository, plan.commit_tags(), Some(&plan.primary)).await {
                match self.holder(repository, &tag).await {
                    Err(Trouble::Denied { .. }) => {}
                    holder => self.judge(name, &tag, holder)?,
                }
            }
        }
        Ok(())
    }

    /// The same for those of `tags` that name a commit, with the image in the registry.
    pub(super) async fn require(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        tags: &[Tag],
    ) -> Result<(), Problem> {
        let mut of_commit = self.session.plan.commit_tags();
        of_commit.retain(|tag| tags.contains(tag));
        for tag in not_absent(repository, of_commit, None).await {
            self.judge(name, &tag, self.holder(repository, &tag).await)?;
        }
        Ok(())
    }

    fn judge(
        &self,
        name: &ImageName,
        tag: &Tag,
        holder: Result<Holder, Trouble>,
    ) -> Result<(), Problem> {
        match holder {
            Ok(Holder::Free) => Ok(()),
            Ok(Holder::Other(shown)) => Err(self.refusal(name, tag, &shown)),
            Err(trouble) => {
                let what = format!("cannot read `{name}:{tag}`, which may show another commit");
                Err(read_refusal(&what, &subject(self.session, name), &trouble))
            }
        }
    }

    async fn holder(&self, repository: Repository<'_>, tag: &Tag) -> Result<Holder, Trouble> {
        let Some(held) = repository.manifest_of(tag).await? else {
            return Ok(Holder::Free);
        };
        if Some(&held.digest) == self.digest {
            return Ok(Holder::Free);
        }
        let own = self.session.context.repository_facts().html_url;
        let origin = Origin::Repository(repository);
        let said = origin.identity(&held, &own).await?.commit();
        if said.is_ok() && said == *self.commit {
            return Ok(Holder::Free);
        }
        let digest = &held.digest;
        match said {
            _ if self.has_our_labels(origin, &held).await? => Ok(Holder::Free),
            Ok(commit) => Ok(Holder::Other(format!(
                "is of the commit `{commit}`: {digest}"
            ))),
            Err(_unknown) if self.is_whole(tag) => Ok(Holder::Free),
            Err(_unknown) => Ok(Holder::Other(format!(
                "names no commit of this repository: {digest}"
            ))),
        }
    }

    /// Whether the image says of its origin what the author of the workflow lets ours say.
    async fn has_our_labels(&self, origin: Origin<'_>, held: &Manifest) -> Result<bool, Trouble> {
        let labels = &self.session.plan.labels;
        let label = |key: &str| {
            let found = labels.iter().find(|(other, _)| other == key);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let (source, revision) = (label(SOURCE), label(REVISION));
        if self.session.plan.is_promotion() || source.is_empty() || revision.is_empty() {
            return Ok(false);
        }
        let said = origin.identity(held, source).await?.commit();
        Ok(said.as_deref() == Ok(revision))
    }

    /// Whether no other commit can have the tag: it holds all of ours.
    fn is_whole(&self, tag: &Tag) -> bool {
        let commit = self.commit.as_deref().unwrap_or_default();
        commit.len() >= 40 && tag.as_str().contains(commit)
    }

    fn refusal(&self, name: &ImageName, tag: &Tag, shown: &str) -> Problem {
        let fix = if self.is_whole(tag) {
            "find out which run wrote it, and delete that version of the package if the tag is wrong"
        } else {
            "tag with the whole commit (`type=sha,format=long`), or delete that version of the package if the tag is wrong"
        };
        let ours = match self.commit {
            Ok(commit) => format!("the image to publish is of `{commit}`"),
            Err(why) => why.clone(),
        };
        Problem::new(
            format!(
                "the tag `{name}:{tag}` is taken, and a tag of a commit never changes its commit"
            ),
            fix,
        )
        .because(format!("it shows an image that {shown}; {ours}"))
    }
}
