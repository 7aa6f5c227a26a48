//! To push or only to build, and why.

use crate::context::Context;
use crate::context::server::is_loopback;
use crate::error::Problem;
use crate::inputs::destination::FloatingTags;
use crate::inputs::{Inputs, Push};

/// Whether the image goes to the registry; the reason completes the sentence "because ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PushDecision {
    Push {
        reason: String,
    },
    /// The token may turn out to be read-only, and then the image is only built.
    PushIfAllowed {
        reason: String,
    },
    BuildOnly {
        reason: String,
    },
    /// Nothing is pushed only because no credentials for `registry` are known; `fix` says how to set them.
    NoLogin {
        reason: String,
        registry: String,
        fix: String,
    },
}

/// Whether floating tags move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Floating {
    /// To newer versions and commits only.
    Forward,
    Always,
    /// The reason completes the sentence "it stays, since ...".
    Never {
        reason: String,
    },
}

impl PushDecision {
    pub(crate) fn is_push(&self) -> bool {
        match self {
            Self::Push { .. } | Self::PushIfAllowed { .. } => true,
            Self::BuildOnly { .. } | Self::NoLogin { .. } => false,
        }
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Push { reason }
            | Self::PushIfAllowed { reason }
            | Self::BuildOnly { reason }
            | Self::NoLogin { reason, .. } => reason,
        }
    }
}

/// Decides, or refuses what must not even be built: the code of a stranger with the rights of the
/// repository (<https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/>).
pub(super) fn decide(
    inputs: &Inputs,
    context: &Context,
    without_login: Option<&str>,
) -> Result<PushDecision, Problem> {
    if let Some(head) = context.untrusted_head()
        && !inputs.allow_untrusted_pull_request
    {
        return Err(untrusted(context, &head));
    }
    let push = |reason: &str| PushDecision::Push {
        reason: reason.to_owned(),
    };
    let build_only = |reason: String| PushDecision::BuildOnly { reason };
    Ok(match (inputs.push, context.foreign_head()) {
        (Push::Never, _) => build_only("the input `push` is `false`".to_owned()),
        (Push::Always, _) => push("the input `push` is `true`"),
        (Push::Auto, Some(head)) if !context.has_rights_of_base() => build_only(format!(
            "the pull request comes from {head}, so the token of the run cannot write packages"
        )),
        (Push::Auto, _) if without_login.is_some() => {
            without_a_login(without_login.unwrap_or_default(), context)
        }
        (Push::Auto, _) if is_dependabot(context) => PushDecision::PushIfAllowed {
            reason: "a token is available, but for Dependabot it may be read-only".to_owned(),
        },
        (Push::Auto, Some(_)) => {
            push("a token is available, and `allow-untrusted-pull-request` is `true`")
        }
        (Push::Auto, None) => push("a token is available, and the event is trusted"),
    })
}

/// A person intends to push; the registry says whether it needs credentials.
fn without_a_login(registry: &str, context: &Context) -> PushDecision {
    let reason = format!("no credentials for {registry}");
    if context.in_actions {
        return PushDecision::NoLogin {
            reason,
            registry: registry.to_owned(),
            fix: way_to_log_in(registry, context),
        };
    }
    PushDecision::Push {
        reason: format!("{reason}, so the registry is asked whether it needs them"),
    }
}

/// How to log in to `registry`.
pub(crate) fn way_to_log_in(registry: &str, context: &Context) -> String {
    let is_own = context.server.has(registry);
    match (context.in_actions, is_own) {
        (true, true) => "set the input `github-token` or `password` to a token, and add `packages: write` to the `permissions:` of the job".to_owned(),
        (true, false) => format!("set credentials for {registry} in `registry-auth`, or in `registry`, `username` and `password`"),
        (false, true) => format!("run `docker login {registry}`, or set `GITHUB_TOKEN` to a token with `write:packages`; `push=false` builds only"),
        (false, false) if is_loopback(registry) => format!("run `docker login {registry}`, or set `INPUT_PASSWORD` to its password or token: `GITHUB_TOKEN` is not sent to a registry on this machine; `push=false` builds only"),
        (false, false) => format!("run `docker login {registry}`; `push=false` builds only"),
    }
}

/// What the input `floating-tags` says, except for the code of a fork, which never gets a tag that
/// others follow.
pub(super) fn floating(inputs: &Inputs, context: &Context) -> Floating {
    let never = |reason: String| Floating::Never { reason };
    match (context.foreign_head(), inputs.destination.floating_tags) {
        (Some(head), _) => never(format!("the code comes from {head}")),
        (None, FloatingTags::Never) => never("the input `floating-tags` is `never`".to_owned()),
        (None, FloatingTags::Always) => Floating::Always,
        (None, FloatingTags::Forward) => Floating::Forward,
    }
}

/// Whoever runs it again, the token of a run that Dependabot started stays as it was
/// (<https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions>).
pub(super) fn is_dependabot(context: &Context) -> bool {
    context.actor.as_deref() == Some("dependabot[bot]")
}

fn untrusted(context: &Context, head: &str) -> Problem {
    let event = &context.event_name;
    let problem = Problem::new(
        format!(
            "the event `{event}` would build code of {head} with the permissions of this repository"
        ),
        "publish from `push` or `pull_request`, or set `allow-untrusted-pull-request: true` once you trust every pull request",
    );
    if context.event.is_comment_on_pull_request {
        return problem
            .because("a comment event does not say where the code of the pull request comes from");
    }
    problem
}

#[cfg(test)]
mod tests;
