//! One run of buildx, followed to its end.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::buildx::progress::messages::{Decoder, Message};
use crate::buildx::progress::push_watch::PushWatch;
use crate::buildx::progress::{Failure, Progress, Record};
use crate::console::Console;
use crate::error::{FilePosition, Problem};

/// How a run of buildx ended.
pub(crate) struct Ended {
    pub(crate) record: Record,
    pub(crate) failure: Option<Failure>,
    /// Its standard output: the answer to `--call`.
    pub(crate) answer: String,
}

/// How the output of buildx ended.
enum End {
    Told,
    /// A push or an export of the cache made no progress for too long, and was stopped.
    Silent(&'static str),
}

const PIECE: usize = 64 * 1024;
/// The answer to a check names every line it is about, with its file.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// Runs buildx and prints its progress. A push or an export of the cache that says nothing for `silence` is stopped, and
/// counts as a push that failed.
pub(crate) async fn to_its_end(
    mut command: Command,
    progress: Progress,
    silence: Duration,
) -> anyhow::Result<Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.as_std().get_program().to_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    let stderr = child.stderr.take().expect("stderr is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut reader = Reader {
        decoder: Decoder::default(),
        progress,
        watch: PushWatch::default(),
    };
    let (end, answer) = tokio::try_join!(
        read(stderr, &mut reader, &mut child, silence),
        read_at_most(stdout, MAX_ANSWER)
    )?;
    let status = child.wait().await?;
    let (record, mut failure) = reader.progress.finish();
    failure.while_pushing |= reader.watch.has_failed();
    let failure = match end {
        End::Silent(sent) => Some(stopped(failure, sent, silence)),
        End::Told => (!status.success()).then_some(failure),
    };
    Ok(Ended {
        record,
        failure,
        answer,
    })
}

/// Passes each message of buildx to its readers.
struct Reader {
    decoder: Decoder,
    progress: Progress,
    watch: PushWatch,
}

impl Reader {
    /// Takes the next piece; an empty one is the end.
    fn take(&mut self, piece: &[u8]) {
        let mut each = |message: Message<'_>| {
            self.watch.see(&message);
            self.progress.see(&message);
        };
        match piece {
            [] => self.decoder.finish(&mut each),
            _ => self.decoder.push(piece, &mut each),
        }
    }
}

/// Reads to the end, and lets the progress know of every second in which nothing came.
async fn read(
    mut stderr: impl AsyncRead + Unpin,
    reader: &mut Reader,
    child: &mut Child,
    silence: Duration,
) -> anyhow::Result<End> {
    let beat = Duration::from_secs(1).min(silence);
    let mut quiet = Duration::ZERO;
    let mut piece = vec![0; PIECE];
    loop {
        match timeout(beat, stderr.read(&mut piece)).await {
            Ok(length) => {
                let length = length?;
                reader.take(&piece[..length]);
                if length == 0 {
                    return Ok(End::Told);
                }
                quiet = Duration::ZERO;
            }
            Err(_nothing_came) => {
                quiet += beat;
                reader.progress.idle(TimeDelta::from_std(quiet)?);
                if let Some(sent) = reader.watch.sends().filter(|_| quiet >= silence) {
                    child.start_kill()?;
                    return Ok(End::Silent(sent));
                }
            }
        }
    }
}

/// What went silent is like a push that failed: another try finds the build in the cache.
fn stopped(failure: Failure, sent: &str, silence: Duration) -> Failure {
    let seconds = silence.as_secs();
    Failure {
        cause: format!("{sent} made no progress for {seconds} seconds and was stopped"),
        while_pushing: true,
        ..failure
    }
}

