//! Finds the existing image to publish, and checks that it is the requested one.

mod merge;

use crate::deadline::{Deadline, Pace};
use crate::docker::images::{self, Export, LocalImage};
use crate::error::Problem;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::candidate::file::ImageFile;
use crate::inputs::candidate::{Candidate, Reference, Source, TagOrDigest};
use crate::oci_layout::Present;
use crate::oci_layout::open::{open, require};
use crate::plan::tags::commit_tag;
use crate::publish::attest::Attester;
use crate::publish::existing_image::{ExistingImage, ImageSource};
use crate::publish::preflight::{Registries, names_in, subject};
use crate::registry::Repository;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::session::Session;

/// Looks for an image; what it needs to know.
struct Search<'a> {
    session: &'a Session,
    registries: &'a Registries,
    /// Requires that an image of this commit is attested.
    attester: Option<&'a Attester<'a>>,
}

/// How long the image of this commit is looked for: else it is built.
const MAX_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Fails if an archive or layout is not there, before the first request.
pub(super) fn require_files(session: &Session) -> Result<(), Problem> {
    let candidate = session.plan.candidate.iter();
    for source in candidate.flat_map(Candidate::sources) {
        if let Source::File(file) = source {
            require(file, &session.vars)?;
        }
    }
    Ok(())
}

/// The image to publish; nothing when there is no candidate, or none of this commit yet.
pub(super) async fn find(
    session: &Session,
    registries: &Registries,
    attester: Option<&Attester<'_>>,
) -> anyhow::Result<Option<ExistingImage>> {
    let search = Search {
        session,
        registries,
        attester,
    };
    let sources = match &session.plan.candidate {
        None => return Ok(None),
        Some(Candidate::OfCommit) => return Ok(search.of_commit().await),
        Some(Candidate::From(sources)) => sources,
    };
    let mut images = Vec::new();
    for source in sources {
        images.push(search.image_from(source).await?);
    }
    let found = search.merged(images).await?;
    if session.inputs.staged.is_some() {
        require_own_commit(session, &found)?;
    }
    match found.missing_platforms(session, registries).await? {
        None => Ok(Some(found)),
        Some((missing, there)) => Err(lacks_platforms(&found, &missing, &there).into()),
    }
}

/// A staged image is of the commit of this run.
fn require_own_commit(session: &Session, found: &ExistingImage) -> Result<(), Problem> {
    match (&found.commit, session.context.base_commit()) {
        (Ok(theirs), Ok(ours)) if *theirs != ours => Err(Problem::new(
            format!("the staged image {found} is of another commit"),
            "pass on the output `staged` of a job of the same run, unchanged",
        )
        .because(format!("it is of `{theirs}`, and this run is of `{ours}`"))),
        _ => Ok(()),
    }
}

