//! `INPUT_*` -> `Inputs`: the parsed inputs of the workflow step.

pub(crate) mod attest;
pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod cache;
pub(crate) mod candidate;
pub(crate) mod cleanup;
pub(crate) mod compare;
pub(crate) mod destination;
pub(crate) mod expressions;
pub(crate) mod labels;
pub(crate) mod list;
mod metadata_format;
mod mode;
pub(crate) mod part;
pub(crate) mod raw;
pub(crate) mod results;
pub(crate) mod sandbox;
pub(crate) mod secrets;
pub(crate) mod source;
pub(crate) mod spec;
pub(crate) mod staged;
pub(crate) mod tags;
pub(crate) mod verify;

pub(crate) use self::metadata_format::MetadataFormat;
pub use self::mode::Mode;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Problem;
use crate::inputs::attest::AttestInputs;
use crate::inputs::build::BuildInputs;
use crate::inputs::builder::BuilderInputs;
use crate::inputs::cache::CacheKey;
use crate::inputs::candidate::Candidate;
use crate::inputs::cleanup::CleanupInputs;
use crate::inputs::compare::CompareInputs;
use crate::inputs::destination::DestinationInputs;
use crate::inputs::labels::{LabelLine, Levels};
use crate::inputs::part::PartInputs;
use crate::inputs::raw::RawInputs;
use crate::inputs::secrets::SecretContent;
use crate::inputs::source::Source;
use crate::inputs::staged::Staged;
use crate::inputs::tags::flavor::Flavor;
use crate::inputs::tags::images::ImageEntry;
use crate::inputs::tags::{TagRule, flavor, images};
use crate::inputs::verify::VerifyInputs;
use crate::secret::Secret;
use crate::vars::Vars;
use crate::workspace::Workspace;

/// What was asked for, parsed: nothing in here can be malformed any more, except the expressions in texts of a build,
/// which the plan reads.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) mode: Option<Mode>,
    pub(crate) summary: bool,
    /// Whether the pull request gets a comment.
    pub(crate) comment: bool,
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
    pub(crate) metadata_format: MetadataFormat,
    /// `DOCKER_METADATA_SET_OUTPUT_ENV`: whether each metadata output becomes a variable too.
    pub(crate) set_output_env: bool,
    pub(crate) git_context: GitContext,
    /// A host, lowercase, as image names have it.
    pub(crate) registry: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    /// `github-token`, else `GITHUB_TOKEN` or `GH_TOKEN` of the environment: for the API and the registries
    /// of the GitHub server.
    pub(crate) github_token: Option<Secret>,
    /// The variable that the token came from, when no input gave it.
    pub(crate) token_variable: Option<&'static str>,
    pub(crate) push: Push,
    pub(crate) push_timeout: Duration,
    pub(crate) allow_untrusted_pull_request: bool,
    pub(crate) destination: DestinationInputs,
    pub(crate) attest: AttestInputs,
    pub(crate) verify: VerifyInputs,
    pub(crate) cleanup: CleanupInputs,
    pub(crate) compare: CompareInputs,
    /// The image that is published instead of a build.
    pub(crate) candidate: Option<Candidate>,
    /// The image that another job published without tags: what `candidate` says of it.
    pub(crate) staged: Option<Staged>,
    /// The texts that names and tags follow from.
    pub(crate) rules: BTreeMap<String, String>,
    pub(crate) part: PartInputs,
    pub(crate) build: BuildInputs,
    pub(crate) builder: BuilderInputs,
    /// Warnings about the inputs that stop nothing.
    pub(crate) warnings: Vec<String>,
}

/// The input `git-context`: the source of ref and commit.
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
    /// Push if credentials are available and the code is trusted.
    Auto,
    Always,
    Never,
}

