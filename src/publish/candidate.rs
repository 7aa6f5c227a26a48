//! The image that exists: found, read, and known to be what was asked for.

use anyhow::Context as _;

use crate::deadline::{Pace, Patience};
use crate::docker::images;
use crate::docker::images::{Export, LocalImage};
use crate::error::Problem;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::platform::is_same;
use crate::image::tag::Tag;
use crate::inputs::candidate::{Candidate, Reference, TagOrDigest};
use crate::plan::tags::fallback::commit_tag;
use crate::publish::{Registries, names_in, subject};
use crate::registry::Repository;
use crate::registry::answer::Trouble;
use crate::registry::origin::Origin;
use crate::registry::refusal::read_refusal;
use crate::session::Session;

/// An image that is about to be published.
pub(super) struct Found {
    pub(super) home: Home,
    pub(super) root: Manifest,
    /// The commit it is of; else why that is not known.
    pub(super) commit: Result<String, String>,
}

/// Where an image was found.
pub(super) enum Home {
    Registry(ImageName),
    Engine(LocalImage),
    /// It was built a moment ago, for us to push.
    Workshop(LocalImage),
}

/// Looks for an image; what it needs to know.
struct Search<'a> {
    session: &'a Session,
    registries: &'a Registries,
}

/// How long the registry is asked for the image of this commit: there is another way.
const QUESTION: std::time::Duration = std::time::Duration::from_secs(30);

/// The image to publish; nothing when there is no candidate, or none of this commit yet.
pub(super) async fn find(
    session: &Session,
    registries: &Registries,
) -> anyhow::Result<Option<Found>> {
    let search = Search {
        session,
        registries,
    };
    let found = match &session.plan.candidate {
        None => return Ok(None),
        Some(Candidate::OfCommit) => return Ok(search.of_commit().await),
        Some(Candidate::InRegistry(reference)) => search.in_registry(reference).await?,
        Some(Candidate::InEngine(name)) => search.in_engine(name).await?,
    };
    let missing = search.missing_platforms(&found).await?;
    if let Some((missing, there)) = missing {
        let candidate = found.to_string();
        return Err(lacks_platforms(&candidate, &missing, &there).into());
    }
    Ok(Some(found))
}

impl Found {
    /// Where its parts are read.
    pub(super) fn origin<'a>(
        &'a self,
        registries: &'a Registries,
        patience: Patience,
    ) -> Origin<'a> {
        match &self.home {
            Home::Registry(name) => {
                let registry = &registries[name.registry()];
                Origin::Repository(registry.read_only(name.repository(), patience))
            }
            Home::Engine(image) | Home::Workshop(image) => Origin::Layout(&image.layout),
        }
    }

    /// The name it has in its registry, if it is in one.
    pub(super) fn name(&self) -> Option<&ImageName> {
        match &self.home {
            Home::Registry(name) => Some(name),
            Home::Engine(_) | Home::Workshop(_) => None,
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digest = &self.root.digest;
        match &self.home {
            Home::Registry(name) => write!(f, "{name}@{digest}"),
            Home::Engine(image) => write!(f, "{digest}, the engine's image {}", image.name),
            Home::Workshop(image) => f.write_str(&image.name),
        }
    }
}

