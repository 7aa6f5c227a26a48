//! The input `candidate`: an image that exists, to be published as it is, or images to be merged into one.

pub(crate) mod file;

use std::fmt;

use crate::error::{InputError, Problem};
use crate::image::digest::Digest;
use crate::image::name::{ImageName, lowercase_reference, starts_with_host};
use crate::image::tag::Tag;
use crate::inputs::candidate::file::ImageFile;
use crate::inputs::raw::RawInputs;

/// The image that is published instead of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// The image of this commit if the registry has it; else it is built.
    OfCommit,
    /// The image of the only source, or one index with the platforms of several. There is at least one.
    From(Vec<Source>),
}

/// Where an image is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A registry; the engine is never asked.
    Registry(Reference),
    /// The local engine, by name or id.
    Engine(String),
    /// An archive or layout in the workspace.
    File(ImageFile),
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: ImageName,
    pub(crate) version: TagOrDigest,
}

/// Where in its repository an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagOrDigest {
    Tag(Tag),
    Digest(Digest),
}

const RULE: &str = "write `sha`, a reference with a registry (`ghcr.io/acme/app:1.2.3`, `ghcr.io/acme/app@sha256:…`), an image of the engine (`app:test`, `docker-daemon:app:test`), or `oci-archive:`, `docker-archive:` or `oci-layout:` with a path";

/// Inputs that are written into an image when it is built, and go to the outputs all the same.
const OF_THE_IMAGE: [&str; 3] = ["annotation-levels", "annotations", "labels"];

impl Candidate {
    /// Whether existing images are named, so that nothing is built.
    pub(crate) fn is_image(&self) -> bool {
        !self.sources().is_empty()
    }

    /// Whether the images of several sources become one.
    pub(crate) fn is_merge(&self) -> bool {
        self.sources().len() > 1
    }

    pub(crate) fn sources(&self) -> &[Source] {
        match self {
            Self::OfCommit => &[],
            Self::From(sources) => sources,
        }
    }

    /// The registries among the sources.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.sources().iter().filter_map(|source| match source {
            Source::Registry(reference) => Some(reference),
            Source::Engine(_) | Source::File(_) => None,
        })
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        if text == "sha" {
            return Ok(Self::OfCommit);
        }
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let sources = lines.map(|line| Source::parse(line).map_err(|error| refused(line, error)));
        Ok(Self::From(sources.collect::<Result<_, _>>()?))
    }
}

fn refused(line: &str, InputError { because, fix }: InputError) -> Problem {
    let what = format!("invalid value `{line}` for the input `candidate`");
    Problem::new(what, fix).because(because)
}

impl Source {
    fn parse(text: &str) -> Result<Self, InputError> {
        if text == "sha" {
            return Err(InputError::new(
                "`sha` is the image of this commit and cannot be merged with others",
                "write it alone, or name the images by reference, for example `ghcr.io/acme/app:sha-0123456`",
            ));
        }
        if let Some(local) = text.strip_prefix("docker-daemon:") {
            return in_engine(local);
        }
        if let Some(file) = ImageFile::parse(text) {
            return file.map(Self::File);
        }
        if starts_with_host(text) {
            return Reference::parse(text).map(Self::Registry);
        }
        in_engine(text)
    }
}

impl Reference {
    /// Reads `host/path[:tag][@digest]`; the digest counts when there are both.
    pub(super) fn parse(text: &str) -> Result<Self, InputError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[path..].split_once(':') {
            Some((last, tag)) => (&rest[..path + last.len()], Some(tag)),
            None => (rest, None),
        };
        let tag = tag.map(exact_tag).transpose()?;
        let version = match digest {
            Some(digest) => TagOrDigest::Digest(digest.parse().map_err(input_error)?),
            None => TagOrDigest::Tag(match tag {
                Some(tag) => tag,
                None => exact_tag("latest")?,
            }),
        };
        // Official images of Docker Hub have no owner in what people write.
        let name = match name.split_once('/') {
            Some((host, alone))
                if host.eq_ignore_ascii_case("docker.io") && !alone.contains('/') =>
            {
                format!("docker.io/library/{alone}")
            }
            _ => name.to_owned(),
        };
        Ok(Self {
            name: ImageName::parse(&name, "").map_err(input_error)?,
            version,
        })
    }
}

/// A problem's cause with the rule of this input.
fn input_error(problem: Problem) -> InputError {
    let explanation = crate::error::Explanation::of(&problem.into());
    let because = explanation.because.into_iter().next();
    InputError::new(because.unwrap_or(explanation.what), RULE)
}

