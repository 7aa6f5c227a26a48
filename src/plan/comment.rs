//! Whether the pull request of a run gets a comment.

use crate::context::Context;
use crate::inputs::Inputs;
use crate::plan::decision::is_dependabot;

/// Where a run comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comment {
    /// Nowhere: the input `comment` is `false`.
    Off,
    /// Nowhere: the event is not about a pull request.
    NoPullRequest,
    /// Nowhere: the token of the run cannot write. The reason completes the sentence "because ...".
    ReadOnly {
        number: u64,
        reason: String,
    },
    On {
        number: u64,
    },
}

/// Decides by the input, the event and its token.
pub(super) fn decide(inputs: &Inputs, context: &Context) -> Comment {
    if !inputs.comment {
        return Comment::Off;
    }
    let Some(number) = context.event.pull_request_number() else {
        return Comment::NoPullRequest;
    };
    match read_only(context) {
        Some(reason) => Comment::ReadOnly { number, reason },
        None => Comment::On { number },
    }
}

/// Why the token cannot write
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflows-in-forked-repositories>,
/// <https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions>).
fn read_only(context: &Context) -> Option<String> {
    match context.foreign_head() {
        Some(head) if !context.has_rights_of_base() => Some(format!(
            "it comes from {head}, so the token of the run cannot write comments"
        )),
        _ if is_dependabot(context) => {
            Some("Dependabot started the run, so its token is read-only by default".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::context::event::Event;
    use crate::vars::Vars;

    fn decided(event_name: &str, actor: &str, payload: &Value) -> Comment {
        let vars = Vars::of(&[
            ("GITHUB_REPOSITORY", "acme/widget"),
            ("GITHUB_REF", "refs/pull/2/merge"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("GITHUB_EVENT_NAME", event_name),
            ("GITHUB_ACTOR", actor),
            ("INPUT_COMMENT", "true"),
        ]);
        let context = Context {
            event: Event::from_payload(payload),
            ..Context::from_vars(&vars).unwrap()
        };
        decide(&Inputs::from_vars(&vars, &[]).unwrap(), &context)
    }

    fn pull_request(head: &str) -> Value {
        json!({"number": 2, "pull_request": {"head": {"repo": {"full_name": head}}}})
    }

    #[test]
    fn every_event_about_a_pull_request_gets_a_comment() {
        let comment = json!({"issue": {"number": 2, "pull_request": {"url": "x"}}});
        let own = pull_request("Acme/Widget");
        for (event, payload) in [
            ("pull_request", &own),
            ("pull_request_target", &own),
            ("pull_request_target", &pull_request("joe/widget")),
            ("pull_request_review", &own),
            ("issue_comment", &comment),
        ] {
            let decided = decided(event, "octocat", payload);
            assert_eq!(decided, Comment::On { number: 2 }, "{event}");
        }
        for (event, payload) in [
            ("push", json!({})),
            (
                "merge_group",
                json!({"merge_group": {"head_ref": "refs/heads/gh-readonly-queue/main/pr-2-ab"}}),
            ),
            ("issue_comment", json!({"issue": {"number": 2}})),
            ("pull_request", json!({"pull_request": {}})),
        ] {
            let decided = decided(event, "octocat", &payload);
            assert_eq!(decided, Comment::NoPullRequest, "{event}");
        }
    }

    #[test]
    fn token_of_a_fork_or_of_dependabot_gets_none() {
        let reason = |event, actor, payload| match decided(event, actor, &payload) {
            Comment::ReadOnly { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        let fork = reason("pull_request", "octocat", pull_request("joe/widget"));
        assert!(
            fork.starts_with("it comes from the fork `joe/widget`"),
            "{fork}"
        );
        for event in ["pull_request", "pull_request_target"] {
            let dependabot = reason(event, "dependabot[bot]", pull_request("acme/widget"));
            assert!(dependabot.starts_with("Dependabot started"), "{dependabot}");
        }
    }
}
