//! Debug lines: every HTTP exchange, every program that is started, every decision about a tag.
//!
//! They go through the crate `log`, so that what logs needs no console. Lines of other crates are dropped: theirs
//! may show headers.

use std::fmt;
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};
use reqwest::header::HeaderMap;
use reqwest::{Method, Request, StatusCode, Url};

use crate::console::{Console, Reader, Stream, Tone, escape_data, harmless_lines};

struct DebugLog {
    console: Console,
    is_asked: bool,
}

/// From now on, debug lines are shown: on stderr if the user asked for them; else, to a runner, as its debug
/// messages.
pub(crate) fn show(console: Console, is_asked: bool) {
    let logger = DebugLog { console, is_asked };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

impl Log for DebugLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = harmless_lines(&record.args().to_string());
        let console = self.console;
        if console.reader == Reader::Runner && !self.is_asked {
            return console.emit(&format!("::debug::{}\n", escape_data(&text)));
        }
        let stream = Stream::Stderr;
        let console = Console { stream, ..console };
        console.say_as(Tone::Aside, &format!("debug: {text}"));
    }

    fn flush(&self) {}
}

/// An HTTP request that is under way. One debug line tells its end, also when nothing waits for it any more.
pub(crate) struct Exchange {
    method: Method,
    url: String,
    attempt: u32,
    start: Instant,
    outcome: String,
}

/// The query parameters whose values are shown; any other may be a signature or a token.
const SHOWN_PARAMETERS: &[&str] = &[
    "artifactType",
    "digest",
    "from",
    "last",
    "mount",
    "n",
    "page",
    "per_page",
    "predicate_type",
    "scope",
    "service",
];
/// The headers by which a server's operator finds a request.
const REQUEST_ID: &[&str] = &["x-github-request-id", "x-request-id"];

impl Exchange {
    pub(crate) fn start(method: &Method, url: &str, attempt: u32) -> Self {
        Self {
            method: method.clone(),
            url: url.to_owned(),
            attempt,
            start: Instant::now(),
            outcome: "cancelled".to_owned(),
        }
    }

    pub(crate) fn of(request: &Request, attempt: u32) -> Self {
        Self::start(request.method(), request.url().as_str(), attempt)
    }

    /// The end of a request that reqwest sent.
    pub(crate) fn end(self, sent: Result<&reqwest::Response, &dyn fmt::Display>) {
        match sent {
            Ok(response) => {
                let target = Some(response.url()).filter(|url| url.as_str() != self.url);
                self.answered(response.status(), response.headers(), target);
            }
            Err(error) => self.failed(error),
        }
    }

    /// `target` is where redirects led.
    pub(crate) fn answered(
        mut self,
        status: StatusCode,
        headers: &HeaderMap,
        target: Option<&Url>,
    ) {
        let id = REQUEST_ID
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok());
        let id = id
            .map(|id| format!(", request id {id}"))
            .unwrap_or_default();
        let target = target.map(|url| format!(", redirected to {}", redacted(url.as_str())));
        let (status, target) = (status.as_u16(), target.unwrap_or_default());
        self.outcome = format!("{status}{id}{target}");
    }

    pub(crate) fn failed(mut self, error: impl fmt::Display) {
        self.outcome = format!("no response: {error}");
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Self {
            method,
            attempt,
            outcome,
            ..
        } = self;
        let time = self.start.elapsed().as_millis();
        log::debug!(
            "{method} {} ({time} ms, attempt {attempt}): {outcome}",
            redacted(&self.url)
        );
    }
}

/// `url` without credentials, and without the values of parameters that may be secret.
pub(crate) fn redacted(url: &str) -> String {
    let url = Url::parse(url).ok().filter(Url::has_host);
    let Some(mut url) = url else {
        return "***".to_owned();
    };
    // Only a URL without a host cannot have credentials.
    let _has_host = url.set_username("");
    let _has_host = url.set_password(None);
    url.set_fragment(None);
    let query = url.query().map(|query| {
        let parameters = query
            .split('&')
            .map(|parameter| match parameter.split_once('=') {
                Some((name, _)) if SHOWN_PARAMETERS.contains(&name) => parameter.to_owned(),
                Some((name, _)) => format!("{name}=***"),
                None => "***".to_owned(),
            });
        parameters.collect::<Vec<_>>().join("&")
    });
    url.set_query(query.as_deref());
    url.to_string()
}

