//! The token that the engine fetches a private repository with.

use crate::context::Context;
use crate::context::server::Server;
use crate::inputs::Inputs;
use crate::inputs::candidate::Candidate;
use crate::inputs::secrets::BuildSecret;
use crate::plan::build::context_source::ContextSource;

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
    let mut given = inputs.build.secrets.iter();
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
    fn check(variables: &[(&str, &str)], is_public: Option<bool>, expected: Option<&str>) {
        assert_eq!(id(variables, is_public, false).as_deref(), expected);
    }

    #[test]
    fn the_engine_gets_the_token_for_a_repository_that_is_not_public() {
        let id = Some("GIT_AUTH_TOKEN.github.com");
        for is_public in [None, Some(false)] {
            check(&[DEFAULT], is_public, id);
            check(
                &[("INPUT_BUILD-CONTEXTS", "docs={{defaultContext}}:docs")],
                is_public,
                id,
            );
            check(&[], is_public, None);
            check(
                &[("INPUT_CONTEXT", "https://github.com/acme/other")],
                is_public,
                None,
            );
            check(
                &[DEFAULT, ("INPUT_SECRETS", "GIT_AUTH_TOKEN=x")],
                is_public,
                None,
            );
            check(
                &[DEFAULT, ("INPUT_SECRETS", "GIT_AUTH_TOKEN.github.com=x")],
                is_public,
                None,
            );
        }
    }

    #[test]
    fn a_public_repository_is_fetched_without_the_token() {
        check(&[DEFAULT], Some(true), None);
        let elsewhere = |url| [DEFAULT, ("GITHUB_SERVER_URL", url)];
        check(
            &elsewhere("https://acme.ghe.com"),
            Some(true),
            Some("GIT_AUTH_TOKEN.acme.ghe.com"),
        );
        check(
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
