//! A published image whose tags are still to be written: what the output `staged` and the state for the post step hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::inputs::raw::RawInputs;

/// An image in its registries, and the inputs that its tags follow from. Whoever writes the tags plans them again from
/// these inputs at the same time, and requires the same result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Staged {
    pub(crate) repository: String,
    /// `GITHUB_RUN_ID`; empty outside Actions.
    pub(crate) run: String,
    /// The time in the tags and annotations.
    pub(crate) created: DateTime<Utc>,
    pub(crate) images: Vec<String>,
    pub(crate) digest: Digest,
    pub(crate) version: String,
    pub(crate) tags: Vec<StagedTag>,
    /// The inputs in [`RULES`] that are set.
    pub(crate) inputs: BTreeMap<String, String>,
}

/// A planned tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StagedTag {
    pub(crate) tag: String,
    /// Whether the tag moves with every newer image.
    pub(crate) floats: bool,
}

/// The inputs that names and tags follow from.
pub(crate) const RULES: [&str; 7] = [
    "images",
    "tags",
    "flavor",
    "registry",
    "floating-tags",
    "fixed-tags",
    "git-context",
];
/// In bytes, as a job output.
const MAX_OUTPUT: usize = 16 << 10;

/// Inputs of the step that its post step has too, and that are done.
const DONE: [(&str, &str); 7] = [
    ("move-tags", "now"),
    ("max-growth", ""),
    ("attest", "false"),
    ("keep-login", "false"),
    ("mode", "publish"),
    ("part", ""),
    ("platforms", ""),
];

impl Staged {
    /// The inputs of the post step that writes the tags. They replace those of its environment, whose expressions may have
    /// other values by then.
    pub(crate) fn inputs_of_post_step(&self, text: &str) -> Vec<(String, String)> {
        let rules = RULES.map(|name| (name, self.inputs.get(name).map_or("", String::as_str)));
        let candidate = [("candidate", text)];
        let all = DONE.iter().chain(&rules).chain(&candidate);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// The text of the output, on one line. Fails if it is longer than 16 KiB.
    pub(crate) fn to_output(&self) -> Result<String, Problem> {
        let text = serde_json::to_string(self).expect("it has text keys only");
        if text.len() <= MAX_OUTPUT {
            return Ok(text);
        }
        let what = format!(
            "the planned tags are too long for a later job or step: {} bytes",
            text.len()
        );
        let fix = "plan fewer tags or images, or set `move-tags: now`";
        Err(Problem::new(what, fix).because(format!("at most {MAX_OUTPUT} bytes are passed on")))
    }
}

/// The texts of the inputs in [`RULES`] that are set.
pub(super) fn rules(raw: &RawInputs) -> BTreeMap<String, String> {
    let rules = RULES.iter().filter_map(|name| {
        let text = raw.untrimmed(name).trim();
        (!text.is_empty()).then(|| ((*name).to_owned(), text.to_owned()))
    });
    rules.collect()
}

/// Reads the input `candidate` if it is the output `staged` of another job; then the inputs that the tags follow from are
/// those of that job.
pub(super) fn take(raw: &mut RawInputs) -> Result<Option<Staged>, Problem> {
    let Some(text) = raw.text("candidate").filter(|text| text.starts_with('{')) else {
        return Ok(None);
    };
    let staged: Staged = serde_json::from_str(text).map_err(|error| {
        let fix = "pass the output `staged` of the step that published the image, unchanged: `candidate: ${{ needs.build.outputs.staged }}`";
        Problem::new("the input `candidate` is not an image that another job staged", fix)
            .because(error.to_string())
    })?;
    for name in RULES {
        let theirs = staged.inputs.get(name).map_or("", String::as_str);
        let ours = raw.untrimmed(name).trim();
        if ours != theirs && !ours.is_empty() && !is_default(name, ours) {
            let what = format!("the input `{name}` is set, and `candidate` is a staged image");
            let fix = format!(
                "remove `{name}` here: names and tags are those that the other job planned"
            );
            return Err(Problem::new(what, fix));
        }
    }
    for name in RULES {
        raw.set(name, staged.inputs.get(name).cloned().unwrap_or_default());
    }
    let first = staged.images.first().cloned().unwrap_or_default();
    raw.set("candidate", format!("{first}@{}", staged.digest));
    Ok(Some(staged))
}

/// Whether `action.yml` gives this text.
fn is_default(name: &str, text: &str) -> bool {
    matches!(
        (name, text),
        ("floating-tags", "forward") | ("fixed-tags", "once") | ("git-context", "workflow")
    )
}