/// The options whose values are shown; any other value may be secret.
const SHOWN_OPTIONS: &[&str] = &[
    "--builder",
    "--buildkitd-config",
    "--driver",
    "--file",
    "--iidfile",
    "--metadata-file",
    "--name",
    "--node",
    "--output",
    "--platform",
    "--progress",
    "--tag",
    "--target",
];

/// A command line without what may be secret.
pub(crate) fn redacted_command(program: &std::path::Path, arguments: &[String]) -> String {
    let arguments = arguments.iter().map(|argument| {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        match name {
            // The context of a build may be a URL with a token.
            _ if !name.starts_with("--") && argument.contains("://") => redacted(argument),
            "--build-arg" | "--secret" => {
                let key = value.split_once('=').map(|(key, _)| format!("{key}="));
                format!("{name}={}***", key.unwrap_or_default())
            }
            _ if !name.starts_with("--") || value.is_empty() || SHOWN_OPTIONS.contains(&name) => {
                argument.clone()
            }
            _ => format!("{name}=***"),
        }
    });
    let words: Vec<String> = arguments.collect();
    format!("{} {}", program.display(), words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn lines_of_other_crates_are_dropped() {
        let log = DebugLog {
            console: Console::NOWHERE,
            is_asked: false,
        };
        let shows = |target| log.enabled(&Metadata::builder().target(target).build());
        assert!(shows(module_path!()));
        assert!(!shows("reqwest::connect") && !shows("octocrab"));
    }

    #[test]
    fn url_is_shown_without_signatures_and_credentials() {
        for (url, expected) in [
            (
                "https://ghcr.io/v2/acme/widget/tags/list?n=1000&last=v1",
                "https://ghcr.io/v2/acme/widget/tags/list?n=1000&last=v1",
            ),
            (
                "https://ghcr.io/token?service=ghcr.io&scope=repository%3Aacme%2Fwidget%3Apull",
                "https://ghcr.io/token?service=ghcr.io&scope=repository%3Aacme%2Fwidget%3Apull",
            ),
            (
                "https://store.example/ghcr1/blobs/sha256:aa?se=2026&sig=hunter2%3D&digest=x",
                "https://store.example/ghcr1/blobs/sha256:aa?se=***&sig=***&digest=x",
            ),
            (
                "https://joe:hunter2@git.example:8443/x?hunter2#hunter2",
                "https://git.example:8443/x?***",
            ),
            ("joe:hunter2@git.example", "***"),
            ("hunter2", "***"),
        ] {
            assert_eq!(redacted(url), expected);
        }
    }

    #[test]
    fn command_line_is_shown_without_what_may_be_secret() {
        let arguments = [
            "build",
            "--progress=rawjson",
            "--platform=linux/amd64",
            "--build-arg=TOKEN=hunter2",
            "--build-arg=hunter2",
            "--secret=id=npm,src=/tmp/hunter2",
            "--cache-to=type=s3,secret_access_key=hunter2",
            "--driver-opt=env.HTTPS_PROXY=http://joe:hunter2@proxy.example",
            "--new-option=hunter2",
            "--push",
            "--",
            "https://joe:hunter2@git.example/x.git#main:app",
        ];
        let arguments = arguments.map(str::to_owned);
        let shown = redacted_command(Path::new("/usr/bin/buildx"), &arguments);
        assert_eq!(
            shown,
            "/usr/bin/buildx build --progress=rawjson --platform=linux/amd64 --build-arg=TOKEN=*** --build-arg=*** \
             --secret=id=*** --cache-to=*** --driver-opt=*** --new-option=*** --push -- https://git.example/x.git"
        );
    }
}
