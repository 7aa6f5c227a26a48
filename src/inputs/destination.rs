//! The inputs about registries, their credentials and their CA: `floating-tags`, `fixed-tags`, `registry-auth`,
//! `keep-login`, `ca-cert`.

use std::time::Duration;

use serde::Deserialize;

use crate::error::Problem;
use crate::inputs::RawInputs;
use crate::secret::Secret;
use crate::tls::CaCert;
use crate::vars::Vars;

/// The inputs about registries.
#[derive(Clone, Debug)]
pub(crate) struct DestinationInputs {
    pub(crate) floating_tags: FloatingTags,
    pub(crate) move_tags: MoveTags,
    pub(crate) fixed_tags: FixedTags,
    pub(crate) registry_auth: Vec<RegistryLogin>,
    /// Whether later steps get the credentials too.
    pub(crate) keep_login: bool,
    pub(crate) ca_cert: Option<CaCert>,
}

/// The input `floating-tags`: when an existing tag such as `latest`, `1.2` or a branch tag may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatingTags {
    /// Only to a newer version or commit.
    Forward,
    /// To what was just built, whatever it shows now.
    Always,
    /// Nowhere.
    Never,
}

/// The input `move-tags`: when the tags are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveTags {
    Now,
    /// In the post step, if the job has succeeded.
    AfterJob,
    /// By a later job, which gets the output `staged`.
    Never,
}

impl MoveTags {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::AfterJob => "after-job",
            Self::Never => "never",
        }
    }
}

/// The input `fixed-tags`: whether a version that exists is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixedTags {
    /// No: the release of this commit is reported, and any other image is an error.
    Once,
    /// Yes.
    Replace,
}

impl FixedTags {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Replace => "replace",
        }
    }
}

/// One entry of the input `registry-auth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryLogin {
    /// The host, lowercase.
    pub(crate) registry: String,
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// An entry as it is written, after docker/login-action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    registry: Option<String>,
    username: String,
    password: String,
}

const EXAMPLE: &str = "write a YAML list whose entries have `registry`, `username` and `password`, for example `- {registry: quay.io, username: acme+bot, password: \"${{ secrets.QUAY }}\"}`";

impl DestinationInputs {
    pub(super) fn read(raw: &RawInputs, vars: &Vars) -> Result<Self, Problem> {
        let floating_tags = raw.parsed("floating-tags", floating_tags)?;
        let fixed_tags = raw.parsed("fixed-tags", fixed_tags)?;
        Ok(Self {
            floating_tags: floating_tags.unwrap_or(FloatingTags::Forward),
            move_tags: move_tags(raw, vars)?,
            fixed_tags: fixed_tags.unwrap_or(FixedTags::Once),
            registry_auth: registry_auth(raw.text("registry-auth").unwrap_or_default())?,
            keep_login: keep_login(raw, vars)?,
            ca_cert: raw.text("ca-cert").map(CaCert::of),
        })
    }
}

/// Only the post step removes what is kept, and only Actions has one.
fn keep_login(raw: &RawInputs, vars: &Vars) -> Result<bool, Problem> {
    let keeps = raw.flag("keep-login", false)?;
    if keeps && !vars.in_actions() {
        return Err(Problem::new(
            "the input `keep-login` is `true` outside of GitHub Actions",
            "run `docker login`",
        )
        .because("only the post step of the action removes the credentials"));
    }
    Ok(keeps)
}

/// Only the post step of Actions knows how the job went.
fn move_tags(raw: &RawInputs, vars: &Vars) -> Result<MoveTags, Problem> {
    let moves = raw.parsed("move-tags", parse_move_tags)?;
    let moves = moves.unwrap_or(MoveTags::Now);
    if moves != MoveTags::AfterJob {
        return Ok(moves);
    }
    let refused = |what: &str, because: &str| {
        let fix = "set `move-tags: never`, and write the tags in a later job with `candidate: ${{ needs.JOB.outputs.staged }}`";
        Err(Problem::new(what, fix).because(because))
    };
    if vars.is_true("ACT") {
        let because =
            "act tells its post steps neither the state of the step nor the status of the job";
        return refused("`move-tags: after-job` does not work under act", because);
    }
    if !vars.in_actions() || raw.text("job-status").is_none() {
        let because = "the input `job-status` is empty, and only its default, `job.status` of GitHub Actions, tells the post step how the job went";
        return refused(
            "`move-tags: after-job` cannot know whether the job succeeds",
            because,
        );
    }
    Ok(moves)
}