impl Inputs {
    /// The directory of the workspace that is built; none when a URL or an image is used instead.
    pub(crate) fn sources(&self, workspace: &Path) -> Option<PathBuf> {
        let is_image = self.candidate.as_ref().is_some_and(Candidate::is_image);
        match &self.build.context {
            _ if is_image => None,
            None => Some(workspace.to_owned()),
            Some(Source::Directory(directory)) => {
                Workspace(workspace).path("context", directory).ok()
            }
            Some(Source::Repository(_) | Source::Address(_)) => None,
        }
    }

    /// The same inputs for a build of `platforms`.
    pub(crate) fn building(&self, platforms: &[String]) -> Self {
        let mut inputs = self.clone();
        inputs.build.parameters.platforms = platforms.to_vec();
        inputs
    }

    /// Reads the inputs; `with` holds those of the command line, which win.
    pub(crate) fn from_vars(vars: &Vars, with: &[(String, String)]) -> anyhow::Result<Self> {
        let mut raw = RawInputs::collect(vars, with);
        let mut warnings = raw.unknown_names();
        let staged = staged::take(&mut raw)?;
        let (candidate, remark) = candidate::read(&mut raw)?;
        // Whoever passes on a staged image leaves the inputs of the build as they are.
        warnings.extend(remark.filter(|_| staged.is_none()));
        let (labels, remarks) = labels::parse("labels", raw.untrimmed("labels"))?;
        warnings.extend(remarks);
        let (annotations, remarks) = labels::parse("annotations", raw.untrimmed("annotations"))?;
        warnings.extend(remarks);
        let flavor = flavor::parse(raw.untrimmed("flavor"))?;
        warnings.extend(flavor.warnings.iter().cloned());
        let tags = tags::parse(raw.untrimmed("tags"))?;
        warnings.extend(tags.iter().flat_map(|rule| rule.warnings.iter().cloned()));
        let given_token = raw.secret("github-token");
        let (github_token, token_variable) = match given_token {
            Some(token) => (Some(token), None),
            None => token_of_environment(vars).unzip(),
        };
        let (secrets, remarks) = secrets::read(&raw, vars)?;
        warnings.extend(remarks);
        let inputs = Self {
            mode: raw.parsed("mode", mode::parse)?,
            summary: raw.flag("summary", true)?,
            comment: raw.flag("comment", false)?,
            images: images::parse(raw.untrimmed("images"))?,
            tags,
            flavor,
            labels,
            annotations,
            annotation_levels: Levels::read(&raw, vars)?,
            short_sha_length: short_sha_length(vars)?,
            metadata_format: MetadataFormat::read(&raw),
            set_output_env: vars.is_true("DOCKER_METADATA_SET_OUTPUT_ENV"),
            git_context: raw
                .parsed("git-context", git_context)?
                .unwrap_or(GitContext::Workflow),
            registry: raw.text("registry").map(registry),
            username: raw.text("username").map(str::to_owned),
            password: raw.secret("password"),
            github_token,
            token_variable,
            push: raw.parsed("push", push)?.unwrap_or(Push::Auto),
            push_timeout: raw
                .parsed("push-timeout", destination::duration)?
                .unwrap_or(Duration::from_secs(15 * 60)),
            allow_untrusted_pull_request: raw.flag("allow-untrusted-pull-request", false)?,
            destination: DestinationInputs::read(&raw, vars)?,
            attest: AttestInputs::read(&raw)?,
            verify: VerifyInputs::read(&raw)?,
            cleanup: CleanupInputs::read(&raw)?,
            compare: CompareInputs::read(&raw)?,
            candidate,
            staged,
            rules: staged::rules(&raw),
            part: PartInputs::read(&raw)?,
            build: BuildInputs::read(&raw, secrets)?,
            builder: BuilderInputs::read(&raw, vars)?,
            warnings,
        };
        inputs.refuse_secret_arguments()?;
        inputs.refuse_files_with_push()?;
        Ok(inputs)
    }

