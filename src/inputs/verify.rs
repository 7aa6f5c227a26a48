//! The inputs of `mode: verify`: which images, and who must have signed them.

use crate::context::RepositoryName;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::candidate::{Reference, TagOrDigest};
use crate::inputs::list;
use crate::inputs::raw::RawInputs;

/// What is verified.
#[derive(Clone, Debug)]
pub(crate) struct VerifyInputs {
    pub(crate) references: Vec<ImageReference>,
    /// The repository of the source; the image says it if this does not.
    pub(crate) repository: Option<RepositoryName>,
    pub(crate) workflow: Option<String>,
    /// The full git ref of the source.
    pub(crate) git_ref: Option<String>,
}

/// An image in a registry: by tag, by digest, or by both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageReference {
    /// As it was given.
    pub(crate) text: String,
    pub(crate) name: ImageName,
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Option<Digest>,
}

const RULE: &str = "write a reference with a registry, for example `ghcr.io/acme/app:1.2.3` or `ghcr.io/acme/app@sha256:…`";

impl VerifyInputs {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        let references = list::comma_entries("references", raw.untrimmed("references"))?;
        let references = references.iter().map(|entry| reference(entry.text()));
        let text = |name| raw.text(name).map(str::to_owned);
        let repository = raw.parsed("repository", repository)?;
        Ok(Self {
            references: references.collect::<Result<_, _>>()?,
            repository,
            workflow: text("workflow"),
            git_ref: text("ref"),
        })
    }
}

fn reference(text: &str) -> Result<ImageReference, Problem> {
    let parse = |part: &str| {
        Reference::parse(part).map_err(|error| {
            let what = format!("invalid reference `{text}` in the input `references`");
            Problem::new(what, RULE).because(error.because)
        })
    };
    let (before, has_digest) = match text.split_once('@') {
        Some((before, _)) => (before, true),
        None => (text, false),
    };
    let whole = parse(text)?;
    let last = before.rsplit('/').next().unwrap_or_default();
    let tag = match parse(before)?.version {
        TagOrDigest::Tag(tag) if last.contains(':') || !has_digest => Some(tag),
        _ => None,
    };
    let digest = match whole.version {
        TagOrDigest::Digest(digest) => Some(digest),
        TagOrDigest::Tag(_) => None,
    };
    Ok(ImageReference {
        text: text.to_owned(),
        name: whole.name,
        tag,
        digest,
    })
}

fn repository(text: &str) -> Result<RepositoryName, &'static str> {
    repository_name(text).ok_or("write `OWNER/REPO`, for example `acme/app`")
}

/// `OWNER/REPO`, in characters that GitHub allows.
pub(crate) fn repository_name(text: &str) -> Option<RepositoryName> {
    let (owner, name) = text.split_once('/')?;
    (is_name(owner) && is_name(name)).then(|| RepositoryName {
        owner: owner.to_owned(),
        name: name.to_owned(),
    })
}

fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !["", ".", ".."].contains(&text) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, bool) {
        let parsed = reference(text).unwrap();
        let tag = parsed.tag.map(|tag| tag.to_string());
        (parsed.name.to_string(), tag, parsed.digest.is_some())
    }

    #[test]
    fn reference_has_a_tag_a_digest_or_both() {
        let name = || "localhost:5000/acme/app".to_owned();
        let digest = format!("@sha256:{}", "0".repeat(64));
        let plain = "localhost:5000/acme/app";
        assert_eq!(parts(plain), (name(), Some("latest".to_owned()), false));
        let tagged = format!("{plain}:1.2.3");
        assert_eq!(parts(&tagged), (name(), Some("1.2.3".to_owned()), false));
        assert_eq!(parts(&format!("{plain}{digest}")), (name(), None, true));
        let both = format!("{tagged}{digest}");
        assert_eq!(parts(&both), (name(), Some("1.2.3".to_owned()), true));
    }

    #[test]
    fn invalid_references_and_repositories_are_refused() {
        for text in ["ghcr.io/acme/app:a b", "ghcr.io/acme/app@sha256:12", "app:"] {
            let problem = reference(text).unwrap_err().to_string();
            assert!(problem.contains(text), "{problem}");
        }
        for text in [
            "acme",
            "acme/app/x",
            "https://github.com/acme/app",
            "/app",
            "acme/..",
        ] {
            assert!(repository(text).is_err(), "{text}");
        }
    }
}
