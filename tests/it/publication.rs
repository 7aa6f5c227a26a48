//! What most tests start from: a registry that accepts a push of `acme/widget`, and a run that publishes to it.

use ghcr_double::{Account, Builder, Double, Package};

use crate::support::{Action, Run, TOKEN};

pub(crate) const NAME: &str = "acme/widget";

/// The commit of the recorded events.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The tag that the engine pushes the image of a release to.
pub(crate) const PUSHED: &str = "sha-0123456789abcdef0123456789abcdef01234567";

/// A registry that accepts the token of the run, and in which nothing exists yet.
pub(crate) fn empty_registry() -> Builder {
    Double::builder().token(TOKEN, Account::workflow("acme/Widget"))
}

/// The same with the package of the repository.
pub(crate) fn registry() -> Builder {
    empty_registry().package(NAME, Package::of("acme/Widget"))
}

/// A registry that already has the image that `buildx` claims to push, under `tag`.
pub(crate) fn registry_with_image(tag: &str) -> (Double, String) {
    let double = registry().start().unwrap();
    let digest = double.put_image(NAME, tag, &[]);
    (double, digest)
}

impl Action {
    /// A run of the event that publishes to `double`, which is its GitHub API too.
    pub(crate) fn publishing(event: &str, double: &Double) -> Self {
        Self::new()
            .event(event)
            .input("github-token", TOKEN)
            .input("registry", double.host())
            .env("GITHUB_API_URL", double.api_url())
    }
}

impl Run {
    /// Both streams: a runner shows both, and a person has the log on stderr.
    pub(crate) fn log(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn assert_log(&self, part: impl AsRef<str>) {
        let part = part.as_ref();
        assert!(
            self.log().contains(part),
            "{part}: {}{}",
            self.stdout,
            self.stderr
        );
    }

    #[track_caller]
    pub(crate) fn assert_error(&self, part: impl AsRef<str>) {
        let part = part.as_ref();
        assert!(
            self.stderr.contains(part),
            "{part}: {}{}",
            self.stdout,
            self.stderr
        );
    }

    #[track_caller]
    pub(crate) fn assert_summary(&self, part: impl AsRef<str>) {
        let part = part.as_ref();
        assert!(self.summary.contains(part), "{part}: {}", self.summary);
    }

    /// Standard error in lines, as a person reads it; what differs from run to run is replaced.
    pub(crate) fn errors(&self, host: impl AsRef<str>) -> String {
        self.stable(&self.stderr, host).replace("%0A", "\n")
    }
}
