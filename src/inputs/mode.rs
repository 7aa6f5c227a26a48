//! The input `mode`.

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
    /// Remove what a cancelled run left behind: the post step of the action
    #[value(hide = true)]
    Post,
}

/// As the input spells it.
pub(super) fn parse(text: &str) -> Result<Mode, &'static str> {
    match text {
        "publish" => Ok(Mode::Publish),
        "plan" => Ok(Mode::Plan),
        "check" => Ok(Mode::Check),
        "verify" => Ok(Mode::Verify),
        "merge" => Ok(Mode::Merge),
        _ => Err("write `publish`, `plan`, `check`, `verify` or `merge`"),
    }
}
