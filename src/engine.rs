//! Build request -> buildx -> `Built`.

mod answer;
mod api;
mod builder;
mod child;
mod command;
mod docker_config;
mod messages;
mod progress;
mod reach;
mod source;
mod sources;
pub(crate) mod timeline;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::image::Digest;
use crate::inputs::build::Call;
use crate::inputs::secrets::{BuildSecret, SecretContent};
use crate::plan::Plan;
use crate::plan::build::BuildRequest;
use crate::problem::{Place, Problem};
use crate::vars::Vars;
use crate::workflow::Console;
pub(crate) use builder::Builder;
pub(crate) use builder::leftover::remove_leftover;
use command::{Files, Store};
use docker_config::PrivateConfig;
use messages::Messages;
use progress::{Failure, Progress};
pub(crate) use progress::{Record, Warning};

/// The engine, found and reachable.
#[derive(Debug)]
pub(crate) struct Engine {
    buildx: PathBuf,
}

/// What the engine says it made.
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

/// The answer to a check names every line it is about, with its file.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

impl Engine {
    /// Finds buildx and every file the build reads, and asks whether the engine answers if it is to build.
    pub(crate) async fn find(vars: &Vars, plan: &Plan) -> anyhow::Result<Self> {
        sources::check(&plan.build, vars.workspace())?;
        let buildx = reach::buildx(vars)?;
        if plan.builder.uses_engine() {
            reach::engine(vars).await?;
        }
        Ok(Self { buildx })
    }

    /// Chooses the builder; it is made when it boots.
    pub(crate) async fn builder(
        &self,
        plan: &Plan,
        vars: &Vars,
        credentials: &Credentials,
    ) -> anyhow::Result<Builder> {
        Builder::choose(&self.buildx, plan, vars, credentials).await
    }

    /// Builds, and pushes when the request says so; or gets the answer to a question. Nothing comes of a
    /// question, or of a build that gives files only. What the build did stands in `record`, also when
    /// this fails.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        builder: &Builder,
        vars: &Vars,
        credentials: &Credentials,
        console: Console,
        record: &mut Record,
    ) -> anyhow::Result<Option<Built>> {
        let registries: Vec<&str> = request
            .names
            .iter()
            .map(|name| name.name.registry())
            .collect();
        let config = PrivateConfig::write(vars, credentials, &registries)?;
        let files = Files {
            metadata: config.folder().join("metadata.json"),
            secrets: write_secrets(request, &config, vars)?,
        };
        let own_store = builder.name().is_none() && vars.get("BUILDX_BUILDER").is_none();
        let store = if own_store {
            Store::OfEngine
        } else {
            Store::OfBuilder
        };
        let mut arguments = command::build_arguments(request, &files, store);
        let named = builder.name().map(|name| format!("--builder={name}"));
        arguments.splice(1..1, named);
        let own = builder.buildx_folder();
        let buildx_folder = own.as_deref().unwrap_or(config.buildx_folder(vars));
        let mut environment = command::common_environment(vars, config.folder(), buildx_folder);
        environment.extend(command::build_environment(request, vars));
        let dockerfile = source::path_in_repository(&request.dockerfile(), vars.workspace());
        let progress = Progress::new(console, dockerfile);
        let ended = self
            .run(&arguments, environment, vars.workspace(), progress)
            .await?;
        *record = ended.record;
        match (ended.failure, request.call) {
            // A check that finds something fails, and says what in its answer.
            (failure, Some(Call::Check)) if failure.is_none() || !ended.answer.is_empty() => {
                answer::check(&ended.answer, &request.dockerfile(), console)?;
                Ok(None)
            }
            (Some(failure), _) if builder::fault::is_the_builders(&failure.cause) => {
                builder.show_log(console).await;
                Err(builder.lost(&failure.cause).into())
            }
            (Some(failure), _) => Err(explain(failure, request).into()),
            (None, Some(_)) => {
                console.say(&ended.answer);
                Ok(None)
            }
            (None, None) if !request.makes_image() => Ok(None),
            (None, None) => read_metadata(&files.metadata).map(Some),
        }
    }

    /// Runs buildx to its end.
    async fn run(
        &self,
        arguments: &[String],
        environment: Vec<(String, String)>,
        dir: &Path,
        mut progress: Progress,
    ) -> anyhow::Result<Ended> {
        let mut command = child::command(&self.buildx, arguments, environment, dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        let mut messages = Messages::new(child.stderr.take().expect("stderr is piped"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let ((), answer) = tokio::try_join!(
            read(&mut messages, &mut progress),
            read_at_most(stdout, LONGEST_ANSWER)
        )?;
        let status = child.wait().await?;
        let (record, failure) = progress.finish();
        let failure = (!status.success()).then_some(failure);
        Ok(Ended {
            record,
            failure,
            answer,
        })
    }
}

/// How a run of buildx ended.
struct Ended {
    record: Record,
    failure: Option<Failure>,
    /// What stood on its standard output: the answer to a question.
    answer: String,
}

/// Reads to the end, and lets `progress` know of every second in which nothing came.
async fn read(messages: &mut Messages<ChildStderr>, progress: &mut Progress) -> anyhow::Result<()> {
    let second = Duration::from_secs(1);
    let mut quiet = TimeDelta::zero();
    loop {
        match timeout(second, messages.next()).await {
            Ok(line) => match line? {
                Some(line) => progress.line(line),
                None => return Ok(()),
            },
            Err(_nothing_came) => {
                quiet += TimeDelta::seconds(1);
                progress.idle(quiet);
                continue;
            }
        }
        quiet = TimeDelta::zero();
    }
}

/// The text of `stream`; what is longer than `limit` is read and dropped, so that its writer can end.
async fn read_at_most(mut stream: impl AsyncRead + Unpin, limit: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    (&mut stream).take(limit).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Each secret in a file of its own that only we can read, named by its number: an id is any text.
fn write_secrets(
    request: &BuildRequest,
    config: &PrivateConfig,
    vars: &Vars,
) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let written = request.secrets.iter().enumerate().map(|(at, secret)| {
        let BuildSecret { id, content } = secret;
        let bytes = match content {
            SecretContent::Value(value) => value.expose().as_bytes().to_vec(),
            SecretContent::File(file) => sources::read_secret(id, file, vars.workspace())?,
        };
        Ok((id.clone(), config.add(&format!("secret-{at}"), &bytes)?))
    });
    written.collect()
}

fn explain(failure: Failure, request: &BuildRequest) -> Problem {
    if failure.while_pushing {
        let names = request.names.iter().map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        return Problem::new(format!("cannot push {names}"), "see whether the registry answers and the token may write this package: `ghcr-publish check` asks it")
            .because(failure.cause);
    }
    let what = match &failure.step {
        Some(step) => format!("the build failed at `{step}`"),
        None => "the build failed".to_owned(),
    };
    let fix = match &failure.place {
        Some(Place { file, line }) => format!("mend line {line} of `{file}`"),
        None => "the engine's log above says more".to_owned(),
    };
    let problem = Problem::new(what, fix)
        .because(failure.cause)
        .showing("the source", failure.excerpt)
        .showing("the last lines of the step's log", failure.log);
    problem.at(failure.place)
}

fn read_metadata(path: &Path) -> anyhow::Result<Built> {
    let text = std::fs::read(path).context("could not read the result buildx wrote")?;
    let mut metadata: Map<String, Value> =
        serde_json::from_slice(&text).context("could not understand the result buildx wrote")?;
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
            .context("buildx named no digest for what it built")?,
        config_digest: digest("containerimage.config.digest")?,
        metadata,
    })
}
