//! `Fault`: a failure that a test scripts, with the requests that it applies to and how often.

use std::time::{Duration, Instant};

use crate::github::denial::Denial;
use crate::http::endpoint::Endpoint;
use crate::http::request::Seen;
use crate::http::response::Response;

/// A scripted fault: an endpoint, an effect, and a limit, by default one request.
///
/// The first fault in the script that matches a request and has not reached its limit applies to it.
#[derive(Clone, Debug)]
pub struct Fault {
    endpoint: Endpoint,
    host: Option<String>,
    path_part: Option<String>,
    method: Option<String>,
    skip: u32,
    limit: Limit,
    pub(crate) delay: Option<Duration>,
    /// Headers to set in the response, or to remove from it.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) effect: Effect,
}

#[derive(Clone, Debug)]
enum Limit {
    Times(u32),
    For(Duration),
    Always,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// The handler serves it; only the delay and the headers apply.
    Serve,
    /// The double sends this response without calling the handler.
    Respond(Response),
    /// The double resets the connection (RST).
    Reset,
    /// The double closes the connection (FIN): the client gets EOF.
    Close,
    /// The double reads this many bytes of the body, then resets the connection.
    CutUpload(usize),
    /// The handler serves it, then the double resets the connection instead of responding.
    ResetAfterServing,
    /// The handler serves it, but the body of the response ends after half of its length.
    CutAnswer,
    /// The handler reads the previous manifest of the tag, or lists the versions as they were when the fault was added.
    Stale,
    /// The handler lists a tag that moved also on the version that it left.
    MovedTagsTwice,
    /// The registry does not know the manifest that was just put.
    Missing,
    /// The handler serves it, but the inclusion proof of the log entry is wrong.
    BadInclusion,
}

impl Fault {
    /// A fault for one class of requests. It has no effect until a method below sets one.
    #[must_use]
    pub fn on(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            host: None,
            path_part: None,
            method: None,
            skip: 0,
            limit: Limit::Times(1),
            delay: None,
            headers: Vec::new(),
            effect: Effect::Serve,
        }
    }

    /// Applies only to requests to this host name (without a port).
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }

    /// Applies only to requests whose path contains this text, for example `/manifests/latest`.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path_part = Some(part.to_owned());
        self
    }

    /// Applies only to requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Skips this many matching requests first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.limit = Limit::Times(times);
        self
    }

    /// Applies to every matching request from the first one on, for this long: an outage.
    #[must_use]
    pub fn lasting(mut self, period: Duration) -> Self {
        self.limit = Limit::For(period);
        self
    }

    /// Applies to every matching request.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.limit = Limit::Always;
        self
    }

    /// Responds with this status, and an empty body unless `body` sets one.
    #[must_use]
    pub fn answer(self, status: u16) -> Self {
        self.effect(Effect::Respond(Response::new(status)))
    }

    /// Responds with an error in the form of the distribution specification.
    #[must_use]
    pub fn error(self, status: u16, code: &str, message: &str) -> Self {
        self.effect(Effect::Respond(Response::error(status, code, message)))
    }

    /// Responds with a refusal of GHCR.
    #[must_use]
    pub fn deny(self, denial: &Denial) -> Self {
        self.effect(Effect::Respond(Response::denied(denial)))
    }

    /// Sets the body of the scripted response.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: &str) -> Self {
        if let Effect::Respond(response) = &mut self.effect {
            response.set_header("content-type", media_type);
            response.body = body.to_owned().into();
        }
        self
    }

    /// Sets a header of the response, whether scripted or from the handler.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Removes a header from the response, whether scripted or from the handler.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// Serves the request with a wrong `Docker-Content-Digest`.
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

    /// Resets the connection (the client gets `ECONNRESET`); nothing is stored.
    #[must_use]
    pub fn reset(self) -> Self {
        self.effect(Effect::Reset)
    }

    /// Closes the connection without a response (the client gets EOF); nothing is stored.
    #[must_use]
    pub fn close(self) -> Self {
        self.effect(Effect::Close)
    }

    /// Reads this many bytes of the body of the request, then resets the connection.
    #[must_use]
    pub fn cut_upload(self, bytes: usize) -> Self {
        self.effect(Effect::CutUpload(bytes))
    }

    /// Stores what was sent, then resets the connection, as when GHCR logs a 201 and the client gets a reset.
    #[must_use]
    pub fn reset_after_serving(self) -> Self {
        self.effect(Effect::ResetAfterServing)
    }

    /// Ends the body of the response after half of its length.
    #[must_use]
    pub fn cut_answer(self) -> Self {
        self.effect(Effect::CutAnswer)
    }

    /// Serves the previous manifest of a tag that was moved after this fault was added. Lists the versions of a package
    /// as they were when the last such fault was added.
    #[must_use]
    pub fn stale(self) -> Self {
        self.effect(Effect::Stale)
    }

    /// Lists each tag that moved also on the version that it left, as GitHub's list of versions does for a moment
    /// (kairos-io/kairos, `ghcr-prune`).
    #[must_use]
    pub fn moved_tags_twice(self) -> Self {
        self.effect(Effect::MovedTagsTwice)
    }

    /// Responds as the API does to too many requests at once. GitHub may add `retry-after`.
    ///
    /// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>
    #[must_use]
    pub fn secondary_limit(self) -> Self {
        self.effect(Effect::Respond(Response::secondary_limit()))
    }

    /// Whether it serves the versions as they are now.
    pub(crate) fn keeps_versions(&self) -> bool {
        self.endpoint == Endpoint::VersionList && matches!(self.effect, Effect::Stale)
    }

    /// Responds `MANIFEST_UNKNOWN` to reads of a manifest that was put after this fault was added.
    #[must_use]
    pub fn missing(self) -> Self {
        self.effect(Effect::Missing)
    }

    /// Serves a log entry with an inclusion proof of another entry.
    #[must_use]
    pub fn bad_inclusion(self) -> Self {
        self.effect(Effect::BadInclusion)
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    fn matches(&self, request: &Seen) -> bool {
        let host = request.host.rsplit_once(':');
        let host = host.map_or(request.host.as_str(), |(host, _port)| host);
        (self.endpoint == Endpoint::Any || self.endpoint == request.endpoint)
            && (self.host.iter()).all(|wanted| wanted.eq_ignore_ascii_case(host))
            && (self.path_part.iter()).all(|part| request.path.contains(part))
            && (self.method.iter()).all(|method| method.eq_ignore_ascii_case(&request.method))
    }
}