/// The text of `stream`; what is longer than `limit` is read and dropped, so that its writer can end.
async fn read_at_most(mut stream: impl AsyncRead + Unpin, limit: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    (&mut stream).take(limit).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The result of `--call=check,format=json`
/// (<https://github.com/moby/buildkit/blob/v0.25.0/frontend/subrequests/lint/lint.go>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    warnings: Option<Vec<Warning>>,
    build_error: Option<BuildError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Warning {
    rule_name: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    url: String,
    location: Option<Location>,
}

#[derive(Debug, Deserialize)]
struct BuildError {
    message: String,
    location: Option<Location>,
}

#[derive(Debug, Deserialize)]
struct Location {
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Debug, Deserialize)]
struct Range {
    start: Position,
}

#[derive(Debug, Deserialize)]
struct Position {
    #[serde(default)]
    line: u32,
}

/// Each finding of a check as an annotation; some findings are a failure.
pub(crate) fn check(text: &str, dockerfile: &str, console: Console) -> Result<(), Problem> {
    let Ok(check) = serde_json::from_str::<Check>(text) else {
        return Err(Problem::new(
            "the check returned no result",
            "update the builder: checks need BuildKit 0.15 or newer",
        )
        .because("the answer of the engine is not the result of a check"));
    };
    let warnings = check.warnings.unwrap_or_default();
    for warning in &warnings {
        let Warning {
            rule_name,
            detail,
            url,
            location,
        } = warning;
        let place = place(location.as_ref(), dockerfile);
        console.warning(place.as_ref(), &format!("{rule_name}: {detail} ({url})"));
    }
    if let Some(error) = check.build_error {
        let place = place(error.location.as_ref(), dockerfile);
        let fix = format!("correct `{dockerfile}`");
        return Err(Problem::new("the check found an error", fix)
            .because(error.message)
            .at(place));
    }
    match warnings.len() {
        0 => {
            console.say(&format!("the check of {dockerfile} found no problems"));
            Ok(())
        }
        found => Err(Problem::new(
            format!(
                "the check of `{dockerfile}` found {found} {}",
                if found == 1 { "warning" } else { "warnings" }
            ),
            "fix the warnings, or skip a rule with `# check=skip=RuleName` at the top of the file",
        )),
    }
}

fn place(location: Option<&Location>, dockerfile: &str) -> Option<FilePosition> {
    let line = location?.ranges.first()?.start.line;
    Some(FilePosition {
        file: dockerfile.to_owned(),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child;
    use crate::console::Console;
    use std::os::unix::fs::PermissionsExt;

    /// What becomes of an engine that says this and then nothing for ten seconds.
    async fn silent_after(progress: &str) -> Option<Failure> {
        let directory = tempfile::tempdir().unwrap();
        let buildx = directory.path().join("buildx");
        let script = format!("#!/bin/sh\necho '{progress}' >&2\nexec sleep 10\n");
        std::fs::write(&buildx, script).unwrap();
        std::fs::set_permissions(&buildx, std::fs::Permissions::from_mode(0o755)).unwrap();
        let progress = Progress::new(Console::NOWHERE, "Dockerfile".to_owned());
        let path = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let command = child::command(&buildx, &[], path, directory.path());
        let run = to_its_end(command, progress, Duration::from_millis(200));
        let ended = timeout(Duration::from_secs(4), run).await;
        ended.ok().and_then(|outcome| outcome.unwrap().failure)
    }

    #[tokio::test]
    async fn a_silent_push_or_export_is_stopped_and_a_silent_build_is_not() {
        let pushing = r#"{"statuses":[{"id":"pushing layers","vertex":"d"}]}"#;
        let failure = silent_after(pushing).await.unwrap();
        assert!(failure.while_pushing);
        assert_eq!(
            failure.cause,
            "the push made no progress for 0 seconds and was stopped"
        );
        let exporting = r#"{"vertexes":[{"digest":"c","name":"exporting cache to registry","started":"2026-01-01T00:00:00Z"}]}"#;
        let failure = silent_after(exporting).await.unwrap();
        assert!(failure.while_pushing);
        assert_eq!(
            failure.cause,
            "the export of the cache made no progress for 0 seconds and was stopped"
        );
        let building = r#"{"statuses":[{"id":"extracting","vertex":"d"}]}"#;
        assert_eq!(silent_after(building).await, None);
    }
}
