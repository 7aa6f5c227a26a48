//! `INPUT_*` -> `Inputs`: what the author of the workflow asked for.

pub(crate) mod destination;
mod list;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::labels::level::Levels;
use crate::plan::labels::{self, LabelLine};
use crate::plan::metadata::Layout;
use crate::plan::rules::flavor::{self, Flavor};
use crate::plan::rules::images::{self, ImageEntry};
use crate::plan::rules::{self, TagRule};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::vars::Vars;
use destination::DestinationInputs;

/// Every input the action has. `action.yml` declares the same; a test compares the two.
pub(crate) const NAMES: &[&str] = &[
    "allow-untrusted-pull-request",
    "annotation-levels",
    "annotations",
    "bake-target",
    "build-args",
    "context",
    "file",
    "flavor",
    "floating-tags",
    "git-context",
    "github-token",
    "images",
    "labels",
    "mode",
    "no-cache",
    "password",
    "platforms",
    "pull",
    "push",
    "push-timeout",
    "registry",
    "registry-auth",
    "sep-annotations",
    "sep-labels",
    "sep-tags",
    "summary",
    "tags",
    "target",
    "username",
];

/// What was asked for, parsed: nothing in here can be malformed any more.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) mode: Option<Mode>,
    pub(crate) summary: bool,
    /// Empty means the default name.
    pub(crate) images: Vec<ImageEntry>,
    pub(crate) tags: Vec<TagRule>,
    pub(crate) flavor: Flavor,
    pub(crate) labels: Vec<LabelLine>,
    pub(crate) annotations: Vec<LabelLine>,
    /// `annotation-levels`, else `DOCKER_METADATA_ANNOTATIONS_LEVELS`.
    pub(crate) annotation_levels: Option<Levels>,
    /// `DOCKER_METADATA_SHORT_SHA_LENGTH`
    pub(crate) short_sha_length: usize,
    /// How the metadata outputs are written.
    pub(crate) layout: Layout,
    /// `DOCKER_METADATA_SET_OUTPUT_ENV`: whether each metadata output becomes a variable too.
    pub(crate) set_output_env: bool,
    pub(crate) git_context: GitContext,
    pub(crate) registry: Option<String>,
    pub(crate) username: Option<String>,
    /// `password`, else `github-token`, else `GITHUB_TOKEN` or `GH_TOKEN` of the environment.
    pub(crate) token: Option<Secret>,
    /// The token for the GitHub API: as above, without `password`.
    pub(crate) github_token: Option<Secret>,
    pub(crate) push: Push,
    pub(crate) push_timeout: Duration,
    pub(crate) allow_untrusted_pull_request: bool,
    pub(crate) destination: DestinationInputs,
    pub(crate) build: BuildInputs,
    /// What a person should hear about the inputs although it stops nothing.
    pub(crate) warnings: Vec<String>,
}

/// What is asked of the build itself.
#[derive(Debug)]
pub(crate) struct BuildInputs {
    pub(crate) context: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) platforms: Vec<String>,
    pub(crate) build_args: Vec<(String, String)>,
    pub(crate) no_cache: bool,
    pub(crate) pull: bool,
}

/// What the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Build, push, prove and tag (the default)
    Publish,
    /// Show what would be published, without network or engine
    Plan,
    /// Plan, then ask the registry whether it would take the push
    Check,
}

/// The input `git-context`: who says what the ref and the commit are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GitContext {
    /// The event that started the workflow.
    Workflow,
    /// The checkout.
    Git,
}

/// The input `push`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// Push wherever a push can be expected to work.
    Auto,
    Always,
    Never,
}

impl Inputs {
    /// Reads the inputs; `with` holds those of the command line, which win.
    pub(crate) fn from_vars(vars: &Vars, with: &[(String, String)]) -> anyhow::Result<Self> {
        let given = Given::collect(vars, with);
        let mut warnings = given.unknown_names();
        let (labels, remarks) = labels::parse("labels", given.untrimmed("labels"))?;
        warnings.extend(remarks);
        let (annotations, remarks) = labels::parse("annotations", given.untrimmed("annotations"))?;
        warnings.extend(remarks);
        let flavor = flavor::parse(given.untrimmed("flavor"))?;
        warnings.extend(flavor.warnings.iter().cloned());
        let github_token = given.secret("github-token").or_else(|| {
            ["GITHUB_TOKEN", "GH_TOKEN"]
                .iter()
                .find_map(|name| Secret::new(vars.get(name)?))
        });
        Ok(Self {
            mode: given.parsed("mode", mode)?,
            summary: given.flag("summary", true)?,
            images: images::parse(given.untrimmed("images"))?,
            tags: rules::parse(given.untrimmed("tags"))?,
            flavor,
            labels,
            annotations,
            annotation_levels: annotation_levels(&given, vars)?,
            short_sha_length: short_sha_length(vars)?,
            layout: layout(&given),
            set_output_env: vars.is_true("DOCKER_METADATA_SET_OUTPUT_ENV"),
            git_context: given
                .parsed("git-context", git_context)?
                .unwrap_or(GitContext::Workflow),
            registry: given.text("registry").map(str::to_owned),
            username: given.text("username").map(str::to_owned),
            token: given.secret("password").or_else(|| github_token.clone()),
            github_token,
            push: given.parsed("push", push)?.unwrap_or(Push::Auto),
            push_timeout: given
                .parsed("push-timeout", duration)?
                .unwrap_or(Duration::from_secs(15 * 60)),
            allow_untrusted_pull_request: given.flag("allow-untrusted-pull-request", false)?,
            destination: DestinationInputs::read(&given)?,
            build: BuildInputs::read(&given)?,
            warnings,
        })
    }
}

