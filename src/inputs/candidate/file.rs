//! An image in a file or directory of the workspace
//! (<https://github.com/containers/image/blob/v5.36.2/docs/containers-transports.5.md>).

use std::fmt;

use crate::error::InputError;
use crate::image::digest::Digest;

/// An archive or layout, and which of its images is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageFile {
    pub(crate) form: Form,
    /// Relative to the workspace, or absolute.
    pub(crate) path: String,
    pub(crate) choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A directory with `index.json` and `blobs`.
    OciLayout,
    /// Such a directory as a tar file, plain or gzip.
    OciArchive,
    /// A tar file with `manifest.json`, as `docker save` writes it, plain or gzip.
    DockerArchive,
}

/// One of the images of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The only one.
    Only,
    Named(String),
    /// By its position, from 0.
    Numbered(usize),
    Digest(Digest),
}

const RULE: &str = "write `oci-archive:image.tar`, `docker-archive:image.tar` or `oci-layout:directory`, and `:name:tag` or `@sha256:…` after the path if it has several images";

impl Form {
    const ALL: [Self; 3] = [Self::OciLayout, Self::OciArchive, Self::DockerArchive];

    fn scheme(self) -> &'static str {
        match self {
            Self::OciLayout => "oci-layout",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        }
    }
}

impl ImageFile {
    /// Reads `scheme:path[:name[:tag]|:@number|@digest]`; nothing if the scheme is another one.
    pub(super) fn parse(text: &str) -> Option<Result<Self, InputError>> {
        let (scheme, rest) = text.split_once(':')?;
        let form = Form::ALL.into_iter().find(|form| form.scheme() == scheme)?;
        Some(Self::of_form(form, rest))
    }

    fn of_form(form: Form, text: &str) -> Result<Self, InputError> {
        let (path, choice) = if let Some((path, hex)) = text.split_once("@sha256:") {
            let digest = format!("sha256:{hex}");
            let digest = digest.parse();
            let digest = digest
                .map_err(|_invalid| invalid(format!("`sha256:{hex}` is not a sha256 digest")))?;
            (path, Choice::Digest(digest))
        } else if let Some((path, name)) = text.split_once(':') {
            (path, Choice::of(name)?)
        } else {
            (text, Choice::Only)
        };
        if path.is_empty() {
            return Err(invalid("the path is missing".to_owned()));
        }
        if path.contains(':') {
            return Err(invalid(
                "an image is named by its name or by its digest, not by both".to_owned(),
            ));
        }
        let path = path.to_owned();
        Ok(Self { form, path, choice })
    }
}

impl Choice {
    fn of(text: &str) -> Result<Self, InputError> {
        match text.strip_prefix('@') {
            None if text.is_empty() => Err(invalid("the name after the path is empty".to_owned())),
            None => Ok(Self::Named(text.to_owned())),
            Some(number) => number
                .parse()
                .map(Self::Numbered)
                .map_err(|_invalid| invalid(format!("`@{number}` is not the number of an image"))),
        }
    }
}

fn invalid(because: String) -> InputError {
    InputError::new(because, RULE)
}

impl fmt::Display for ImageFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, path, choice } = self;
        write!(f, "{}:{path}", form.scheme())?;
        match choice {
            Choice::Only => Ok(()),
            Choice::Named(name) => write!(f, ":{name}"),
            Choice::Numbered(number) => write!(f, ":@{number}"),
            Choice::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ImageFile, InputError> {
        ImageFile::parse(text).unwrap()
    }

    #[test]
    fn path_and_image_are_told_apart() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, path, choice) in [
            ("oci-archive:a/b.tar", "a/b.tar", Choice::Only),
            ("oci-layout:out", "out", Choice::Only),
            (
                "docker-archive:b.tar:quay.io:5000/a/b:1",
                "b.tar",
                Choice::Named("quay.io:5000/a/b:1".to_owned()),
            ),
            ("docker-archive:b.tar:@2", "b.tar", Choice::Numbered(2)),
            (
                &format!("oci-archive:a@b.tar@{digest}"),
                "a@b.tar",
                Choice::Digest(digest.parse().unwrap()),
            ),
        ] {
            let file = parse(text).unwrap();
            assert_eq!(
                (file.path.as_str(), &file.choice),
                (path, &choice),
                "{text}"
            );
            assert_eq!(file.to_string(), text);
        }
        assert!(ImageFile::parse("docker-daemon:app").is_none());
        assert!(ImageFile::parse("app").is_none());
    }

    #[test]
    fn invalid_image_of_archive_is_refused_with_the_reason() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, because) in [
            ("oci-archive:", "the path is missing"),
            ("oci-archive::app:1", "the path is missing"),
            ("oci-archive:a.tar:", "the name after the path is empty"),
            (
                "docker-archive:a.tar:@x",
                "`@x` is not the number of an image",
            ),
            (
                "oci-archive:a.tar@sha256:0",
                "`sha256:0` is not a sha256 digest",
            ),
            (
                &format!("oci-archive:a.tar:app:1@{digest}"),
                "an image is named by its name or by its digest, not by both",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().because, because, "{text}");
        }
    }
}
