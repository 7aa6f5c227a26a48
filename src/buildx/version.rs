//! Whether buildx is recent enough.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use tokio::time::timeout;

use crate::buildx::command::environment;
use crate::buildx::policy;
use crate::error::Problem;
use crate::plan::build::BuildRequest;
use crate::vars::Vars;
use crate::{child, docker};

/// Debian 13 packages this one.
const OLDEST: Version = Version([0, 13, 1]);
/// <https://github.com/docker/buildx/releases/tag/v0.15.0>
const OLDEST_WITH_CALL: Version = Version([0, 15, 0]);
/// The first version with the protocol that GitHub's cache has used since April 2025
/// (<https://docs.docker.com/build/ci/github-actions/cache/>).
const OLDEST_WITH_CACHE: Version = Version([0, 21, 0]);
/// The first version that loads the policy next to a Dockerfile; an older one ignores it
/// (<https://github.com/docker/buildx/releases/tag/v0.31.0>).
const OLDEST_WITH_POLICY: Version = Version([0, 31, 0]);
/// Set in the image of the action: its buildx is recent, so its version is not checked.
const IN_IMAGE: &str = "GHCR_PUBLISH_IMAGE";
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

/// Refuses a buildx that is older than what `request` needs. One that does not say its version is used. Returns what it
/// prints, if it was asked.
pub(crate) async fn require_recent(
    vars: &Vars,
    request: &BuildRequest,
) -> Result<Option<String>, Problem> {
    if vars.get(IN_IMAGE).is_some() {
        return Ok(None);
    }
    // A missing buildx is reported where it is needed.
    let Ok(buildx) = docker::find_buildx(vars) else {
        return Ok(None);
    };
    let printed = ask(&buildx, vars).await;
    if let Some(found) = printed.as_deref().and_then(Version::parse) {
        compare(found, needed(request, vars), &buildx)?;
    }
    Ok(printed)
}

/// Whether buildx is told to fail on a BuildKit that knows no policies, which otherwise ignores them. The option changes
/// nothing if there is no policy. A context that the engine fetches may have one; an older buildx does not know the option.
pub(super) fn is_policy_strict(request: &BuildRequest, vars: &Vars) -> bool {
    match request.context.local_directory() {
        Some(_) => policy::path(request, vars.workspace()).is_some(),
        None => vars.get(IN_IMAGE).is_some(),
    }
}

/// The oldest version that is sufficient, and the feature that requires it.
fn needed(request: &BuildRequest, vars: &Vars) -> (Version, String) {
    if let Some(path) = policy::path(request, vars.workspace()) {
        (OLDEST_WITH_POLICY, format!(" by the policy `{path}`"))
    } else if let Some(call) = request.parameters.call {
        let by = format!(" by `call: {}`", call.as_str());
        (OLDEST_WITH_CALL, by)
    } else if environment::second_protocol(request, vars) == Some("true") {
        (OLDEST_WITH_CACHE, " by GitHub's cache".to_owned())
    } else {
        (OLDEST, String::new())
    }
}

fn compare(found: Version, (needed, by): (Version, String), buildx: &Path) -> Result<(), Problem> {
    if found >= needed {
        return Ok(());
    }
    Err(Problem::new(
        format!("buildx {found} at `{}` is too old", buildx.display()),
        "install a newer version, for example the package `docker-buildx-plugin` of Docker's repository, or run the action from its image, which contains one",
    )
    .because(format!("buildx {needed} or newer is required{by}")))
}

async fn ask(buildx: &Path, vars: &Vars) -> Option<String> {
    let arguments = ["version".to_owned()];
    let mut command = child::command(buildx, &arguments, [], vars.workspace());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Version {
    /// What `buildx version` prints: `github.com/docker/buildx v0.29.1-desktop.1 a32761a`. A build from source
    /// may have a commit or `(devel)` in its place.
    fn parse(said: &str) -> Option<Self> {
        static VERSION: LazyLock<Regex> = LazyLock::new(|| {
            let version = r"^[!-~]+ +v?([0-9]+)\.([0-9]+)(?:\.([0-9]+)|[ \n+-]|$)";
            Regex::new(version).expect("a version")
        });
        let found = VERSION.captures(said)?;
        let number = |group| found.get(group).map_or("0", |digits| digits.as_str());
        let number = |group| number(group).parse().ok();
        Some(Self([number(1)?, number(2)?, number(3)?]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: Option<[u32; 3]>) {
        assert_eq!(Version::parse(said), expected.map(Version), "{said}");
    }

    #[test]
    fn versions_are_read_as_they_are_packaged() {
        check("github.com/docker/buildx v0.29.1 a32761a", Some([0, 29, 1]));
        check(
            "github.com/docker/buildx v0.29.1-desktop.1 a3276",
            Some([0, 29, 1]),
        );
        check(
            "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3",
            Some([0, 13, 1]),
        );
        check(
            "github.com/docker/buildx 0.13.1+debian \n",
            Some([0, 13, 1]),
        );
        check("github.com/docker/buildx v0.12 x", Some([0, 12, 0]));
        check("github.com/docker/buildx v1.0.0-rc1 x", Some([1, 0, 0]));
    }

    #[test]
    fn invalid_version_is_unknown() {
        for word in [
            "",
            "(devel)",
            "9872040b6626",
            "9872040",
            "v0.x",
            "v0.13.",
            "unknown",
            "99999999999.1",
        ] {
            check(&format!("github.com/docker/buildx {word}"), None);
        }
        check("", None);
        check("ERROR: unknown command \"version\"", None);
    }

    #[test]
    fn oldest_supported_version_is_accepted_and_older_ones_are_not() {
        let is_taken =
            |found| compare(Version(found), (OLDEST, String::new()), Path::new("buildx")).is_ok();
        assert!(is_taken([0, 13, 1]) && is_taken([0, 14, 0]) && is_taken([1, 0, 0]));
        assert!(!is_taken([0, 13, 0]) && !is_taken([0, 9, 9]));
    }
}
