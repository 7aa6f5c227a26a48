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
use super::push_watch::{PushWatch, SILENCE};

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

/// Runs buildx and tells its progress.
pub(super) async fn to_its_end(
    mut command: Command,
    mut progress: Progress,
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
        read(&mut messages, &mut progress, &mut watch, &mut child),
        read_at_most(stdout, LONGEST_ANSWER)
    )?;
    let status = child.wait().await?;
    let (record, mut failure) = progress.finish();
    failure.while_pushing |= watch.has_failed();
    let failure = match end {
        End::Silent => Some(stopped(failure)),
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
) -> anyhow::Result<End> {
    let second = Duration::from_secs(1);
    let mut quiet = TimeDelta::zero();
    loop {
        match timeout(second, messages.next()).await {
            Ok(line) => match line? {
                Some(line) => {
                    watch.line(line);
                    progress.line(line);
                }
                None => return Ok(End::Told),
            },
            Err(_nothing_came) => {
                quiet += TimeDelta::seconds(1);
                progress.idle(quiet);
                if watch.is_pushing() && quiet.to_std().is_ok_and(|quiet| quiet >= SILENCE) {
                    child.start_kill()?;
                    return Ok(End::Silent);
                }
                continue;
            }
        }
        quiet = TimeDelta::zero();
    }
}

/// A push that went silent is like one that failed.
fn stopped(failure: Failure) -> Failure {
    let minutes = SILENCE.as_secs() / 60;
    Failure {
        cause: format!("the push said nothing for {minutes} minutes and was stopped"),
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
