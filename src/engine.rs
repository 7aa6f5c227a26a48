//! Build request -> buildx -> `Built`.

mod answer;
mod command;
mod docker_config;
mod progress;
mod reach;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::credentials::Credentials;
use crate::image::Digest;
use crate::inputs::build::Call;
use crate::inputs::secrets::{BuildSecret, SecretContent};
use crate::plan::build::BuildRequest;
use crate::problem::{Place, Problem};
use crate::vars::Vars;
use crate::workflow::Console;
use command::{Files, Store};
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

/// The answer to a check names every line it is about, with its file.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

impl Engine {
    /// Finds buildx and every file the build reads, and asks whether the engine answers.
    pub(crate) async fn find(vars: &Vars, request: &BuildRequest) -> anyhow::Result<Self> {
        sources::check(request, vars.workspace())?;
        let buildx = reach::buildx(vars)?;
        reach::engine(vars).await?;
        Ok(Self { buildx })
    }

    /// Builds, and pushes when the request says so; or gets the answer to a question. Nothing comes of a
    /// question, or of a build that gives files only.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        vars: &Vars,
        credentials: &Credentials,
        console: Console,
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
        let store = match vars.get("BUILDX_BUILDER") {
            Some(_named) => Store::OfBuilder,
            None => Store::OfEngine,
        };
        let arguments = command::build_arguments(request, &files, store);
        let buildx_folder = config.buildx_folder(vars);
        let environment = command::environment(request, vars, config.folder(), buildx_folder);
        let progress = Progress::new(console, request.dockerfile());
        let (failure, answer) = self
            .run(&arguments, environment, vars.workspace(), progress)
            .await?;
        match (failure, request.call) {
            // A check that finds something fails, and says what in its answer.
            (failure, Some(Call::Check)) if failure.is_none() || !answer.is_empty() => {
                answer::check(&answer, &request.dockerfile(), console)?;
                Ok(None)
            }
            (Some(failure), _) => Err(explain(&failure, request).into()),
            (None, Some(_)) => {
                console.say(&answer);
                Ok(None)
            }
            (None, None) if !request.makes_image() => Ok(None),
            (None, None) => read_metadata(&files.metadata).map(Some),
        }
    }

    /// Runs buildx to its end; what failed, if it did, and what stood on its standard output.
    async fn run(
        &self,
        arguments: &[String],
        environment: Vec<(String, String)>,
        dir: &Path,
        mut progress: Progress,
    ) -> anyhow::Result<(Option<Failure>, String)> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where a child is started, with the environment made for it"
        )]
        let mut command = tokio::process::Command::new(&self.buildx);
        command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir(dir)
            .kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let follow = async {
            let mut lines = BufReader::new(stderr).split(b'\n');
            while let Some(line) = lines.next_segment().await? {
                progress.line(&line);
            }
            std::io::Result::Ok(progress)
        };
        let (progress, answer) = tokio::try_join!(follow, read_at_most(stdout, LONGEST_ANSWER))?;
        let status = child.wait().await?;
        let failure = progress.finish();
        Ok(((!status.success()).then_some(failure), answer))
    }
}

/// The text of `stream`; what is longer than `limit` is read and dropped, so that its writer can end.
async fn read_at_most(mut stream: impl AsyncRead + Unpin, limit: u64) -> std::io::Result<String> {
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
