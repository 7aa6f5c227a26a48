//! Build request -> buildx -> `Built`.

mod by_digest;
mod command;
mod docker_config;
mod progress;
mod push_watch;
mod reach;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::image::{Digest, ImageName};
use crate::plan::build::BuildRequest;
use crate::problem::{Place, Problem};
use crate::vars::Vars;
use crate::workflow::Console;
use docker_config::PrivateConfig;
use progress::{Failure, Progress};
use push_watch::{PushWatch, SILENCE};

/// The engine, found and reachable.
#[derive(Debug)]
pub(crate) struct Engine {
    buildx: PathBuf,
    /// How long a push may say nothing.
    silence: Duration,
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
    /// Finds buildx, and asks whether the engine answers.
    pub(crate) async fn find(vars: &Vars) -> anyhow::Result<Self> {
        let buildx = reach::buildx(vars)?;
        reach::engine(vars).await?;
        Ok(Self {
            buildx,
            silence: SILENCE,
        })
    }

    /// Whether an image can be pushed without a tag. The docker driver cannot: it always names what it
    /// pushes.
    pub(crate) fn can_push_by_digest(&self) -> bool {
        false
    }

    /// Builds, and pushes when the request says so. A push that fails is a [`PushFailed`].
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
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
        if request.push && self.can_push_by_digest() {
            arguments = by_digest::rewritten(arguments, &request.names);
        }
        let environment = command::environment(vars, config.folder(), config.buildx_folder(vars));
        let failure = self
            .run(
                &arguments,
                environment,
                vars.workspace(),
                Progress::new(console, request.dockerfile()),
            )
            .await?;
        match failure {
            Some(failure) if failure.while_pushing => Err(PushFailed {
                cause: failure.cause,
            }
            .into()),
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
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr).split(b'\n');
        let mut watch = PushWatch::default();
        loop {
            let Ok(line) = timeout(self.silence, lines.next_segment()).await else {
                if watch.is_pushing() {
                    drop(child);
                    return Ok(Some(self.stopped(progress.finish())));
                }
                continue;
            };
            let Some(line) = line? else { break };
            progress.line(&line);
            watch.line(&line);
        }
        let status = child.wait().await?;
        let mut failure = progress.finish();
        failure.while_pushing |= watch.has_failed();
        Ok((!status.success()).then_some(failure))
    }
}

impl Engine {
    /// A push that went silent is like one that failed.
    fn stopped(&self, failure: Failure) -> Failure {
        let seconds = self.silence.as_secs();
        Failure {
            cause: format!("the push said nothing for {seconds} seconds and was stopped"),
            while_pushing: true,
            ..failure
        }
    }
}

/// The image was built, and a registry did not take it.
#[derive(Debug)]
pub(crate) struct PushFailed {
    /// In the engine's words.
    pub(crate) cause: String,
}

impl PushFailed {
    /// The name that was not taken: the engine pushes one after the other and says which one failed.
    pub(crate) fn name(&self, request: &BuildRequest) -> ImageName {
        let names = || request.names.iter().map(|tagged| &tagged.name);
        let said = names().find(|name| {
            let (reference, digest) = (format!("{name}:"), format!("{name}@"));
            self.cause.contains(&reference) || self.cause.contains(&digest)
        });
        let name = said.or_else(|| names().next());
        name.expect("what is pushed has a name").clone()
    }
}

impl fmt::Display for PushFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for PushFailed {}

/// Looks for the Dockerfile, before anybody is asked for anything.
pub(crate) fn require_dockerfile(vars: &Vars, request: &BuildRequest) -> anyhow::Result<()> {
    Ok(reach::dockerfile(request, vars.workspace())?)
}

fn explain(failure: &Failure, request: &BuildRequest) -> Problem {
    let Failure {
        step,
        cause,
        line,
        while_pushing: _,
    } = failure;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Reader, Stream};
    use std::os::unix::fs::PermissionsExt;

    /// What becomes of an engine that says this and then nothing for ten seconds.
    async fn silent_after(progress: &str) -> Option<Failure> {
        let folder = tempfile::tempdir().unwrap();
        let buildx = folder.path().join("buildx");
        let script = format!("#!/bin/sh\necho '{progress}' >&2\nexec sleep 10\n");
        std::fs::write(&buildx, script).unwrap();
        std::fs::set_permissions(&buildx, std::fs::Permissions::from_mode(0o755)).unwrap();
        let silence = Duration::from_millis(200);
        let engine = Engine { buildx, silence };
        let console = Console {
            reader: Reader::Person,
            stream: Stream::Nowhere,
        };
        let progress = Progress::new(console, "Dockerfile".to_owned());
        let path = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let run = engine.run(&[], path, folder.path(), progress);
        let ended = timeout(Duration::from_secs(2), run).await;
        ended.ok().and_then(|outcome| outcome.unwrap())
    }

    #[tokio::test]
    async fn a_silent_push_is_stopped_and_a_silent_build_is_not() {
        let pushing = r#"{"statuses":[{"id":"pushing layers","vertex":"d"}]}"#;
        let failure = silent_after(pushing).await.unwrap();
        assert!(failure.while_pushing);
        assert_eq!(
            failure.cause,
            "the push said nothing for 0 seconds and was stopped"
        );
        let building = r#"{"statuses":[{"id":"extracting","vertex":"d"}]}"#;
        assert_eq!(silent_after(building).await, None);
    }
}
