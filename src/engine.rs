//! Build request -> buildx -> `Built`.

mod api;
mod builder;
mod child;
mod command;
mod docker_config;
mod progress;
mod reach;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, BufReader};

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
use progress::{Failure, Progress};

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

    /// Builds, and pushes when the request says so.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        builder: &Builder,
        vars: &Vars,
        credentials: &Credentials,
        console: Console,
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
        let failure = self
            .run(
                &arguments,
                environment,
                vars.workspace(),
                Progress::new(console, request.dockerfile()),
            )
            .await?;
        match failure {
            Some(failure) if builder::fault::is_the_builders(&failure.cause) => {
                builder.show_log(console).await;
                Err(builder.lost(&failure.cause).into())
            }
            Some(failure) => Err(explain(&failure, request).into()),
            None => read_metadata(&metadata_file),
        }
    }

    /// Runs buildx to its end; what failed, if it did.
    async fn run(
        &self,
        arguments: &[String],
        environment: Vec<(String, String)>,
        dir: &Path,
        mut progress: Progress,
    ) -> anyhow::Result<Option<Failure>> {
        let mut command = child::command(&self.buildx, arguments, environment, dir);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr).split(b'\n');
        while let Some(line) = lines.next_segment().await? {
            progress.line(&line);
        }
        let status = child.wait().await?;
        let failure = progress.finish();
        Ok((!status.success()).then_some(failure))
    }
}

fn explain(failure: &Failure, request: &BuildRequest) -> Problem {
    let Failure {
        step,
        cause,
        line,
        while_pushing,
    } = failure;
    let names = request
        .names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if *while_pushing {
        return Problem::new(format!("cannot push {names}"), "see whether the registry answers and the token may write this package: `ghcr-publish check` asks it")
            .because(cause.as_str());
    }
    let dockerfile = request.dockerfile();
    let place = line.map(|line| Place {
        file: dockerfile.clone(),
        line,
    });
    let what = step.as_ref().map_or_else(
        || "the build failed".to_owned(),
        |step| format!("the build failed at `{step}`"),
    );
    let fix = match &place {
        Some(Place { file, line }) => {
            format!("mend line {line} of `{file}`; the step's log above says more")
        }
        None => "the engine's log above says more".to_owned(),
    };
    Problem::new(what, fix).because(cause.as_str()).at(place)
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
