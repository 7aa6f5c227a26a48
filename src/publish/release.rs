//! Asks before the build whether the release exists: a version is written once.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::results::is_image;
use crate::plan::docker;
use crate::publish::attest::{Attestation, Attester};
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::existing_image::{ExistingImage, ImageSource};
use crate::publish::preflight::{Registries, names_in, subject};
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::{PARALLEL, Repository};
use crate::session::Session;

/// A version that exists.
struct Version<'a> {
    name: &'a ImageName,
    tag: &'a Tag,
    image: Manifest,
}

/// Looks for the versions of the plan.
struct Search<'a> {
    session: &'a Session,
    registries: &'a Registries,
    early: &'a EarlyAnswers,
    deadline: Deadline,
}

/// The image of the release, if a version exists for this commit and nothing has to be built. Fails if a version shows
/// anything else. What `early` has is not read again.
pub(super) async fn find(
    session: &Session,
    registries: &Registries,
    early: &EarlyAnswers,
    attester: Option<&Attester<'_>>,
) -> anyhow::Result<Option<ExistingImage>> {
    let search = Search {
        session,
        registries,
        early,
        deadline: Deadline::after(session.inputs.push_timeout, Pace::REAL),
    };
    let versions = search.versions().await?;
    let Some(first) = versions.first() else {
        return Ok(None);
    };
    for version in search.one_of_each_image(&versions) {
        search.require_commit(version).await?;
    }
    let others = versions
        .iter()
        .find(|other| other.image.digest != first.image.digest);
    if let Some(other) = others {
        return Err(two_images(first, other).into());
    }
    let commit = session.context.named_commit().map(str::to_owned);
    let source = ImageSource::Registry(first.name.clone());
    let mut found = ExistingImage::new(source, first.image.clone(), commit);
    let shown = versions.iter();
    found.release = shown.map(|it| (it.name.clone(), it.tag.clone())).collect();
    if let Some(reason) = search.reason_to_build(&found).await? {
        let text = format!(
            "{first} exists for this commit, and is built again because {reason}: another digest is an error"
        );
        session.console.say(&text);
        return Ok(None);
    }
    if let Some(attester) = attester {
        found.attestation = Some(search.attested(attester, &versions).await?);
    }
    session.console.notice(&format!("{first} exists for this commit, so nothing is built; to build and replace it, set `fixed-tags: replace`"));
    Ok(Some(found))
}

/// Fails if a version of the plan shows another image than the one to promote, before anything is copied.
pub(super) async fn require(
    session: &Session,
    registries: &Registries,
    image: &ExistingImage,
) -> anyhow::Result<()> {
    let search = Search {
        session,
        registries,
        early: &EarlyAnswers::default(),
        deadline: Deadline::after(session.inputs.push_timeout, Pace::REAL),
    };
    if docker::is_among(&session.plan.images, &session.context) {
        return Ok(());
    }
    let versions = search.versions().await?;
    let other = versions
        .iter()
        .find(|version| version.image.digest != image.root.digest);
    match other {
        None => Ok(()),
        Some(other) => {
            let repository = search.repository(other.name);
            let digest = Some(&image.root.digest);
            Err(taken(
                session,
                repository,
                other.name,
                other.tag,
                &other.image,
                digest,
            )
            .await
            .into())
        }
    }
}

impl<'a> Search<'a> {
    fn repository(&self, name: &'a ImageName) -> Repository<'a> {
        let registry = &self.registries[name.registry()];
        let repository = registry.repository(name.repository(), self.deadline);
        repository.reading_once()
    }

    /// The versions that exist, in the order of the image names.
    async fn versions(&self) -> Result<Vec<Version<'a>>, Problem> {
        let names: Vec<&ImageName> = names_in(self.registries, self.session).collect();
        let tags = self.session.plan.versions();
        let tags: Vec<&Tag> = tags.collect();
        let pairs = names
            .iter()
            .flat_map(|name| tags.iter().map(|tag| (*name, *tag)));
        let reads = pairs.map(|(name, tag)| self.read(name, tag));
        let versions: Vec<Option<Version>> =
            stream::iter(reads).buffered(PARALLEL).try_collect().await?;
        Ok(versions.into_iter().flatten().collect())
    }

