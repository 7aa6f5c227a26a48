//! The inputs about an image that several jobs build: `part`, `merge-timeout`.

use std::time::Duration;

use crate::error::Problem;
use crate::image::platform::{self, is_same};
use crate::inputs::raw::RawInputs;
use crate::inputs::{build, destination};

/// Which platforms this job builds, and what its image has in common with those of the other jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartInputs {
    /// None if one job builds the whole image.
    pub(crate) choice: Option<Choice>,
    /// How long `mode: merge` waits for the parts.
    pub(crate) merge_timeout: Duration,
    /// Name and text of each input that tells one image of a run from another.
    pub(crate) rules: Vec<(&'static str, String)>,
}

/// The input `part`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The platforms that the runner executes without emulation.
    Native,
    /// Some of the input `platforms`.
    These(Vec<String>),
}

/// The inputs that tell one image of a run from another, besides its names and its git ref.
const RULES: [&str; 6] = ["tags", "flavor", "platforms", "target", "file", "context"];

impl PartInputs {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        let choice = match raw.text("part") {
            None => None,
            Some(text) if text.eq_ignore_ascii_case("native") => Some(Choice::Native),
            Some(text) => Some(Choice::These(build::platforms("part", text)?)),
        };
        Ok(Self {
            choice,
            merge_timeout: raw
                .parsed("merge-timeout", destination::duration)?
                .unwrap_or(Duration::ZERO),
            rules: RULES.map(|name| (name, text_of(raw, name))).into(),
        })
    }
}

impl Choice {
    /// Those of `platforms` that are meant.
    pub(crate) fn among(&self, platforms: &[String]) -> Vec<String> {
        let is_meant = |platform: &String| match self {
            Self::Native => is_native(platform),
            Self::These(these) => these.iter().any(|one| is_same(one, platform)),
        };
        let meant = platforms.iter().filter(|platform| is_meant(platform));
        meant.cloned().collect()
    }
}

/// The lines of an input without the white space around them.
fn text_of(raw: &RawInputs, name: &'static str) -> String {
    let lines = raw.untrimmed(name).lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether the processor of this machine executes programs for `platform`.
fn is_native(platform: &str) -> bool {
    let host = platform::of_host();
    let base = |text: &str| text.split('/').take(2).collect::<Vec<_>>().join("/");
    match (host.as_str(), base(platform).as_str()) {
        ("linux/amd64", "linux/386") => true,
        // The variants of arm exclude each other; those of other architectures are levels.
        (host, _) if host.starts_with("linux/arm") => is_same(host, platform),
        (host, base) => host == base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    fn part(text: &str, platforms: &[&str]) -> Vec<String> {
        let vars = Vars::of(&[("INPUT_PART", text)]);
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        inputs.part.choice.unwrap().among(&platforms)
    }

    #[test]
    fn a_part_is_in_the_order_of_the_platforms() {
        let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
        let chosen = part("linux/arm,linux/amd64", &platforms);
        assert_eq!(chosen, ["linux/amd64", "linux/arm/v7"]);
    }

    #[test]
    fn native_is_what_the_processor_executes() {
        let host = platform::of_host();
        let platforms = ["linux/s390x", &host, "windows/amd64"];
        assert_eq!(part("native", &platforms), [host.as_str()]);
        if host == "linux/amd64" {
            let platforms = ["linux/386", "linux/amd64/v3", "linux/arm64"];
            assert_eq!(part("Native", &platforms), ["linux/386", "linux/amd64/v3"]);
        }
    }

    #[test]
    fn the_layout_of_an_input_makes_no_other_image() {
        let rules = |tags: &str| {
            let vars = Vars::of(&[("INPUT_TAGS", tags)]);
            Inputs::from_vars(&vars, &[]).unwrap().part.rules
        };
        assert_eq!(rules("type=sha\n  edge\n"), rules("\n type=sha\nedge"));
        assert_ne!(rules("type=sha"), rules("edge"));
    }
}