impl Inputs {
    /// Everything that must never be seen in a log.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let other = self
            .github_token
            .iter()
            .filter(|token| self.token.as_ref() != Some(token));
        let logins = self.destination.registry_auth.iter();
        let passwords = logins.map(|login| &login.password);
        self.token.iter().chain(other).chain(passwords)
    }
}

impl BuildInputs {
    fn read(given: &Given) -> Result<Self, Problem> {
        Ok(Self {
            context: given.text("context").map(str::to_owned),
            file: given.text("file").map(str::to_owned),
            target: given.text("target").map(str::to_owned),
            platforms: given
                .text("platforms")
                .map(list::entries)
                .unwrap_or_default(),
            build_args: given.pairs("build-args")?,
            no_cache: given.flag("no-cache", false)?,
            pull: given.flag("pull", false)?,
        })
    }
}

/// The inputs as text, by their name in `action.yml`.
struct Given(BTreeMap<String, String>);

impl Given {
    /// `INPUT_BUILD-ARGS` is `build-args`; an `_` instead of the `-` is understood too, since a shell
    /// can't set the former.
    fn collect(vars: &Vars, with: &[(String, String)]) -> Self {
        let name = |text: &str| text.to_ascii_lowercase().replace('_', "-");
        let from_env = vars.iter().filter_map(|(variable, value)| {
            Some((name(variable.strip_prefix("INPUT_")?), value.to_owned()))
        });
        let from_with = with
            .iter()
            .map(|(input, value)| (name(input), value.clone()));
        Self(from_env.chain(from_with).collect())
    }

    /// The value without the white space around it; nothing when empty.
    fn text(&self, name: &'static str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "`{name}` is declared");
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The value as it was given; the empty text when it was not.
    fn untrimmed(&self, name: &'static str) -> &str {
        debug_assert!(NAMES.contains(&name), "`{name}` is declared");
        self.0.get(name).map_or("", String::as_str)
    }

    fn secret(&self, name: &'static str) -> Option<Secret> {
        Secret::new(self.text(name)?)
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        parse: fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        parse(text)
            .map(Some)
            .map_err(|rule| Problem::new(format!("the input `{name}` is `{text}`"), rule))
    }

    /// YAML 1.2 booleans: `true` or `false`, in any case.
    fn flag(&self, name: &'static str, default: bool) -> Result<bool, Problem> {
        Ok(self.parsed(name, boolean)?.unwrap_or(default))
    }

    fn pairs(&self, name: &'static str) -> Result<Vec<(String, String)>, Problem> {
        let lines = self.text(name).map(list::lines).unwrap_or_default();
        lines
            .into_iter()
            .map(|line| split_pair(name, &line))
            .collect()
    }

    fn unknown_names(&self) -> Vec<String> {
        let unknown = self.0.keys().filter(|name| !NAMES.contains(&name.as_str()));
        unknown.map(|name| unknown_input(name)).collect()
    }
}

fn split_pair(input: &str, line: &str) -> Result<(String, String), Problem> {
    match line.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err(Problem::new(
            format!("the input `{input}` has the line `{line}`"),
            "write one `name=value` a line, for example `VERSION=1.2.3`",
        )),
    }
}

fn unknown_input(name: &str) -> String {
    let nearest = NAMES
        .iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let near = nearest.filter(|known| strsim::normalized_damerau_levenshtein(known, name) > 0.5);
    match near {
        Some(known) => {
            format!("there is no input `{name}`, so it has no effect; did you mean `{known}`?")
        }
        None => format!("there is no input `{name}`, so it has no effect"),
    }
}

