//! `ContextSource`: a build context, resolved to the value that buildx receives, and the token that the engine
//! fetches a private repository with.

use crate::context::Context;
use crate::context::server::Server;
use crate::inputs::Inputs;
use crate::inputs::candidate::Candidate;
use crate::inputs::secrets::BuildSecret;
use crate::inputs::source::Source;
use std::fmt;

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

/// The token as the secret that BuildKit looks for; only this server is sent it
/// (<https://docs.docker.com/build/building/secrets/#git-authentication-for-remote-contexts>). Every instruction can
/// mount a secret of the build, so there is none where the fetch needs none, or where the author gives one.
pub(crate) fn secret(inputs: &Inputs, context: &Context) -> Option<BuildSecret> {
    let is_built = !inputs.candidate.as_ref().is_some_and(Candidate::is_image);
    if !is_built || !is_fetched(inputs, context) || is_open(context) {
        return None;
    }
    let server = context.server_url.split_once("://");
    let host = server.map_or(context.server_url.as_str(), |(_scheme, host)| host);
    let id = format!("GIT_AUTH_TOKEN.{host}");
    let mut given = inputs.build.parameters.secrets.iter();
    if given.any(|secret| secret.id == "GIT_AUTH_TOKEN" || secret.id == id) {
        return None;
    }
    let token = inputs.github_token.as_ref()?;
    Some(BuildSecret::value(&id, token.clone()))
}

/// The notice about such a secret.
pub(crate) fn notice(secret: &BuildSecret, context: &Context) -> String {
    format!(
        "the engine fetches `{}`, which is not known to be public, with the token of this run: every instruction of the build can read it, \
         as the secret `{}`. To keep it out of the build, check out the repository with actions/checkout before this step",
        context.repository, secret.id
    )
}

/// Whether the engine fetches the repository, as the context or beside it.
fn is_fetched(inputs: &Inputs, context: &Context) -> bool {
    let named = inputs.build.contexts.iter();
    let named = named.map(|(_, source)| ContextSource::of(source, context));
    let main = ContextSource::of_context(inputs.build.context.as_ref(), context);
    let mut places = std::iter::once(main).chain(named);
    places.any(|place| matches!(place, ContextSource::Repository { .. }))
}

/// Whether the repository can be fetched without a token. What an Enterprise Server calls public may be
/// closed to those who are not logged in.
fn is_open(context: &Context) -> bool {
    let facts = context.event.repository.as_ref();
    context.server == Server::Public && facts.is_some_and(|facts| facts.is_public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::event::RepositoryFacts;
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

    const DEFAULT: (&str, &str) = ("INPUT_CONTEXT", "{{defaultContext}}:app");

    /// The id of the secret; `is_public` is what the payload says, if it says anything.
    fn id(variables: &[(&str, &str)], is_public: Option<bool>, is_empty: bool) -> Option<String> {
        let run = [
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("INPUT_GITHUB-TOKEN", "ghs_token"),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let mut context = Context::from_vars(&vars).unwrap();
        context.workspace_is_empty = is_empty;
        context.event.repository = is_public.map(|is_public| RepositoryFacts {
            is_public,
            ..RepositoryFacts::default()
        });
        secret(&inputs, &context).map(|secret| secret.id)
    }

    #[track_caller]
    fn check_id(variables: &[(&str, &str)], is_public: Option<bool>, expected: Option<&str>) {
        assert_eq!(id(variables, is_public, false).as_deref(), expected);
    }

    #[test]
    fn the_engine_gets_the_token_for_a_repository_that_is_not_public() {
        let id = Some("GIT_AUTH_TOKEN.github.com");
        for is_public in [None, Some(false)] {
            check_id(&[DEFAULT], is_public, id);
            check_id(
                &[("INPUT_BUILD-CONTEXTS", "docs={{defaultContext}}:docs")],
                is_public,
                id,
            );
            check_id(&[], is_public, None);
            check_id(
                &[("INPUT_CONTEXT", "https://github.com/acme/other")],
                is_public,
                None,
            );
            check_id(
                &[DEFAULT, ("INPUT_SECRETS", "GIT_AUTH_TOKEN=x")],
                is_public,
                None,
            );
            check_id(
                &[DEFAULT, ("INPUT_SECRETS", "GIT_AUTH_TOKEN.github.com=x")],
                is_public,
                None,
            );
        }
    }

    #[test]
    fn a_public_repository_is_fetched_without_the_token() {
        check_id(&[DEFAULT], Some(true), None);
        let elsewhere = |url| [DEFAULT, ("GITHUB_SERVER_URL", url)];
        check_id(
            &elsewhere("https://acme.ghe.com"),
            Some(true),
            Some("GIT_AUTH_TOKEN.acme.ghe.com"),
        );
        check_id(
            &elsewhere("https://git.example.com"),
            Some(true),
            Some("GIT_AUTH_TOKEN.git.example.com"),
        );
    }

    #[test]
    fn an_image_that_exists_is_published_without_a_fetch() {
        let candidate = ("INPUT_CANDIDATE", "ghcr.io/acme/widget:v1");
        assert!(id(&[], None, true).is_some());
        assert!(id(&[("INPUT_CANDIDATE", "sha")], None, true).is_some());
        assert_eq!(id(&[candidate], None, true), None);
    }
}
