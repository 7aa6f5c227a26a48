//! What the job may do with GitHub's cache.

use crate::vars::Vars;

/// The `cache-mode` of the job, which the runner passes in `ACTIONS_CACHE_MODE`. The cache service enforces it
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheMode {
    /// `write`, unset, or a value of a later runner: the service decides.
    ReadAndWrite,
    Read,
    WriteOnly,
    None,
}

impl CacheMode {
    pub(super) fn from_vars(vars: &Vars) -> Self {
        match vars.get("ACTIONS_CACHE_MODE") {
            Some("read") => Self::Read,
            Some("write-only") => Self::WriteOnly,
            Some("none") => Self::None,
            _ => Self::ReadAndWrite,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadAndWrite => "write",
            Self::Read => "read",
            Self::WriteOnly => "write-only",
            Self::None => "none",
        }
    }

    pub(crate) fn can_read(self) -> bool {
        matches!(self, Self::ReadAndWrite | Self::Read)
    }

    pub(crate) fn can_write(self) -> bool {
        matches!(self, Self::ReadAndWrite | Self::WriteOnly)
    }
}