fn annotation_levels(given: &Given, vars: &Vars) -> Result<Option<Levels>, Problem> {
    const VARIABLE: &str = "DOCKER_METADATA_ANNOTATIONS_LEVELS";
    let input = given
        .text("annotation-levels")
        .map(|text| ("annotation-levels", text));
    let levels = input.or_else(|| Some((VARIABLE, vars.get(VARIABLE)?)));
    levels
        .map(|(source, text)| Levels::parse(source, text))
        .transpose()
}

fn short_sha_length(vars: &Vars) -> Result<usize, Problem> {
    const VARIABLE: &str = "DOCKER_METADATA_SHORT_SHA_LENGTH";
    let Some(text) = vars.get(VARIABLE) else {
        return Ok(7);
    };
    let Ok(digits) = text.trim().parse() else {
        return Err(Problem::new(
            format!("`{VARIABLE}` is `{text}`"),
            "write how many digits of the commit a short sha has, for example `7`",
        ));
    };
    Ok(digits)
}

fn layout(given: &Given) -> Layout {
    let separator = |name| match given.untrimmed(name) {
        "" => "\n".to_owned(),
        separator => separator.to_owned(),
    };
    Layout {
        sep_tags: separator("sep-tags"),
        sep_labels: separator("sep-labels"),
        sep_annotations: separator("sep-annotations"),
        bake_target: given
            .text("bake-target")
            .unwrap_or("docker-metadata-action")
            .to_owned(),
    }
}

fn git_context(text: &str) -> Result<GitContext, &'static str> {
    match text {
        "workflow" => Ok(GitContext::Workflow),
        "git" => Ok(GitContext::Git),
        _ => Err("write `workflow` or `git`"),
    }
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("write `true` or `false`"),
    }
}

fn mode(text: &str) -> Result<Mode, &'static str> {
    match text {
        "publish" => Ok(Mode::Publish),
        "plan" => Ok(Mode::Plan),
        "check" => Ok(Mode::Check),
        _ => Err("write `publish`, `plan` or `check`"),
    }
}

fn push(text: &str) -> Result<Push, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Push::Auto),
        "true" => Ok(Push::Always),
        "false" => Ok(Push::Never),
        _ => Err("write `auto`, `true` or `false`"),
    }
}

/// A whole number of seconds, minutes or hours: `90s`, `15m`, `1h`.
fn duration(text: &str) -> Result<Duration, &'static str> {
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
    use crate::problem::Explanation;
    use expect_test::{Expect, expect};

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Inputs> {
        Inputs::from_vars(&Vars::of(variables), &[])
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    fn refused(name: &str, value: &str, expected: Expect) {
        let error = read(&[(name, value)]).unwrap_err();
        expected.assert_eq(&Explanation::of(&error).to_string());
    }

    #[test]
    fn a_malformed_value_is_an_error_with_the_rule() {
        refused(
            "INPUT_PULL",
            "yes",
            expect![[r"
            the input `pull` is `yes`
              fix: write `true` or `false`"]],
        );
        refused(
            "INPUT_PUSH-TIMEOUT",
            "15 minutes",
            expect![[r"
            the input `push-timeout` is `15 minutes`
              fix: write a number with `s`, `m` or `h`, for example `15m`"]],
        );
        refused(
            "INPUT_BUILD-ARGS",
            "VERSION",
            expect![[r"
            the input `build-args` has the line `VERSION`
              fix: write one `name=value` a line, for example `VERSION=1.2.3`"]],
        );
    }

    #[test]
    fn an_unknown_input_is_a_warning_that_names_the_nearest_one() {
        let inputs = read(&[("INPUT_BUILDARGS", "A=1"), ("INPUT_ZZZ", "")]).unwrap();
        assert_eq!(
            inputs.warnings,
            [
                "there is no input `buildargs`, so it has no effect; did you mean `build-args`?",
                "there is no input `zzz`, so it has no effect",
            ]
        );
    }

    #[test]
    fn the_password_wins_over_the_token_and_the_environment_comes_last() {
        let token = |variables| {
            read(variables)
                .unwrap()
                .token
                .map(|secret| secret.expose().to_owned())
        };
        assert_eq!(
            token(&[("INPUT_PASSWORD", "p"), ("INPUT_GITHUB-TOKEN", "t")]).as_deref(),
            Some("p")
        );
        assert_eq!(
            token(&[("INPUT_GITHUB-TOKEN", "t"), ("GITHUB_TOKEN", "e")]).as_deref(),
            Some("t")
        );
        assert_eq!(token(&[("GH_TOKEN", "e")]).as_deref(), Some("e"));
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let vars = Vars::of(&[("INPUT_TARGET", "one")]);
        let inputs = Inputs::from_vars(&vars, &[("target".to_owned(), "two".to_owned())]).unwrap();
        assert_eq!(inputs.build.target.as_deref(), Some("two"));
    }
}