/// The scripted faults, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Script {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    /// How many writes the store had when the fault was added.
    writes: u64,
    first_match: Option<Instant>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault, writes: u64) {
        self.entries.push(Entry {
            fault,
            writes,
            first_match: None,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The fault that applies to this request; `written_since` says whether the manifest that it reads was put after
    /// that many writes of the store.
    pub(crate) fn take(
        &mut self,
        request: &Seen,
        now: Instant,
        written_since: impl Fn(u64) -> bool,
    ) -> Option<Fault> {
        let entry = self
            .entries
            .iter_mut()
            .filter(|entry| entry.fault.matches(request))
            .filter(|entry| match entry.fault.effect {
                Effect::Stale | Effect::Missing => written_since(entry.writes),
                _ => true,
            })
            .find_map(|entry| entry.applies(now).then_some(entry));
        entry.map(|entry| entry.fault.clone())
    }
}

impl Entry {
    /// Counts the request; true when the fault applies to it.
    fn applies(&mut self, now: Instant) -> bool {
        if let Some(skip) = self.fault.skip.checked_sub(1) {
            self.fault.skip = skip;
            return false;
        }
        let first_match = *self.first_match.get_or_insert(now);
        match &mut self.fault.limit {
            Limit::Always => true,
            Limit::For(period) => now.duration_since(first_match) < *period,
            Limit::Times(left) => {
                let applies = *left > 0;
                *left = left.saturating_sub(1);
                applies
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Fault, Script, Seen};
    use crate::http::request::Credential;
    use std::time::{Duration, Instant};

    /// Those of ten requests, a second apart, to which the fault applies.
    fn affected(fault: Fault) -> Vec<u64> {
        let mut script = Script::default();
        script.add(fault, 0);
        let start = Instant::now();
        let request = Seen {
            method: "PUT".to_owned(),
            host: "127.0.0.1:5000".to_owned(),
            path: "/v2/o/r/manifests/latest".to_owned(),
            query: String::new(),
            endpoint: Endpoint::TagPut,
            credential: Credential::None,
            status: None,
            at: Duration::ZERO,
            arrived: 0,
            responded: None,
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
        assert_eq!(affected(fault), expected);
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