    /// Refuses a build argument that contains a token.
    pub(crate) fn refuse_secret_arguments(&self) -> Result<(), Problem> {
        self.build.refuse_secret_arguments(self.tokens())
    }

    /// `push: true` needs an image, and `type=local` gives none.
    fn refuse_files_with_push(&self) -> Result<(), Problem> {
        let mut outputs = self.build.outputs.iter();
        match outputs.find(|output| self.push == Push::Always && results::is_files(output)) {
            None => Ok(()),
            Some(files) => Err(Problem::new(
                format!(
                    "the input `push` is `true`, and `outputs` has `type={}`",
                    files.kind()
                ),
                "write files in a step of its own with `push: false`, or leave `outputs` out",
            )
            .because("only an image can be pushed, not files")),
        }
    }
}

impl Inputs {
    /// Every value that must be masked in the log. A secret file may hold a whole configuration, each line of which
    /// would be masked everywhere, so it is secret only inside the build.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let build = self.build.parameters.secrets.iter();
        let values = build.filter_map(|secret| match &secret.content {
            SecretContent::Value(value) => Some(value),
            SecretContent::File(_) => None,
        });
        let keys = self
            .build
            .parameters
            .cache_keys
            .iter()
            .filter_map(CacheKey::secret);
        self.tokens().chain(values).chain(keys)
    }

    fn tokens(&self) -> impl Iterator<Item = &Secret> {
        let other = self
            .github_token
            .iter()
            .filter(|token| self.password.as_ref() != Some(token));
        let logins = self.destination.registry_auth.iter();
        let passwords = logins.map(|login| &login.password);
        self.password.iter().chain(other).chain(passwords)
    }
}

fn token_of_environment(vars: &Vars) -> Option<(Secret, &'static str)> {
    let mut names = ["GITHUB_TOKEN", "GH_TOKEN"].into_iter();
    names.find_map(|name| Some((Secret::new(vars.get(name)?)?, name)))
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

fn git_context(text: &str) -> Result<GitContext, &'static str> {
    match text {
        "workflow" => Ok(GitContext::Workflow),
        "git" => Ok(GitContext::Git),
        _ => Err("write `workflow` or `git`"),
    }
}

/// The host of an address, as `docker login` takes either.
fn registry(text: &str) -> String {
    let host = text.trim_start_matches("https://");
    host.trim_end_matches('/').to_lowercase()
}

fn push(text: &str) -> Result<Push, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Push::Auto),
        "true" => Ok(Push::Always),
        "false" => Ok(Push::Never),
        _ => Err("write `auto`, `true` or `false`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
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
            invalid value `yes` for the input `pull`
              fix: write `true` or `false`"]],
        );
        refused(
            "INPUT_PUSH-TIMEOUT",
            "15 minutes",
            expect![[r"
            invalid value `15 minutes` for the input `push-timeout`
              fix: write a number with `s`, `m` or `h`, for example `15m`"]],
        );
        refused(
            "INPUT_BUILD-ARGS",
            "VERSION",
            expect![[r"
            invalid line `VERSION` in the input `build-args`
              fix: write one `name=value` per line, for example `VERSION=1.2.3`"]],
        );
    }

    #[test]
    fn an_unknown_input_is_a_warning_that_names_the_nearest_one() {
        let inputs = read(&[("INPUT_BUILDARGS", "A=1"), ("INPUT_ZZZ", "")]).unwrap();
        assert_eq!(
            inputs.warnings,
            [
                "the unknown input `buildargs` is ignored; did you mean `build-args`?",
                "the unknown input `zzz` is ignored",
            ]
        );
    }

    #[test]
    fn the_token_of_the_environment_comes_last() {
        let token = |variables| {
            let token = read(variables).unwrap().github_token;
            token.map(|secret| secret.expose().to_owned())
        };
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
        assert_eq!(inputs.build.parameters.target.as_deref(), Some("two"));
    }
}