impl Search<'_> {
    fn repository<'a>(&'a self, name: &'a ImageName) -> Repository<'a> {
        let deadline = Deadline::after(self.session.inputs.push_timeout, Pace::REAL);
        self.registries[name.registry()].read_only(name.repository(), deadline)
    }

    async fn image_from(&self, source: &Source) -> anyhow::Result<ExistingImage> {
        match source {
            Source::Registry(reference) => self.in_registry(reference).await,
            Source::Engine(name) => self.in_engine(name).await,
            Source::File(file) => self.in_file(file).await,
        }
    }

    async fn in_registry(&self, reference: &Reference) -> anyhow::Result<ExistingImage> {
        let name = &reference.name;
        let repository = self.repository(name);
        let source = CopySource::Repository(repository);
        let read = match &reference.version {
            TagOrDigest::Tag(tag) => repository.manifest_at(tag).await,
            TagOrDigest::Digest(digest) => source.manifest(digest).await,
        };
        match read {
            Ok(root) => {
                let commit = self.commit_of(source, &root).await;
                let source = ImageSource::Registry(name.clone());
                Ok(ExistingImage::new(source, root, commit))
            }
            Err(error @ RegistryError::NotFound { .. }) => Err(Problem::new(
                format!("image `{reference}` not found"),
                "check the name and the tag; for an image of the local engine, use the prefix `docker-daemon:`",
            )
            .because(error.to_string())
            .into()),
            Err(error) => {
                let what = format!("cannot read `{reference}`");
                Err(explain_read(&what, &subject(self.session, name), &error).into())
            }
        }
    }

    async fn in_engine(&self, name: &str) -> anyhow::Result<ExistingImage> {
        let unread = format!("cannot get the image `{name}` from the engine");
        let problem = match images::export(name, &self.session.vars, self.session.console).await? {
            Export::Image(image, root) => {
                require_digest(name, &root)?;
                let commit = self.local_commit(&image, &root).await;
                return Ok(ExistingImage::new(ImageSource::Engine(*image), root, commit));
            }
            Export::Missing => Problem::new(
                format!("the engine has no image `{name}`"),
                "build it in an earlier step of the same job (`docker build --tag`, or `load: true`), or name an image in a registry: `candidate: ghcr.io/acme/app:1.2.3`",
            ),
            Export::OutOfReach => Problem::new(
                unread,
                "set `DOCKER_HOST` to a socket or a `tcp://` address without TLS, or push the image to a registry and name that image",
            )
            .because("the engine uses ssh, TLS or a docker context, which only buildx supports"),
            Export::NoEngine(error) => Problem::new(
                unread,
                "run the job on a runner with Docker whose socket is available to this step",
            )
            .because(format!("{error:#}")),
        };
        Err(problem.into())
    }

    async fn in_file(&self, file: &ImageFile) -> anyhow::Result<ExistingImage> {
        let name = file.to_string();
        let (wanted, vars) = (file.clone(), self.session.vars.clone());
        let opened = tokio::task::spawn_blocking(move || open(&wanted, &vars));
        let opened = opened.await?.map_err(|error| unusable(&name, error));
        let (layout, Present { root, left_out }) = opened?;
        if left_out > 0 {
            self.session.console.say(&format!(
                "`{name}` has only a part of its image: {left_out} images of its index are left out"
            ));
        }
        let image = LocalImage::in_files(name, layout);
        let commit = self.local_commit(&image, &root).await;
        Ok(ExistingImage::new(ImageSource::File(image), root, commit))
    }

    /// What does not say otherwise was made by a step of this run.
    async fn local_commit(&self, image: &LocalImage, root: &Manifest) -> Result<String, String> {
        let run = self.session.context.named_commit();
        let commit = self
            .commit_of(CopySource::Layout(&image.layout), root)
            .await;
        commit.or_else(|_unknown| run.map(str::to_owned))
    }

    /// The image of this commit, in the first of the names that has it.
    async fn of_commit(&self) -> Option<ExistingImage> {
        let Session { plan, console, .. } = self.session;
        let commit = match self.session.context.named_commit() {
            Ok(commit) => commit,
            Err(reason) => {
                let text = format!("building the image instead of looking for one: {reason}");
                console.say(&text);
                return None;
            }
        };
        for name in names_in(self.registries, self.session) {
            for tag in tags_of_commit(commit, plan.tags.iter().map(|planned| &planned.tag)) {
                match self.of_commit_under(name, &tag, commit).await {
                    Ok(Some(found)) => return Some(found),
                    Ok(None) => {}
                    Err(ignored) => console.say(&ignored),
                }
            }
        }
        console.say("no image of this commit found; building it");
        None
    }

    /// The image of `commit` under one tag, if there is one; else why what is there is ignored.
    async fn of_commit_under(
        &self,
        name: &ImageName,
        tag: &Tag,
        commit: &str,
    ) -> Result<Option<ExistingImage>, String> {
        let repository = self.repository(name).at_most(MAX_TIME);
        let root = match repository.manifest_of(tag).await {
            Ok(Some(root)) => root,
            Ok(None) | Err(RegistryError::Denied(_)) => return Ok(None),
            Err(error) => return Err(format!("could not check `{name}:{tag}`: {error}")),
        };
        // A tag is a claim: only the image itself says of which commit it is.
        let own = self.session.context.repository_facts().html_url;
        let identity = CopySource::Repository(repository).identity(&root, &own);
        if !identity.await.is_ok_and(|identity| identity.is_of(commit)) {
            return Err(format!(
                "`{name}:{tag}` does not name this commit as its source; ignored"
            ));
        }
        let source = ImageSource::Registry(name.clone());
        let mut found = ExistingImage::new(source, root, Ok(commit.to_owned()));
        let ignored = |error| format!("`{name}:{tag}` is ignored: {error:#}");
        if let Some((missing, _)) = found
            .missing_platforms(self.session, self.registries)
            .await
            .map_err(ignored)?
        {
            let missing = missing.join(", ");
            return Err(format!("`{name}:{tag}` is not for {missing}; ignored"));
        }
        if let Some(attester) = self.attester {
            let provenance = attester.provenance(name, repository, &found.root, commit);
            found.attestation = Some(provenance.await.map_err(ignored)?);
        }
        Ok(Some(found))
    }

    /// The commit a manifest says it is of, when that is one of this repository.
    async fn commit_of(&self, source: CopySource<'_>, root: &Manifest) -> Result<String, String> {
        let own = self.session.context.repository_facts().html_url;
        let unknown =
            |why| format!("it is not known which commit of this repository is published: {why}");
        let identity = source.identity(root, &own).await;
        let identity = identity.map_err(|error| unknown(error.to_string()))?;
        identity.commit().map_err(unknown)
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

fn unusable(name: &str, error: anyhow::Error) -> anyhow::Error {
    if error.is::<Problem>() {
        return error;
    }
    error.context(Problem::new(
        format!("cannot read the image `{name}`"),
        "check that the file is complete and has the form that `oci-archive:`, `docker-archive:` or `oci-layout:` names",
    ))
}

fn lacks_platforms(image: &ExistingImage, missing: &[String], there: &[String]) -> Problem {
    let has = match there {
        [] => "the image names no platform".to_owned(),
        _ => format!("it is for {}", there.join(", ")),
    };
    Problem::new(
        format!("`{image}` is not for {}", missing.join(", ")),
        "remove it from the input `platforms`, or publish an image built for it",
    )
    .because(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn engine_image_must_match_its_digest() {
        let config = format!("sha256:{}", "c".repeat(64));
        let bytes = format!(r#"{{"config":{{"digest":"{config}"}}}}"#).into_bytes();
        let root = Manifest::new("", bytes);
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
    fn full_commit_tag_is_tried_first_without_duplicates() {
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
