//! To push or only to build, and why.

use crate::context::Context;
use crate::inputs::destination::FloatingTags;
use crate::inputs::{Inputs, Push};
use crate::problem::Problem;

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
            Self::BuildOnly { .. } => false,
        }
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Push { reason } | Self::PushIfAllowed { reason } | Self::BuildOnly { reason } => {
                reason
            }
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
    let stranger = foreign_head(context);
    let refused = stranger
        .as_ref()
        .filter(|_| has_rights_of_base(context) && !inputs.allow_untrusted_pull_request);
    if let Some(head) = refused {
        return Err(untrusted(&context.event_name, head));
    }
    let push = |reason: &str| PushDecision::Push {
        reason: reason.to_owned(),
    };
    let build_only = |reason: String| PushDecision::BuildOnly { reason };
    Ok(match (inputs.push, stranger) {
        (Push::Never, _) => build_only("the input `push` is `false`".to_owned()),
        (Push::Always, _) => push("the input `push` is `true`"),
        (Push::Auto, Some(head)) if !has_rights_of_base(context) => build_only(format!(
            "the pull request comes from {head}, and the token of such a run may not write packages"
        )),
        (Push::Auto, _) if without_login.is_some() => build_only(format!(
            "there is no login for {}",
            without_login.unwrap_or_default()
        )),
        (Push::Auto, _) if is_dependabot(context) => PushDecision::PushIfAllowed {
            reason: "there is a token, which for Dependabot may be read-only".to_owned(),
        },
        (Push::Auto, Some(_)) => {
            push("there is a token, and `allow-untrusted-pull-request` is `true`")
        }
        (Push::Auto, None) => push("there is a token, and the event is trusted"),
    })
}

/// What the input `floating-tags` says, but for the code of a stranger, which never takes a tag that
/// others follow.
pub(super) fn floating(inputs: &Inputs, context: &Context) -> Floating {
    let never = |reason: String| Floating::Never { reason };
    match (foreign_head(context), inputs.destination.floating_tags) {
        (Some(head), _) => never(format!("the code comes from {head}")),
        (None, FloatingTags::Never) => never("the input `floating-tags` is `never`".to_owned()),
        (None, FloatingTags::Always) => Floating::Always,
        (None, FloatingTags::Forward) => Floating::Forward,
    }
}

/// Whoever runs it again, the token of a run that Dependabot started stays as it was
/// (<https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions>).
fn is_dependabot(context: &Context) -> bool {
    context.actor.as_deref() == Some("dependabot[bot]")
}

pub(super) fn has_rights_of_base(context: &Context) -> bool {
    matches!(
        context.event_name.as_str(),
        "pull_request_target" | "workflow_run"
    )
}

/// Where the code comes from, when it is not this repository.
pub(super) fn foreign_head(context: &Context) -> Option<String> {
    let here = context.repository.to_string();
    let pull = context.event.pull_request.as_ref();
    // Whoever runs with the rights of this repository has to say whose code it is.
    let head = match (context.event_name.as_str(), pull) {
        ("workflow_run", _) => context.event.workflow_run_head_repository.as_ref(),
        ("pull_request_target", pull) => pull.and_then(|pull| pull.head_repository.as_ref()),
        (_, Some(pull)) => pull.head_repository.as_ref(),
        (_, None) => return None,
    };
    match head {
        None => Some("a repository that is gone".to_owned()),
        Some(head) if head.eq_ignore_ascii_case(&here) => None,
        Some(head) => Some(format!("the fork `{head}`")),
    }
}

fn untrusted(event_name: &str, head: &str) -> Problem {
    Problem::new(
        format!(
            "the event `{event_name}` would build code of {head} with the rights of this repository"
        ),
        "publish from `push` or `pull_request`, or set `allow-untrusted-pull-request: true` once you trust every pull request",
    )
}

#[cfg(test)]
mod tests;
