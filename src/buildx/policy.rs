//! The policy next to a Dockerfile, `Dockerfile.rego`: what a build may use, in Rego
//! (<https://docs.docker.com/build/policies/>). buildx loads it by itself.

use std::path::Path;

use crate::plan::build::BuildRequest;

/// The path of the policy in the workspace, if there is one.
pub(super) fn path(request: &BuildRequest, workspace: &Path) -> Option<String> {
    request.context.local_directory()?;
    let path = format!("{}.rego", request.dockerfile());
    let found = workspace.join(&path).symlink_metadata();
    found.is_ok().then_some(path)
}

/// The way out of a build that a policy prevents.
pub(super) fn fix(cause: &str, request: &BuildRequest) -> Option<String> {
    let dockerfile = request.dockerfile();
    if cause.contains("strict policy is not supported") {
        return Some(format!(
            "set `driver: docker-container` for a BuildKit that enforces `{dockerfile}.rego`, or update the engine"
        ));
    }
    let is_denied = cause.contains("not allowed by policy");
    is_denied.then(|| format!("use a source that `{dockerfile}.rego` allows, or allow it there"))
}
