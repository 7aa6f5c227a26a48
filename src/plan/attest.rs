//! Whether the run attests what it builds, and under which tag the image is pushed first.

use crate::context::server::Server;
use crate::context::{Context, GitRef};
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::inputs::attest::{Choice, Stores};
use crate::inputs::candidate::Candidate;
use crate::plan::decision::PushDecision;
use crate::plan::docker;
use crate::plan::tags::{self, PlannedTag};

/// Where the image is attested; nowhere if it is not pushed. Refuses what the event already tells will fail.
pub(super) fn stores(
    inputs: &Inputs,
    context: &Context,
    images: &[ImageName],
    push: &PushDecision,
) -> Result<Option<Stores>, Problem> {
    let Some(stores) = inputs.attest.stores else {
        return Ok(None);
    };
    if inputs.candidate.as_ref().is_some_and(Candidate::is_image) {
        return Err(Problem::new(
            "the input `attest` is set, but `candidate` names an image that exists",
            "remove `attest` here, and set it in the run that builds the image: the attestation is about the digest, so it is valid for every tag",
        )
        .because("this run does not build the image, so it cannot attest how it was built"));
    }
    if !push.is_push() {
        return Ok(None);
    }
    refuse_server(inputs, context, stores)?;
    if let Some(name) = images.iter().find(|name| docker::is_older(name, context)) {
        return Err(Problem::new(
            format!(
                "cannot attest `{name}`: {} is the older Docker registry",
                name.registry()
            ),
            "remove `attest`, or publish to the Container registry",
        )
        .because("it stores no attestations, and it gives an image another digest"));
    }
    Ok(Some(stores))
}

fn refuse_server(inputs: &Inputs, context: &Context, stores: Stores) -> Result<(), Problem> {
    let has_own = matches!(inputs.attest.sigstore, Choice::Own(_));
    let server = &context.server_url;
    if matches!(context.server, Server::Enterprise { .. }) && (stores.has_github() || !has_own) {
        return Err(Problem::new(
            format!("cannot attest with the GitHub Enterprise Server {server}"),
            "set `attest: registry`, and `fulcio-url`, `trusted-root` and `rekor-url` or `timestamp-url` of a Sigstore of your own; or remove `attest`",
        )
        .because("GitHub Enterprise Server stores no attestations and has no Sigstore instance"));
    }
    let facts = context.event.repository.as_ref();
    let is_user = facts.is_some_and(|facts| facts.owner_type.as_deref() == Some("User"));
    let is_private = facts.is_some_and(|facts| !facts.is_public);
    if stores.has_github() && is_user && is_private {
        return Err(Problem::new(
            format!("GitHub stores no attestations for {}", context.repository),
            "set `attest: registry`, or make the repository public",
        )
        .because("it is a private repository of a user"));
    }
    Ok(())
}

/// The tag for an engine that cannot push by digest: none of the plan, so that no tag of the plan exists before the
/// image is attested.
pub(super) fn carrier(planned: &[PlannedTag], context: &Context) -> Tag {
    let of_commit = context.named_commit().ok().map(|commit| {
        let tag = tags::commit_tag(commit, usize::MAX);
        match context.git_ref {
            GitRef::PullRequest(number) => tags::of_pull_request(number, &tag),
            _ => tag,
        }
    });
    let is_free = |tag: &Tag| planned.iter().all(|planned| planned.tag != *tag);
    of_commit
        .filter(is_free)
        .unwrap_or_else(|| tags::run_tag(context))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::Plan;
    use crate::vars::Vars;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn plan(variables: &[(&str, &str)], event: &Value) -> Result<Plan, Problem> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let path = file.display().to_string();
        let run = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/app"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_EVENT_PATH", &path),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", SHA),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("INPUT_ATTEST", "true"),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let context = Context::from_vars(&vars).unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        Plan::new(&inputs, &context, |_| true, chrono::DateTime::UNIX_EPOCH)
    }

    fn repository(owner: &str, is_private: bool) -> Value {
        let visibility = if is_private { "private" } else { "public" };
        json!({"repository": {"name": "app", "private": is_private, "visibility": visibility, "owner": {"type": owner}}})
    }

    #[track_caller]
    fn refused(variables: &[(&str, &str)], event: &Value, what: &str) {
        let Err(problem) = plan(variables, event) else {
            panic!("the plan is accepted: {variables:?}");
        };
        let text = problem.to_string();
        assert!(text.contains(what), "{text}");
    }

    #[test]
    fn what_cannot_be_attested_is_refused() {
        let public = repository("Organization", false);
        refused(&[], &repository("User", true), "for acme/app");
        refused(
            &[("INPUT_CANDIDATE", "ghcr.io/acme/app:tested")],
            &public,
            "`candidate` names an image that exists",
        );
        let server = ("GITHUB_SERVER_URL", "https://git.example.com");
        let containers = ("INPUT_IMAGES", "containers.git.example.com/acme/app");
        refused(&[server, containers], &public, "Enterprise Server");
        refused(
            &[server, containers, ("INPUT_ATTEST", "registry")],
            &public,
            "Enterprise Server",
        );
        let own = [
            ("INPUT_ATTEST", "registry"),
            ("INPUT_FULCIO-URL", "https://fulcio.example"),
            ("INPUT_REKOR-URL", "https://rekor.example"),
            ("INPUT_TRUSTED-ROOT", "root.json"),
            server,
        ];
        refused(
            &[
                &own[..],
                &[("INPUT_IMAGES", "docker.git.example.com/acme/app/web")],
            ]
            .concat(),
            &public,
            "older Docker registry",
        );
        let plan = plan(&[&own[..], &[containers]].concat(), &public).unwrap();
        assert_eq!(plan.attest, Some(Stores::Registry));
    }

    #[test]
    fn what_is_not_pushed_is_not_attested() {
        let public = repository("Organization", false);
        assert_eq!(
            plan(&[("INPUT_PUSH", "false")], &public).unwrap().attest,
            None
        );
        assert_eq!(plan(&[], &public).unwrap().attest, Some(Stores::Both));
        let private = repository("User", true);
        let registry = plan(&[("INPUT_ATTEST", "registry")], &private).unwrap();
        assert_eq!(registry.attest, Some(Stores::Registry));
    }

    #[test]
    fn first_push_uses_no_tag_of_the_plan() {
        let public = repository("Organization", false);
        let primary = |variables: &[(&str, &str)]| {
            let plan = plan(variables, &public).unwrap();
            assert!(plan.tags.iter().all(|planned| planned.tag != plan.primary));
            plan.primary.to_string()
        };
        let commit = format!("sha-{SHA}");
        assert_eq!(primary(&[]), commit);
        assert_eq!(primary(&[("INPUT_TAGS", "type=raw,value=1.2.3")]), commit);
        assert_eq!(primary(&[("INPUT_TAGS", "type=sha")]), commit);
        assert_eq!(
            primary(&[("INPUT_TAGS", "type=sha,format=long")]),
            "run-42-2"
        );
        let pull = [
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_REF", "refs/pull/7/merge"),
        ];
        assert_eq!(primary(&pull), format!("pr-7-{commit}"));
    }
}
