//! `Fault`: something that goes wrong, when, and how often.

use std::time::{Duration, Instant};

use crate::github::denial::Denial;
use crate::http::response::Answer;
use crate::http::route::Endpoint;

/// A scripted fault: an endpoint, an effect, and a limit; one time unless told otherwise.
///
/// The first fault of the script that matches a request and is not used up spoils it.
#[derive(Clone, Debug)]
pub struct Fault {
    endpoint: Endpoint,
    host: Option<String>,
    part: Option<String>,
    method: Option<String>,
    skip: u32,
    limit: Limit,
    pub(crate) delay: Option<Duration>,
    /// Headers to set, or to take away, on the answer.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) effect: Effect,
}

#[derive(Clone, Debug)]
enum Limit {
    Times(u32),
    For(Duration),
    Always,
}

/// What happens to the request.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// It is served; only the delay and the headers apply.
    Serve,
    /// It is not served, this is the answer.
    Answer(Answer),
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed (FIN): an EOF for the client.
    Close,
    /// This much of the request's body is read, then the connection is reset.
    CutUpload(usize),
    /// It is served, then the connection is reset instead of answering.
    ResetAfterServing,
    /// It is served, and the body of the answer ends half-way.
    CutAnswer,
    /// The tag's previous manifest is read.
    Stale,
    /// What was just put is not there yet.
    Missing,
}

