//! `ContextSource`: a build context, resolved to what the engine is told.

use std::fmt;

use crate::context::Context;
use crate::inputs::source::Source;

/// Where the engine finds the files of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContextSource {
    /// A folder, relative to the workspace or absolute; the engine module sees to it that it stays inside.
    Folder(String),
    /// This repository at this commit, fetched by the engine; the folder in it, empty for the root.
    Repository { address: String, folder: String },
    /// An address the author wrote.
    Address(String),
}

impl ContextSource {
    /// The main context. A workspace that holds nothing was never checked out, so the engine fetches the
    /// repository itself, as docker/build-push-action always does.
    pub(super) fn of_context(source: Option<&Source>, context: &Context) -> Self {
        match source {
            Some(source) => Self::of(source, context),
            None if context.workspace_is_empty => Self::repository("", context),
            None => Self::Folder(".".to_owned()),
        }
    }

    pub(super) fn of(source: &Source, context: &Context) -> Self {
        match source {
            Source::Folder(folder) => Self::Folder(folder.clone()),
            Source::Repository(folder) => Self::repository(folder, context),
            Source::Address(address) => Self::Address(address.clone()),
        }
    }

    fn repository(folder: &str, context: &Context) -> Self {
        let Context {
            server_url,
            repository,
            commit,
            ..
        } = context;
        Self::Repository {
            address: format!("{server_url}/{repository}.git#{commit}"),
            folder: folder.to_owned(),
        }
    }

    /// The folder of this machine that is read, if one is.
    pub(crate) fn local_folder(&self) -> Option<&str> {
        match self {
            Self::Folder(folder) => Some(folder),
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

/// As the engine is told it.
impl fmt::Display for ContextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(text) | Self::Address(text) => f.write_str(text),
            Self::Repository { address, folder } if folder.is_empty() => f.write_str(address),
            Self::Repository { address, folder } => write!(f, "{address}:{folder}"),
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
        check(Some(&Source::Folder("app".to_owned())), &empty, "app");
        check(
            Some(&Source::Repository(String::new())),
            &filled,
            repository,
        );
        let folder = Source::Repository("app".to_owned());
        check(Some(&folder), &filled, &format!("{repository}:app"));
    }

    #[test]
    fn a_layout_is_a_folder_too() {
        let folder = |address: &str| {
            let place = ContextSource::Address(address.to_owned());
            place.local_folder().map(str::to_owned)
        };
        assert_eq!(
            folder("oci-layout://../x:1@sha256:ab").as_deref(),
            Some("../x")
        );
        assert_eq!(folder("oci-layout://x").as_deref(), Some("x"));
        assert_eq!(folder("docker-image://alpine"), None);
    }
}
