//! Runs buildx: build request -> `Built`.

pub(crate) mod builder;
mod command;
mod docker_config;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hints;
mod policy;
pub(crate) mod progress;
mod run;
mod sources;
pub(crate) mod version;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

use crate::buildx::builder::Builder;
use crate::buildx::command::{Files, ImageDestination, Naming, Settings, environment};
use crate::buildx::docker_config::PrivateConfig;
use crate::buildx::progress::exported::Pushed;
use crate::buildx::progress::push_watch::{PushFailed, SILENCE};
use crate::buildx::progress::{Failure, Progress, Record};
use crate::console::Console;
use crate::console::debug::redacted_command;
use crate::credentials::Credentials;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::inputs::build::Call;
use crate::inputs::secrets::{BuildSecret, SecretContent};
use crate::plan::Plan;
use crate::plan::build::BuildRequest;
use crate::tls::Trust;
use crate::vars::Vars;
use crate::{child, docker};

/// buildx, found, with an engine that answers.
#[derive(Debug)]
pub(crate) struct Engine {
    buildx: PathBuf,
    /// What buildx prints as its version, if it was asked (see [`version::require_recent`]).
    pub(crate) version: Option<String>,
    /// Whether the log has the group with the environment.
    is_described: Cell<bool>,
}

/// The builder, credentials and trust that a build uses.
#[derive(Clone, Debug)]
pub(crate) struct BuildOptions<'a> {
    pub(crate) builder: &'a Builder,
    pub(crate) vars: &'a Vars,
    pub(crate) credentials: &'a Credentials,
    pub(crate) trust: &'a Trust,
    /// The directory for an image that we push.
    pub(crate) layout: Option<&'a Path>,
    /// Gets each image when it has been pushed.
    pub(crate) pushed: Option<UnboundedSender<Pushed>>,
}

/// The result that buildx reports.
#[derive(Debug)]
pub(crate) struct Built {
    /// Digest of the manifest or index.
    pub(crate) digest: Digest,
    /// Digest of the image config; unknown for an image of several platforms.
    pub(crate) config_digest: Option<Digest>,
    /// The result in short, as the output `metadata` shows it.
    pub(crate) metadata: Map<String, Value>,
}

/// The keys of buildx's metadata file that are safe and short enough to pass on.
const METADATA_KEYS: &[&str] = &[
    "buildx.build.ref",
    "containerimage.config.digest",
    "containerimage.descriptor",
    "containerimage.digest",
    "image.name",
];

impl Engine {
    /// Finds buildx, and asks whether the engine answers if it is to build.
    pub(crate) async fn find(vars: &Vars, plan: &Plan) -> anyhow::Result<Self> {
        let buildx = docker::find_buildx(vars)?;
        if plan.builder.uses_engine() {
            docker::require_engine(vars).await?;
        }
        Ok(Self {
            buildx,
            version: None,
            is_described: Cell::new(false),
        })
    }

    /// Chooses the builder, and asks one that exists what it can run; a new one is created when it boots.
    pub(crate) async fn builder(
        &self,
        plan: &Plan,
        vars: &Vars,
        credentials: &Credentials,
        trust: &Trust,
    ) -> anyhow::Result<Builder> {
        let builder = Builder::choose(&self.buildx, plan, vars, credentials, trust);
        let mut builder = builder.await?;
        builder.inspect(&plan.build.parameters.platforms).await?;
        Ok(builder)
    }

    /// One folded group with what a report of a bug needs, before the first build.
    fn describe(&self, builder: &Builder, arguments: &[String], console: Console) {
        if self.is_described.replace(true) {
            return;
        }
        let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        let version = self.version.as_deref().map(str::trim);
        let buildx = version.map_or_else(|| self.buildx.display().to_string(), str::to_owned);
        let mut facts = vec![("program", program.to_owned()), ("buildx", buildx)];
        facts.extend(builder.facts());
        facts.push(("command", redacted_command(&self.buildx, arguments)));
        let lines = facts
            .iter()
            .map(|(name, value)| format!("{name:<8} {value}"));
        console.environment(&lines.collect::<Vec<_>>().join("\n"));
    }