fn parse_move_tags(text: &str) -> Result<MoveTags, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "now" => Ok(MoveTags::Now),
        "after-job" => Ok(MoveTags::AfterJob),
        "never" => Ok(MoveTags::Never),
        _ => Err("write `now`, `after-job` or `never`"),
    }
}

fn floating_tags(text: &str) -> Result<FloatingTags, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "forward" => Ok(FloatingTags::Forward),
        "always" => Ok(FloatingTags::Always),
        "never" => Ok(FloatingTags::Never),
        _ => Err("write `forward`, `always` or `never`"),
    }
}

fn fixed_tags(text: &str) -> Result<FixedTags, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "once" => Ok(FixedTags::Once),
        "replace" => Ok(FixedTags::Replace),
        _ => Err("write `once` or `replace`"),
    }
}

/// The text itself is never shown: it holds passwords.
fn registry_auth(text: &str) -> Result<Vec<RegistryLogin>, Problem> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let malformed = |because: String| {
        Problem::new(
            "the input `registry-auth` is not a list of registry credentials",
            EXAMPLE,
        )
        .because(because)
    };
    // What the parser says may quote the line it stopped at, so only the place is passed on.
    let entries: Vec<Entry> = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|place| place.line());
        malformed(line.map_or_else(
            || "it cannot be parsed".to_owned(),
            |line| format!("it cannot be parsed at line {line}"),
        ))
    })?;
    let numbered = entries.into_iter().enumerate();
    numbered
        .map(|(index, entry)| {
            login(&entry).ok_or_else(|| {
                malformed(format!(
                    "entry {} has an empty username or password; check that the secret is passed to this step",
                    index + 1
                ))
            })
        })
        .collect()
}

fn login(entry: &Entry) -> Option<RegistryLogin> {
    let username = Some(entry.username.trim().to_owned()).filter(|name| !name.is_empty())?;
    Some(RegistryLogin {
        registry: host(entry.registry.as_deref().unwrap_or("docker.io")),
        username,
        password: Secret::new(&entry.password)?,
    })
}

/// The host in what people write for a registry; Docker Hub has several addresses.
fn host(registry: &str) -> String {
    let registry = registry.trim().to_lowercase();
    let bare = registry.trim_start_matches("https://");
    let host = bare.split('/').next().unwrap_or_default();
    match host {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

/// A whole number of seconds, minutes or hours: `90s`, `15m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "write a number with `s`, `m` or `h`, for example `15m`";
    let (number, unit) = text.split_at_checked(text.len() - 1).ok_or(RULE)?;
    let number: u64 = number.parse().or(Err(RULE))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(RULE),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or(RULE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
    use expect_test::{Expect, expect};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(text: &str, expected: Expect) {
        let explanation = Explanation::of(&registry_auth(text).unwrap_err().into());
        assert!(!explanation.to_string().contains("hunter2"));
        expected.assert_eq(&explanation.because.join("\n"));
    }

    #[test]
    fn each_entry_holds_credentials_for_one_host() {
        let text = "- registry: https://Quay.io/\n  username: acme+bot\n  password: hunter2\n- username: joe\n  password: 'p: q'\n";
        let logins = registry_auth(text).unwrap();
        let shown: Vec<_> = logins
            .iter()
            .map(|l| {
                (
                    l.registry.as_str(),
                    l.username.as_str(),
                    l.password.expose(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("quay.io", "acme+bot", "hunter2"),
                ("docker.io", "joe", "p: q")
            ]
        );
        assert_eq!(registry_auth("").unwrap(), []);
    }

    #[test]
    fn invalid_credentials_are_refused_without_showing_them() {
        refused("hunter2", expect!["it cannot be parsed at line 1"]);
        refused(
            "- {registry: quay.io, username: a, pasword: hunter2}",
            expect!["it cannot be parsed at line 1"],
        );
        refused(
            "- {username: a, password: \"\"}",
            expect![
                "entry 1 has an empty username or password; check that the secret is passed to this step"
            ],
        );
        refused(
            "- registry: [hunter2",
            expect!["it cannot be parsed at line 1"],
        );
    }
}
