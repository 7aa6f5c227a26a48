//! To push or only to build, and why.

use crate::context::Context;
use crate::inputs::{Inputs, Push};
use crate::problem::Problem;

/// Whether the image goes to the registry; the reason completes the sentence "because ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PushDecision {
    Push { reason: String },
    BuildOnly { reason: String },
}

impl PushDecision {
    pub(crate) fn is_push(&self) -> bool {
        matches!(self, Self::Push { .. })
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Push { reason } | Self::BuildOnly { reason } => reason,
        }
    }
}

/// Decides, or refuses what must not even be built: the code of a stranger with the rights of the
/// repository (<https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/>).
pub(super) fn decide(
    inputs: &Inputs,
    context: &Context,
    has_credentials: bool,
) -> Result<PushDecision, Problem> {
    let stranger = foreign_head(context);
    if let Some(head) = stranger
        .as_ref()
        .filter(|_| has_rights_of_base(context) && !inputs.allow_untrusted_pull_request)
    {
        return Err(untrusted(&context.event_name, head));
    }
    let push = |reason: &str| {
        Ok(PushDecision::Push {
            reason: reason.to_owned(),
        })
    };
    let build_only = |reason: String| Ok(PushDecision::BuildOnly { reason });
    match (inputs.push, stranger) {
        (Push::Never, _) => build_only("the input `push` is `false`".to_owned()),
        (Push::Always, _) => push("the input `push` is `true`"),
        (Push::Auto, Some(head)) if context.event_name == "pull_request" => build_only(format!(
            "the pull request comes from {head}, and the token of such a run may not write packages"
        )),
        (Push::Auto, _) if !has_credentials => {
            build_only("there is no token to log in with".to_owned())
        }
        (Push::Auto, _) => push("there is a token, and the event is trusted"),
    }
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
    let head = match (&context.event.pull_request, context.event_name.as_str()) {
        (Some(pull), _) => pull.head_repository.as_ref(),
        (None, "workflow_run") => context.event.workflow_run_head_repository.as_ref(),
        (None, _) => return None,
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
mod tests {
    use super::*;
    use crate::context::event::Event;
    use crate::vars::Vars;
    use serde_json::{Value, json};

    fn decision(
        event_name: &str,
        payload: &Value,
        inputs: &[(&str, &str)],
    ) -> Result<PushDecision, Problem> {
        let variables = [
            ("GITHUB_REPOSITORY", "acme/Widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789"),
        ];
        let mut context = Context::from_vars(&Vars::of(&variables)).unwrap();
        context.event_name = event_name.to_owned();
        context.event = Event::from_payload(payload);
        let inputs = Inputs::from_vars(&Vars::of(inputs), &[]).unwrap();
        decide(&inputs, &context, inputs.token.is_some())
    }

    #[track_caller]
    fn check(event_name: &str, payload: &Value, inputs: &[(&str, &str)], push: bool, reason: &str) {
        let decision = decision(event_name, payload, inputs).unwrap();
        assert_eq!((decision.is_push(), decision.reason()), (push, reason));
    }

    const TOKEN: (&str, &str) = ("INPUT_GITHUB-TOKEN", "t");

    #[test]
    fn a_push_needs_a_token() {
        check(
            "push",
            &json!({}),
            &[TOKEN],
            true,
            "there is a token, and the event is trusted",
        );
        check(
            "push",
            &json!({}),
            &[],
            false,
            "there is no token to log in with",
        );
        check(
            "push",
            &json!({}),
            &[TOKEN, ("INPUT_PUSH", "false")],
            false,
            "the input `push` is `false`",
        );
    }

    #[test]
    fn a_pull_request_is_pushed_unless_it_comes_from_a_fork() {
        let from = |name: Value| json!({"number": 2, "pull_request": {"head": {"repo": name}}});
        check(
            "pull_request",
            &from(json!({"full_name": "Acme/Widget"})),
            &[TOKEN],
            true,
            "there is a token, and the event is trusted",
        );
        let fork = "the pull request comes from the fork `joe/widget`, and the token of such a run may not write packages";
        check(
            "pull_request",
            &from(json!({"full_name": "joe/widget"})),
            &[TOKEN],
            false,
            fork,
        );
        let gone = "the pull request comes from a repository that is gone, and the token of such a run may not write packages";
        check("pull_request", &from(Value::Null), &[TOKEN], false, gone);
    }

    #[test]
    fn foreign_code_with_the_rights_of_the_repository_is_refused() {
        let fork =
            json!({"number": 2, "pull_request": {"head": {"repo": {"full_name": "joe/widget"}}}});
        let problem = decision("pull_request_target", &fork, &[TOKEN]).unwrap_err();
        let text = "the event `pull_request_target` would build code of the fork `joe/widget` with the rights of this repository";
        assert_eq!(problem.to_string(), text);
        let allowed = [TOKEN, ("INPUT_ALLOW-UNTRUSTED-PULL-REQUEST", "true")];
        check(
            "pull_request_target",
            &fork,
            &allowed,
            true,
            "there is a token, and the event is trusted",
        );
        let run = json!({"workflow_run": {"head_repository": {"full_name": "joe/widget"}}});
        assert!(decision("workflow_run", &run, &[TOKEN]).is_err());
    }
}