fn exact_tag(text: &str) -> Result<Tag, InputError> {
    let tag = Tag::sanitized(text).filter(|tag| tag.as_str() == text);
    tag.ok_or_else(|| InputError::new(format!("`{text}` is not a valid tag"), RULE))
}

/// An id, or a name with or without a tag or digest.
fn in_engine(text: &str) -> Result<Source, InputError> {
    if text.starts_with("sha256:") {
        let id: Digest = text.parse().map_err(input_error)?;
        return Ok(Source::Engine(id.to_string()));
    }
    // The engine follows the same grammar, with a host or without.
    let with_host = if starts_with_host(text) {
        text.to_owned()
    } else {
        format!("localhost/{text}")
    };
    Reference::parse(&with_host)?;
    Ok(Source::Engine(lowercase_reference(text)))
}

/// Reads the input; where it names an image, what only a build would read is left out of `given`, and a
/// warning says so.
pub(super) fn read(raw: &mut RawInputs) -> Result<(Option<Candidate>, Option<String>), Problem> {
    let Some(text) = raw.text("candidate") else {
        return Ok((None, None));
    };
    let candidate = Candidate::parse(text)?;
    if !candidate.is_image() {
        return Ok((Some(candidate), None));
    }
    let mut idle = raw.take_those_of_a_build();
    // The index of several images is written here, and gets annotations.
    let written = OF_THE_IMAGE.iter().filter(|name| raw.text(name).is_some());
    idle.extend(written.filter(|name| !candidate.is_merge() || **name == "labels"));
    idle.sort_unstable();
    let listed: Vec<String> = idle.iter().map(|name| format!("`{name}`")).collect();
    let warning = (!listed.is_empty()).then(|| {
        format!(
            "the input `candidate` names an image that exists, so these have no effect on it: {}",
            listed.join(", ")
        )
    });
    Ok((Some(candidate), warning))
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfCommit => f.write_str("sha"),
            Self::From(sources) => {
                let texts: Vec<String> = sources.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(", "))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Engine(name) => write!(f, "docker-daemon:{name}"),
            Self::File(file) => file.fmt(f),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            TagOrDigest::Tag(tag) => write!(f, "{}:{tag}", self.name),
            TagOrDigest::Digest(digest) => write!(f, "{}@{digest}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Candidate::parse(text).unwrap().to_string(), expected);
    }

    #[test]
    fn candidate_with_a_host_is_a_reference_and_others_are_engine_images() {
        let digest = format!("sha256:{}", "0".repeat(64));
        check("sha", "sha");
        check("GHCR.io/Acme/App:Test", "ghcr.io/acme/app:Test");
        check("ghcr.io/acme/app", "ghcr.io/acme/app:latest");
        check(
            &format!("localhost:5000/app:1@{digest}"),
            &format!("localhost:5000/app@{digest}"),
        );
        check("docker.io/alpine", "docker.io/library/alpine:latest");
        check("app", "docker-daemon:app");
        check("acme/app:Test", "docker-daemon:acme/app:Test");
        check(&digest, &format!("docker-daemon:{digest}"));
        check("docker-daemon:sha", "docker-daemon:sha");
        check(
            "docker-daemon:ghcr.io/Acme/app:1",
            "docker-daemon:ghcr.io/acme/app:1",
        );
    }

    #[test]
    fn each_line_is_a_source() {
        let candidate = Candidate::parse("quay.io/a/b:1\n\n  oci-archive:x.tar \napp").unwrap();
        assert!(candidate.is_merge());
        let expected = "quay.io/a/b:1, oci-archive:x.tar, docker-daemon:app";
        assert_eq!(candidate.to_string(), expected);
        assert_eq!(candidate.references().count(), 1);
        let because = "`sha` is the image of this commit and cannot be merged with others";
        assert_eq!(Source::parse("sha").unwrap_err().because, because);
        assert!(!Candidate::parse("app").unwrap().is_merge());
    }

    #[test]
    fn invalid_candidate_is_refused_with_the_reason() {
        let check = |text: &str, because: &str| {
            assert_eq!(Source::parse(text).unwrap_err().because, because);
        };
        check("sha256:12", "`sha256:12` is not a sha256 digest");
        check("ghcr.io/acme/app:a b", "`a b` is not a valid tag");
        check("ghcr.io/acme/app@latest", "`latest` is not a sha256 digest");
        check("app:", "`` is not a valid tag");
        check(
            "ghcr.io/app:1",
            "`app` has no owner, and every package of ghcr.io belongs to one",
        );
        check(
            "docker-daemon:",
            "the part `` breaks the rule `[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*`",
        );
    }
}