impl Search<'_> {
    fn repository<'a>(&'a self, name: &'a ImageName) -> Repository<'a> {
        let patience = Patience::lasting(self.session.inputs.push_timeout, Pace::REAL);
        self.registries[name.registry()].read_only(name.repository(), patience)
    }

    async fn in_registry(&self, reference: &Reference) -> anyhow::Result<Found> {
        let name = &reference.name;
        let repository = self.repository(name);
        let read = match &reference.version {
            TagOrDigest::Tag(tag) => repository.manifest_at(tag).await,
            TagOrDigest::Digest(digest) => Origin::Repository(repository).manifest(digest).await,
        };
        match read {
            Ok(root) => {
                let commit = self.commit_of(Origin::Repository(repository), &root).await;
                let home = Home::Registry(name.clone());
                Ok(Found { home, root, commit })
            }
            Err(trouble @ Trouble::NotFound { .. }) => Err(Problem::new(
                format!("there is no image `{reference}`"),
                "check the name and the tag, or write `docker-daemon:` before it for an image that only the local engine has",
            )
            .because(trouble.to_string())
            .into()),
            Err(trouble) => {
                let what = format!("cannot read `{reference}`");
                Err(read_refusal(&what, &subject(self.session, name), &trouble).into())
            }
        }
    }

    async fn in_engine(&self, name: &str) -> anyhow::Result<Found> {
        let unread = format!("cannot get the image `{name}` from the engine");
        let problem = match images::export(name, &self.session.vars, self.session.console).await? {
            Export::Image(image, root) => {
                require_digest(name, &root)?;
                return Ok(self.local(image, root).await);
            }
            Export::Missing => Problem::new(
                format!("the engine has no image `{name}`"),
                "let an earlier step of the same job make it (`docker build --tag`, or `load: true`), or name a registry: `candidate: ghcr.io/acme/app:1.2.3`",
            ),
            Export::OutOfReach => Problem::new(
                unread,
                "let `DOCKER_HOST` name a socket or a `tcp://` address without TLS, or push the image to a registry and name it there",
            )
            .because("the engine is behind ssh, TLS or a docker context, where only buildx reaches it"),
            Export::NoEngine(error) => Problem::new(
                unread,
                "run the job on a runner with Docker, and let its socket reach this step",
            )
            .because(format!("{error:#}")),
        };
        Err(problem.into())
    }

    /// What does not say otherwise was made by a step of this run.
    async fn local(&self, image: LocalImage, root: Manifest) -> Found {
        let run = self.session.context.named_commit();
        let commit = self.commit_of(Origin::Layout(&image.layout), &root).await;
        let commit = commit.or_else(|_unknown| run.map(str::to_owned));
        let home = Home::Engine(image);
        Found { home, root, commit }
    }

    /// The image of this commit, in the first of the names that has it.
    async fn of_commit(&self) -> Option<Found> {
        let plan = &self.session.plan;
        let commit = match self.session.context.named_commit() {
            Ok(commit) => commit,
            Err(reason) => {
                self.session.console.say(&format!(
                    "no image is looked for, since {reason}: it is built"
                ));
                return None;
            }
        };
        for name in names_in(self.registries, self.session) {
            for tag in tags_of_commit(commit, plan.tags.iter().map(|planned| &planned.tag)) {
                let repository = self.repository(name).at_most(QUESTION);
                let root = match repository.manifest_of(&tag).await {
                    Ok(Some(root)) => root,
                    Ok(None) | Err(Trouble::Denied { .. }) => continue,
                    Err(trouble) => {
                        self.session.console.say(&format!(
                            "whether `{name}:{tag}` exists is not known: {trouble}"
                        ));
                        continue;
                    }
                };
                // A tag is a claim: only the image itself says of which commit it is.
                let own = self.session.context.repository_facts().html_url;
                let identity = Origin::Repository(repository).identity(&root, &own);
                if !identity.await.is_ok_and(|identity| identity.is_of(commit)) {
                    self.session.console.say(&format!(
                        "`{name}:{tag}` is not said to be of this commit, and left alone"
                    ));
                    continue;
                }
                let found = Found {
                    home: Home::Registry(name.clone()),
                    root,
                    commit: Ok(commit.to_owned()),
                };
                match self.missing_platforms(&found).await {
                    Ok(None) => return Some(found),
                    Ok(Some((missing, _))) => self.session.console.say(&format!(
                        "`{name}:{tag}` is not for {}, and left alone",
                        missing.join(", ")
                    )),
                    Err(error) => self
                        .session
                        .console
                        .say(&format!("`{name}:{tag}` is left alone: {error:#}")),
                }
            }
        }
        self.session
            .console
            .say("the registry has no image of this commit, so it is built");
        None
    }

    /// The commit a manifest says it is of, when that is one of this repository.
    async fn commit_of(&self, origin: Origin<'_>, root: &Manifest) -> Result<String, String> {
        let own = self.session.context.repository_facts().html_url;
        let unknown =
            |why| format!("it is not known which commit of this repository is published: {why}");
        let identity = origin.identity(root, &own).await;
        let identity = identity.map_err(|trouble| unknown(trouble.to_string()))?;
        identity.commit().map_err(unknown)
    }

    /// The platforms that are asked for and not there, and those that are; nothing when all are.
    async fn missing_platforms(
        &self,
        found: &Found,
    ) -> anyhow::Result<Option<(Vec<String>, Vec<String>)>> {
        let asked = &self.session.inputs.build.platforms;
        if asked.is_empty() {
            return Ok(None);
        }
        let patience = Patience::lasting(self.session.inputs.push_timeout, Pace::REAL);
        let origin = found.origin(self.registries, patience);
        let there = origin.platforms(&found.root).await;
        let there = there.with_context(|| format!("cannot read `{found}`"))?;
        let is_there = |asked: &String| there.iter().any(|there| is_same(there, asked));
        let missing = asked.iter().filter(|asked| !is_there(asked));
        let missing: Vec<String> = missing.cloned().collect();
        Ok((!missing.is_empty()).then_some((missing, there)))
    }
}

