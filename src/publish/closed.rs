//! The run of a pull request that was closed.

use crate::session::Session;

/// Why nothing is built: the only tag is that of a pull request that was closed, and `mode: cleanup` deletes its images.
pub(super) fn reason(session: &Session) -> Option<String> {
    let number = session.context.closed_pull_request()?;
    let tag = format!("pr-{number}");
    let mut tags = session.plan.tags.iter();
    let is_only = tags.len() > 0 && tags.all(|planned| planned.tag.as_str() == tag);
    is_only.then(|| {
        format!(
            "pull request {number} is closed, and `{tag}` is the only tag: nothing is built; `mode: cleanup` deletes its images"
        )
    })
}