impl Fault {
    /// A fault on one class of requests; without an effect it changes nothing.
    #[must_use]
    pub fn on(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            host: None,
            part: None,
            method: None,
            skip: 0,
            limit: Limit::Times(1),
            delay: None,
            headers: Vec::new(),
            effect: Effect::Serve,
        }
    }

    /// Only requests to this host name, given without a port.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }

    /// Only requests whose path contains this text, for example `/manifests/latest`.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.part = Some(part.to_owned());
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Spoils this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.limit = Limit::Times(times);
        self
    }

    /// Spoils every request from the first match on, for this long: an outage.
    #[must_use]
    pub fn lasting(mut self, period: Duration) -> Self {
        self.limit = Limit::For(period);
        self
    }

    /// Spoils every matching request.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.limit = Limit::Always;
        self
    }

    /// Answers with this status, and an empty body unless `body` gives one.
    #[must_use]
    pub fn answer(self, status: u16) -> Self {
        self.effect(Effect::Answer(Answer::new(status)))
    }

    /// Answers with an error of the distribution specification.
    #[must_use]
    pub fn error(self, status: u16, code: &str, message: &str) -> Self {
        self.effect(Effect::Answer(Answer::error(status, code, message)))
    }

    /// Answers with a refusal of GHCR.
    #[must_use]
    pub fn deny(self, denial: &Denial) -> Self {
        self.effect(Effect::Answer(Answer::denied(denial)))
    }

    /// The body of the scripted answer.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: &str) -> Self {
        if let Effect::Answer(answer) = &mut self.effect {
            answer.set_header("content-type", media_type);
            answer.body = body.to_owned().into();
        }
        self
    }

    /// Sets a header of the answer, scripted or served.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Takes a header away from the answer, scripted or served.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// Serves the request and lies in `Docker-Content-Digest`.
    #[must_use]
    pub fn lie_about_digest(self) -> Self {
        let digest = format!("sha256:{}", "0".repeat(64));
        self.header("docker-content-digest", &digest)
    }

    /// Waits this long before the effect.
    #[must_use]
    pub fn hang(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Resets the connection (`ECONNRESET` for the client); nothing is stored.
    #[must_use]
    pub fn reset(self) -> Self {
        self.effect(Effect::Reset)
    }

    /// Closes the connection without an answer (`EOF` for the client); nothing is stored.
    #[must_use]
    pub fn close(self) -> Self {
        self.effect(Effect::Close)
    }

    /// Reads this many bytes of the request's body, then resets the connection.
    #[must_use]
    pub fn cut_upload(self, bytes: usize) -> Self {
        self.effect(Effect::CutUpload(bytes))
    }

    /// Stores what was sent, then resets the connection: GHCR logs a 201, the client sees a reset.
    #[must_use]
    pub fn reset_after_serving(self) -> Self {
        self.effect(Effect::ResetAfterServing)
    }

    /// Ends the body of the answer half-way.
    #[must_use]
    pub fn cut_answer(self) -> Self {
        self.effect(Effect::CutAnswer)
    }

    /// Reads of a tag that moved since this was scripted serve its previous manifest.
    #[must_use]
    pub fn stale(self) -> Self {
        self.effect(Effect::Stale)
    }

    /// Reads of a manifest that was put since this was scripted answer `MANIFEST_UNKNOWN`.
    #[must_use]
    pub fn missing(self) -> Self {
        self.effect(Effect::Missing)
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    fn concerns(&self, request: &Request<'_>) -> bool {
        (self.endpoint == Endpoint::Any || self.endpoint == request.endpoint)
            && self
                .host
                .as_deref()
                .is_none_or(|host| is_host(request.host, host))
            && self
                .part
                .as_deref()
                .is_none_or(|part| request.path.contains(part))
            && self
                .method
                .as_deref()
                .is_none_or(|method| request.method.eq_ignore_ascii_case(method))
    }
}

/// Is this what a client calls that host, with or without a port?
fn is_host(asked: &str, name: &str) -> bool {
    let host = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
    host.eq_ignore_ascii_case(name)
}

/// What the script needs to know about a request.
pub(crate) struct Request<'a> {
    pub(crate) host: &'a str,
    pub(crate) endpoint: Endpoint,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// The faults that are still to come, in the order they were scripted.
#[derive(Debug, Default)]
pub(crate) struct Script {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    fault: Fault,
    /// The moment of the store when it was scripted.
    moment: u64,
    since: Option<Instant>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault, moment: u64) {
        self.lines.push(Line {
            fault,
            moment,
            since: None,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// The fault that spoils this request; `written_since` tells whether what it reads was put after a moment.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        now: Instant,
        written_since: impl Fn(u64) -> bool,
    ) -> Option<Fault> {
        let line = self
            .lines
            .iter_mut()
            .filter(|line| line.fault.concerns(request))
            .filter(|line| match line.fault.effect {
                Effect::Stale | Effect::Missing => written_since(line.moment),
                _ => true,
            })
            .find_map(|line| line.strike(now).then_some(line));
        line.map(|line| line.fault.clone())
    }
}

impl Line {
    /// Counts the request; true when it is to be spoiled.
    fn strike(&mut self, now: Instant) -> bool {
        if let Some(skip) = self.fault.skip.checked_sub(1) {
            self.fault.skip = skip;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        match &mut self.fault.limit {
            Limit::Always => true,
            Limit::For(period) => now.duration_since(since) < *period,
            Limit::Times(left) => {
                let strikes = *left > 0;
                *left = left.saturating_sub(1);
                strikes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Request, Script};
    use crate::http::route::Endpoint;
    use std::time::{Duration, Instant};

    /// At which of ten requests, a second apart, the fault strikes.
    fn strikes(fault: Fault) -> Vec<u64> {
        let mut script = Script::default();
        script.add(fault, 0);
        let start = Instant::now();
        let request = Request {
            host: "127.0.0.1:5000",
            endpoint: Endpoint::TagPut,
            method: "PUT",
            path: "/v2/o/r/manifests/latest",
        };
        (0..10)
            .filter(|second| {
                let now = start + Duration::from_secs(*second);
                script.take(&request, now, |_| true).is_some()
            })
            .collect()
    }

    #[track_caller]
    fn check(fault: Fault, expected: &[u64]) {
        assert_eq!(strikes(fault), expected);
    }

    #[test]
    fn limits() {
        let fault = || Fault::on(Endpoint::TagPut).answer(500);
        check(fault(), &[0]);
        check(fault().times(3), &[0, 1, 2]);
        check(fault().after(4).times(2), &[4, 5]);
        check(fault().after(2).lasting(Duration::from_secs(3)), &[2, 3, 4]);
        check(fault().after(7).always(), &[7, 8, 9]);
    }

    #[test]
    fn filters() {
        check(Fault::on(Endpoint::Any).reset(), &[0]);
        check(Fault::on(Endpoint::ManifestPut).reset(), &[]);
        check(Fault::on(Endpoint::TagPut).path("/latest").reset(), &[0]);
        check(Fault::on(Endpoint::TagPut).path("/other").reset(), &[]);
        check(Fault::on(Endpoint::TagPut).method("POST").reset(), &[]);
    }
}