    /// Builds, and pushes when the request says so; or gets the answer to a question. Nothing comes of a
    /// question, or of a build that gives files only. What the build did stands in `record`, also when
    /// this fails; a push that fails is a [`PushFailed`].
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        options: BuildOptions<'_>,
        console: Console,
        record: &mut Record,
    ) -> anyhow::Result<Option<Built>> {
        let BuildOptions {
            builder,
            vars,
            credentials,
            trust,
            layout,
            pushed,
        } = options;
        let registries: Vec<&str> = request
            .names
            .iter()
            .map(|name| name.name.registry())
            .collect();
        let config = PrivateConfig::write(vars, credentials, &registries)?;
        let files = Files {
            metadata: config.directory().join("metadata.json"),
            secrets: write_secrets(request, &config, vars)?,
            layout: layout.map(Path::to_owned),
        };
        let own_store = builder.name().is_none() && vars.get("BUILDX_BUILDER").is_none();
        let store = if own_store {
            ImageDestination::Engine
        } else {
            ImageDestination::Builder
        };
        let settings = Settings {
            builder: builder.name(),
            store,
            naming: match request.push && builder.can_push_by_digest() {
                true => Naming::Digest,
                false => Naming::Tag,
            },
            is_policy_strict: version::is_policy_strict(request, vars),
        };
        let arguments = command::build_arguments(request, &files, &settings);
        let own = builder.buildx_directory();
        let buildx_directory = own.as_deref().unwrap_or(config.buildx_directory(vars));
        let mut environment =
            environment::common_environment(vars, config.directory(), buildx_directory);
        environment.extend(environment::build_environment(request, vars));
        if let Some(directory) = config.ca_directory(trust)? {
            environment.push(environment::trusting(vars, &directory));
        }
        let dockerfile = sources::path_in_repository(&request.dockerfile(), vars.workspace());
        let progress = Progress::new(console, dockerfile).telling(pushed);
        self.describe(builder, &arguments, console);
        let command = child::command(&self.buildx, &arguments, environment, vars.workspace());
        let ended = run::to_its_end(command, progress, SILENCE).await?;
        *record = ended.record;
        if ended.failure.is_none() {
            record.notices().for_each(|notice| console.notice(&notice));
        }
        match (ended.failure, request.parameters.call) {
            // A check that finds something fails, and says what in its answer.
            (failure, Some(Call::Check)) if failure.is_none() || !ended.answer.is_empty() => {
                run::check(&ended.answer, &request.dockerfile(), console)?;
                Ok(None)
            }
            (Some(failure), _) if builder::failure::is_unknown(&failure.cause) => {
                Err(builder.unknown().because(failure.cause).into())
            }
            (Some(failure), _) if builder::failure::is_of_builder(&failure.cause) => {
                let is_log_shown = builder.show_log(console).await;
                Err(builder.lost(&failure.cause, is_log_shown).into())
            }
            (Some(failure), _) if failure.while_pushing && request.push => {
                let cause = failure.cause;
                Err(PushFailed { cause }.into())
            }
            (Some(failure), _) => {
                let fix = hints::fix(&failure, request, vars.workspace());
                Err(explain(failure, fix).into())
            }
            (None, Some(_)) => {
                console.answer(&ended.answer);
                Ok(None)
            }
            (None, None) if !request.makes_image() => Ok(None),
            (None, None) => read_metadata(&files.metadata).map(Some),
        }
    }
}

/// Checks that every file of the build exists, before any request.
pub(crate) fn require_sources(vars: &Vars, request: &BuildRequest) -> anyhow::Result<()> {
    let temp = vars.path("RUNNER_TEMP");
    Ok(sources::check(request, vars.workspace(), temp)?)
}

/// Each secret in a file of its own that only we can read, named by its number: an id is any text.
fn write_secrets(
    request: &BuildRequest,
    config: &PrivateConfig,
    vars: &Vars,
) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let written = request
        .parameters
        .secrets
        .iter()
        .enumerate()
        .map(|(at, secret)| {
            let BuildSecret { id, content } = secret;
            let bytes = match content {
                SecretContent::Value(value) => value.expose().as_bytes().to_vec(),
                SecretContent::File(file) => sources::read_secret(id, file, vars.workspace())?,
            };
            Ok((id.clone(), config.add(&format!("secret-{at}"), &bytes)?))
        });
    written.collect()
}

fn explain(failure: Failure, fix: String) -> Problem {
    let what = match &failure.step {
        Some(step) => format!("the build failed at `{step}`"),
        None => "the build failed".to_owned(),
    };
    let problem = Problem::new(what, fix)
        .because(failure.cause)
        .showing("the source", failure.excerpt)
        .showing("the last lines of the step's log", failure.log);
    problem.at(failure.place)
}

fn read_metadata(path: &Path) -> anyhow::Result<Built> {
    let text = std::fs::read(path).context("could not read the result that buildx wrote")?;
    let mut metadata: Map<String, Value> =
        serde_json::from_slice(&text).context("could not parse the result that buildx wrote")?;
    metadata.retain(|key, _| METADATA_KEYS.contains(&key.as_str()));
    let digest = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .map(str::parse::<Digest>)
            .transpose()
    };
    Ok(Built {
        digest: digest("containerimage.digest")?
            .context("buildx reported no digest for the image")?,
        config_digest: digest("containerimage.config.digest")?,
        metadata,
    })
}
