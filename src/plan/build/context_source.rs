//! `ContextSource`: a build context, resolved to the value that buildx receives.

use std::fmt;

use crate::context::Context;
use crate::inputs::source::Source;

/// Where the engine finds the files of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContextSource {
    /// A directory, relative to the workspace or absolute; `buildx` checks that it stays inside.
    Directory(String),
    /// This repository at this commit, fetched by the engine; the directory in it, empty for the root.
    Repository { address: String, directory: String },
    /// A URL from the input.
    Address(String),
}

impl ContextSource {
    /// The main context. A workspace that holds nothing was never checked out, so the engine fetches the
    /// repository itself, as docker/build-push-action always does.
    pub(super) fn of_context(source: Option<&Source>, context: &Context) -> Self {
        match source {
            Some(source) => Self::of(source, context),
            None if context.workspace_is_empty => Self::repository("", context),
            None => Self::Directory(".".to_owned()),
        }
    }

    pub(super) fn of(source: &Source, context: &Context) -> Self {
        match source {
            Source::Directory(directory) => Self::Directory(directory.clone()),
            Source::Repository(directory) => Self::repository(directory, context),
            Source::Address(address) => Self::Address(address.clone()),
        }
    }

    fn repository(directory: &str, context: &Context) -> Self {
        let Context {
            server_url,
            repository,
            commit,
            ..
        } = context;
        Self::Repository {
            address: format!("{server_url}/{repository}.git#{commit}"),
            directory: directory.to_owned(),
        }
    }

    /// The directory of this machine that is read, if one is.
    pub(crate) fn local_directory(&self) -> Option<&str> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::Repository { .. } => None,
            // `oci-layout://path[:tag][@digest]`
            Self::Address(address) => {
                let layout = address.strip_prefix("oci-layout://")?;
                let path = layout.split('@').next().unwrap_or(layout);
                let tag = path
                    .rfind(':')
                    .filter(|colon| !path[*colon..].contains('/'));
                Some(&path[..tag.unwrap_or(path.len())])
            }
        }
    }
}

/// As buildx receives it.
impl fmt::Display for ContextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(text) | Self::Address(text) => f.write_str(text),
            Self::Repository { address, directory } if directory.is_empty() => f.write_str(address),
            Self::Repository { address, directory } => write!(f, "{address}:{directory}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    fn context() -> Context {
        let vars = Vars::of(&[
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
        ]);
        Context::from_vars(&vars).unwrap()
    }

    #[track_caller]
    fn check(source: Option<&Source>, context: &Context, expected: &str) {
        let place = ContextSource::of_context(source, context);
        assert_eq!(place.to_string(), expected);
    }

    #[test]
    fn an_empty_workspace_means_the_repository_at_the_commit() {
        let repository = "https://github.com/Acme/Widget.git#0123456789abcdef";
        let filled = context();
        let empty = Context {
            workspace_is_empty: true,
            ..context()
        };
        check(None, &filled, ".");
        check(None, &empty, repository);
        check(Some(&Source::Directory("app".to_owned())), &empty, "app");
        check(
            Some(&Source::Repository(String::new())),
            &filled,
            repository,
        );
        let directory = Source::Repository("app".to_owned());
        check(Some(&directory), &filled, &format!("{repository}:app"));
    }

    #[test]
    fn a_layout_is_a_directory_too() {
        let directory = |address: &str| {
            let place = ContextSource::Address(address.to_owned());
            place.local_directory().map(str::to_owned)
        };
        assert_eq!(
            directory("oci-layout://../x:1@sha256:ab").as_deref(),
            Some("../x")
        );
        assert_eq!(directory("oci-layout://x").as_deref(), Some("x"));
        assert_eq!(directory("docker-image://alpine"), None);
    }
}
