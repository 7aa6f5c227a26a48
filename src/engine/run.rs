//! One run of buildx, followed to its end.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::messages::Messages;
use super::progress::{Failure, Progress, Record};
use super::push_watch::PushWatch;

/// How a run of buildx ended.
pub(super) struct Ended {
    pub(super) record: Record,
    pub(super) failure: Option<Failure>,
    /// What stood on its standard output: the answer to a question.
    pub(super) answer: String,
}

/// Why there is nothing more to read.
enum End {
    Told,
    /// A push said nothing for too long, and was stopped.
    Silent,
}

/// The answer to a check names every line it is about, with its file.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// Runs buildx and tells its progress. A push that says nothing for `silence` is stopped, and counts as
/// one that failed.
pub(super) async fn to_its_end(
    mut command: Command,
    mut progress: Progress,
    silence: Duration,
) -> anyhow::Result<Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.as_std().get_program().to_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    let mut messages = Messages::new(child.stderr.take().expect("stderr is piped"));
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut watch = PushWatch::default();
    let (end, answer) = tokio::try_join!(
        read(
            &mut messages,
            &mut progress,
            &mut watch,
            &mut child,
            silence
        ),
        read_at_most(stdout, LONGEST_ANSWER)
    )?;
    let status = child.wait().await?;
    let (record, mut failure) = progress.finish();
    failure.while_pushing |= watch.has_failed();
    let failure = match end {
        End::Silent => Some(stopped(failure, silence)),
        End::Told => (!status.success()).then_some(failure),
    };
    Ok(Ended {
        record,
        failure,
        answer,
    })
}

/// Reads to the end, and lets `progress` know of every second in which nothing came.
async fn read(
    messages: &mut Messages<ChildStderr>,
    progress: &mut Progress,
    watch: &mut PushWatch,
    child: &mut Child,
    silence: Duration,
) -> anyhow::Result<End> {
    let beat = Duration::from_secs(1).min(silence);
    let mut quiet = Duration::ZERO;
    loop {
        match timeout(beat, messages.next()).await {
            Ok(line) => match line? {
                Some(line) => {
                    watch.line(line);
                    progress.line(line);
                }
                None => return Ok(End::Told),
            },
            Err(_nothing_came) => {
                quiet += beat;
                progress.idle(TimeDelta::from_std(quiet)?);
                if watch.is_pushing() && quiet >= silence {
                    child.start_kill()?;
                    return Ok(End::Silent);
                }
                continue;
            }
        }
        quiet = Duration::ZERO;
    }
}

/// A push that went silent is like one that failed.
fn stopped(failure: Failure, silence: Duration) -> Failure {
    let seconds = silence.as_secs();
    Failure {
        cause: format!("the push said nothing for {seconds} seconds and was stopped"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::child;
    use crate::workflow::{Console, Reader, Screen, Stream};
    use std::os::unix::fs::PermissionsExt;

    /// What becomes of an engine that says this and then nothing for ten seconds.
    async fn silent_after(progress: &str) -> Option<Failure> {
        let folder = tempfile::tempdir().unwrap();
        let buildx = folder.path().join("buildx");
        let script = format!("#!/bin/sh\necho '{progress}' >&2\nexec sleep 10\n");
        std::fs::write(&buildx, script).unwrap();
        std::fs::set_permissions(&buildx, std::fs::Permissions::from_mode(0o755)).unwrap();
        let console = Console {
            reader: Reader::Person(Screen::Paper),
            stream: Stream::Nowhere,
        };
        let progress = Progress::new(console, "Dockerfile".to_owned());
        let path = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let command = child::command(&buildx, &[], path, folder.path());
        let run = to_its_end(command, progress, Duration::from_millis(200));
        let ended = timeout(Duration::from_secs(4), run).await;
        ended.ok().and_then(|outcome| outcome.unwrap().failure)
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