    /// Before the first push, registries deny reading what does not exist.
    async fn read(
        &self,
        name: &'a ImageName,
        tag: &'a Tag,
    ) -> Result<Option<Version<'a>>, Problem> {
        match self.early.read(name, tag, self.repository(name)).await {
            Ok(image) => Ok(image.map(|image| Version { name, tag, image })),
            Err(RegistryError::Denied(_)) => Ok(None),
            Err(error) => {
                let what = format!("cannot read `{name}:{tag}`, which may be a release already");
                Err(explain_read(&what, &subject(self.session, name), &error))
            }
        }
    }

    /// The first version of each digest: the same bytes are of the same commit.
    fn one_of_each_image<'v>(
        &self,
        versions: &'v [Version<'a>],
    ) -> impl Iterator<Item = &'v Version<'a>> {
        let mut seen = BTreeSet::new();
        versions
            .iter()
            .filter(move |version| seen.insert(version.image.digest.as_str()))
    }

    /// Fails unless the image is of this commit of this repository.
    async fn require_commit(&self, version: &Version<'a>) -> anyhow::Result<()> {
        let Self { session, .. } = self;
        let repository = self.repository(version.name);
        let own = session.context.repository_facts().html_url;
        let identity = CopySource::Repository(repository)
            .identity(&version.image, &own)
            .await;
        let identity = identity.map_err(|error| self.unread(version, &error))?;
        let is_ours = session
            .context
            .named_commit()
            .is_ok_and(|commit| identity.is_of(commit));
        if is_ours {
            return Ok(());
        }
        Err(taken(
            session,
            repository,
            version.name,
            version.tag,
            &version.image,
            None,
        )
        .await
        .into())
    }

    fn unread(&self, version: &Version<'_>, error: &RegistryError) -> Problem {
        let what = format!("cannot read {version}");
        explain_read(&what, &subject(self.session, version.name), error)
    }

    /// Why the release does not do. The reason completes the sentence "it is built again because ...".
    async fn reason_to_build(&self, found: &ExistingImage) -> anyhow::Result<Option<String>> {
        let Session {
            inputs,
            plan,
            context,
            ..
        } = self.session;
        let build = &inputs.build;
        let reason = if build.parameters.no_cache {
            "the input `no-cache` is `true`"
        } else if build.load {
            "the input `load` is `true`"
        } else if build.outputs.iter().any(|output| !is_image(output)) {
            "the input `outputs` asks for more than the image"
        } else if docker::is_among(&plan.images, context) {
            "the older Docker registry serves no image by digest"
        } else {
            let missing = found
                .missing_platforms(self.session, self.registries)
                .await?;
            return Ok(missing.map(|(missing, _)| format!("it is not for {}", missing.join(", "))));
        };
        Ok(Some(reason.to_owned()))
    }

    /// The provenance of the release, which every name that has a version must have.
    async fn attested(
        &self,
        attester: &Attester<'_>,
        versions: &[Version<'a>],
    ) -> anyhow::Result<Attestation> {
        let commit = self.session.context.named_commit().unwrap_or_default();
        let mut names = BTreeSet::new();
        let mut first = None;
        for version in versions
            .iter()
            .filter(|version| names.insert(version.name.to_string()))
        {
            let repository = self.repository(version.name);
            let provenance = attester.provenance(version.name, repository, &version.image, commit);
            let provenance = provenance
                .await
                .map_err(|error| error.context(unattested(version)))?;
            first.get_or_insert(provenance);
        }
        Ok(first.expect("there is a version"))
    }
}

impl std::fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}:{}`", self.name, self.tag)
    }
}

const WAYS_OUT: &str = "release a new version, or set `fixed-tags: replace` to overwrite this one";

/// A version that shows another image, with the commits and dates of both. `digest` is the image to publish, if it
/// exists.
pub(super) async fn taken(
    session: &Session,
    repository: Repository<'_>,
    name: &ImageName,
    tag: &Tag,
    shown: &Manifest,
    digest: Option<&Digest>,
) -> Problem {
    let source = CopySource::Repository(repository);
    let own = session.context.repository_facts().html_url;
    let commit = match source.identity(shown, &own).await {
        Ok(identity) => identity.commit(),
        Err(error) => Err(format!("its commit could not be read: {error}")),
    };
    let theirs = match commit {
        Ok(commit) => format!("of the commit `{commit}`"),
        Err(why) => format!("of unknown origin ({why})"),
    };
    let created = source.created(shown).await.ok().flatten();
    let created = created.map(|time| format!(", built on {}", time.format(TIME)));
    let ours = match session.context.named_commit() {
        Ok(commit) => format!("of the commit `{commit}`"),
        Err(why) => format!("of no commit that can be named ({why})"),
    };
    let digest = digest
        .map(|digest| format!("{digest} "))
        .unwrap_or_default();
    let what = format!("the version `{name}:{tag}` exists, and a version is written once");
    let because = format!(
        "it shows {} {theirs}{}; the image to publish is {digest}{ours}, on {}",
        shown.digest,
        created.unwrap_or_default(),
        session.now.format(TIME)
    );
    Problem::new(what, WAYS_OUT).because(because)
}

const TIME: &str = "%Y-%m-%dT%H:%M:%SZ";

fn two_images(one: &Version<'_>, other: &Version<'_>) -> Problem {
    let what = format!("{one} and {other} exist and show two images");
    let (one, other) = (&one.image.digest, &other.image.digest);
    Problem::new(what, WAYS_OUT).because(format!("both are of this commit: {one} and {other}"))
}

fn unattested(version: &Version<'_>) -> Problem {
    Problem::new(
        format!(
            "{version} exists for this commit, but is not attested, and a run does not sign what it did not build"
        ),
        "set `fixed-tags: replace` to build and attest it again, release a new version, or remove `attest`",
    )
}
