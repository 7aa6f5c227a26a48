//! Build request -> buildx -> `Built`.

mod api;
mod builder;
mod child;
mod command;
mod docker_config;
mod messages;
mod progress;
mod reach;
mod source;
pub(crate) mod timeline;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use serde_json::{Map, Value};
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::image::Digest;
use crate::plan::Plan;
use crate::plan::build::BuildRequest;
use crate::problem::{Place, Problem};
use crate::vars::Vars;
use crate::workflow::Console;
pub(crate) use builder::Builder;
pub(crate) use builder::leftover::remove_leftover;
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

impl Engine {
    /// Finds buildx and the Dockerfile, and asks whether the engine answers if it is to build.
    pub(crate) async fn find(vars: &Vars, plan: &Plan) -> anyhow::Result<Self> {
        reach::dockerfile(&plan.build, vars.workspace())?;
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

    /// Builds, and pushes when the request says so. What the build did stands in `record`, also when this
    /// fails.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        builder: &Builder,
        vars: &Vars,
        credentials: &Credentials,
        console: Console,
        record: &mut Record,
    ) -> anyhow::Result<Built> {
        let registries: Vec<&str> = request
            .names
            .iter()
            .map(|name| name.name.registry())
            .collect();
        let config = PrivateConfig::write(vars, credentials, &registries)?;
        let metadata_file = config.folder().join("metadata.json");
        let mut arguments = command::build_arguments(request, &metadata_file);
        let named = builder.name().map(|name| format!("--builder={name}"));
        arguments.splice(1..1, named);
        let own = builder.buildx_folder();
        let buildx_folder = own.as_deref().unwrap_or(config.buildx_folder(vars));
        let environment = command::environment(vars, config.folder(), buildx_folder);
        let dockerfile = source::path_in_repository(&request.dockerfile(), vars.workspace());
        let progress = Progress::new(console, dockerfile);
        let (told, failure) = self
            .run(&arguments, environment, vars.workspace(), progress)
            .await?;
        *record = told;
        match failure {
            Some(failure) if builder::fault::is_the_builders(&failure.cause) => {
                builder.show_log(console).await;
                Err(builder.lost(&failure.cause).into())
            }
            Some(failure) => Err(explain(failure, request).into()),
            None => read_metadata(&metadata_file),
        }
    }

    /// Runs buildx to its end; what it did, and what failed if it did.
    async fn run(
        &self,
        arguments: &[String],
        environment: Vec<(String, String)>,
        dir: &Path,
        mut progress: Progress,
    ) -> anyhow::Result<(Record, Option<Failure>)> {
        let mut command = child::command(&self.buildx, arguments, environment, dir);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        let stderr = child.stderr.take().expect("stderr is piped");
        read(&mut Messages::new(stderr), &mut progress).await?;
        let status = child.wait().await?;
        let (record, failure) = progress.finish();
        Ok((record, (!status.success()).then_some(failure)))
    }
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