/// Where an image of `commit` may be, the surest first: the full commit, the plan's own tags with its
/// digits, the short one.
fn tags_of_commit<'a>(commit: &str, planned: impl Iterator<Item = &'a Tag>) -> Vec<Tag> {
    let short = commit.get(..7).unwrap_or(commit);
    let mut tags = vec![commit_tag(commit, commit.len())];
    let own = planned.filter(|tag| tag.as_str().contains(short));
    for tag in own.cloned().chain([commit_tag(commit, 7)]) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// A candidate named by its digest, or by its id, is that image: the engine may export other bytes.
fn require_digest(name: &str, root: &Manifest) -> Result<(), Problem> {
    let is_it = match name.split_once('@') {
        Some((_, digest)) => digest == root.digest.as_str(),
        None if name.starts_with("sha256:") => {
            let config = root.config_digest();
            let ids = [Some(&root.digest), config.as_ref()];
            ids.into_iter().flatten().any(|id| id.as_str() == name)
        }
        None => true,
    };
    if is_it {
        return Ok(());
    }
    Err(Problem::new(
        format!("the engine does not export `{name}` with that digest"),
        "name the image by its tag, or push it to a registry and name it there by its digest",
    )
    .because(format!("it exports {}", root.digest)))
}

fn lacks_platforms(candidate: &str, missing: &[String], there: &[String]) -> Problem {
    let listed = |platforms: &[String]| platforms.join(", ");
    let has = if there.is_empty() {
        "it does not say for which platforms it is".to_owned()
    } else {
        format!("it is for {}", listed(there))
    };
    Problem::new(
        format!("`{candidate}` is not for {}", listed(missing)),
        "take that out of the input `platforms`, or publish an image that was built for it",
    )
    .because(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::Digest;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn an_image_named_by_digest_is_that_digest() {
        let config = format!("sha256:{}", "c".repeat(64));
        let bytes = format!(r#"{{"config":{{"digest":"{config}"}}}}"#).into_bytes();
        let root = Manifest {
            media_type: String::new(),
            digest: Digest::of(&bytes),
            bytes,
        };
        let other = format!("sha256:{}", "0".repeat(64));
        let is_taken = |name: &str| require_digest(name, &root).is_ok();
        assert!(is_taken("app:test"));
        assert!(is_taken(&format!("app@{}", root.digest)));
        assert!(is_taken(root.digest.as_str()));
        assert!(is_taken(&config));
        assert!(!is_taken(&format!("app:test@{other}")));
        assert!(!is_taken(&format!("app@{config}")));
        assert!(!is_taken(&other));
    }

    #[test]
    fn the_surest_tag_is_asked_for_first_and_none_twice() {
        let check = |planned: &[&str], expected: &[&str]| {
            let planned: Vec<Tag> = planned
                .iter()
                .filter_map(|tag| Tag::sanitized(tag))
                .collect();
            let tags = tags_of_commit(COMMIT, planned.iter());
            assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), expected);
        };
        let full = format!("sha-{COMMIT}");
        check(&["main", "latest"], &[&full, "sha-0123456"]);
        check(
            &["main", "git-0123456789ab", "sha-0123456"],
            &[&full, "git-0123456789ab", "sha-0123456"],
        );
    }
}
