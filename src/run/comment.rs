//! Comments on the pull request that a run is about, after its tags moved. A comment that cannot be written never fails
//! a run.

use std::time::Duration;

use crate::deadline::{Deadline, Pace};
use crate::error::Explanation;
use crate::github::comments;
use crate::plan::comment::Comment;
use crate::report::{Report, comment};
use crate::session::Session;

/// At most, of `push-timeout`: the image is published already.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Writes the comment that the plan asks for, or says why there is none.
pub(super) async fn keep(report: &Report) {
    let Some(session) = report.publication() else {
        return;
    };
    let console = session.console;
    match &session.plan.comment {
        Comment::Off => {}
        Comment::NoPullRequest => {
            console.say("No comment: the event is not about a pull request");
        }
        Comment::ReadOnly { number, reason } => {
            console.notice(&format!("no comment on pull request {number}: {reason}"));
        }
        Comment::On { number } => match comment::body(report) {
            Ok(body) => write(session, *number, &body).await,
            Err(reason) => {
                console.say(&format!("No comment on pull request {number}: {reason}"));
            }
        },
    }
}

async fn write(session: &Session, number: u64, body: &str) {
    let comment = comments::Comment {
        repository: &session.context.repository,
        number,
        body,
    };
    let deadline = Deadline::after(session.inputs.push_timeout.min(TIMEOUT), Pace::REAL);
    match session.github.keep_comment(comment, deadline).await {
        Ok(change) => {
            let text = format!("Comment on pull request {number}: {change}");
            session.console.say(&text);
        }
        Err(problem) => {
            let text = Explanation::of(&problem.into()).to_string();
            session.console.notice(&text);
        }
    }
}
