//! The input `mode`.

use crate::inputs::raw::RawInputs;
use crate::vars::Vars;

/// What the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Build, push, verify and move tags
    Publish,
    /// Show what would be published, without network or engine
    Plan,
    /// Plan, then ask the registry for push access
    Check,
    /// Check that images are complete and who signed them, without writing anything
    Verify,
    /// Complete an image whose parts other jobs of the run have pushed
    Merge,
    /// Delete versions of GitHub's packages that the rules select and nothing needs
    Cleanup,
    /// Restore versions that a clean-up deleted in the last 30 days
    Restore,
    /// Remove what a cancelled run left behind: the post step of the action
    #[value(hide = true)]
    Post,
}

impl Mode {
    /// As the command line spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Plan => "plan",
            Self::Check => "check",
            Self::Verify => "verify",
            Self::Merge => "merge",
            Self::Cleanup => "cleanup",
            Self::Restore => "restore",
            Self::Post => "post",
        }
    }

    /// The task of the input `mode`, before any other input is read: some tasks need less. An invalid value is an error
    /// of [`Inputs`](crate::inputs::Inputs).
    pub(crate) fn given(vars: &Vars, with: &[(String, String)]) -> Option<Self> {
        let raw = RawInputs::collect(vars, with);
        raw.text("mode").and_then(|text| parse(text).ok())
    }
}

/// As the input spells it.
pub(super) fn parse(text: &str) -> Result<Mode, &'static str> {
    match text {
        "publish" => Ok(Mode::Publish),
        "plan" => Ok(Mode::Plan),
        "check" => Ok(Mode::Check),
        "verify" => Ok(Mode::Verify),
        "merge" => Ok(Mode::Merge),
        "cleanup" => Ok(Mode::Cleanup),
        _ => Err("write `publish`, `plan`, `check`, `verify`, `merge` or `cleanup`"),
    }
}
