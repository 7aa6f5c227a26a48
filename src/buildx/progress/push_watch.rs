//! Whether the engine is pushing the image or exporting the cache, from its rawjson progress. One that is silent for
//! too long is stopped, and a failure while pushing is another kind of failure than one of the build.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::buildx::progress::messages::{Message, Vertex};
use crate::image::name::ImageName;
use crate::plan::build::BuildRequest;

/// How long a push or a cache export may report no progress.
pub(crate) const SILENCE: Duration = Duration::from_secs(5 * 60);

/// Follows the messages of a build and knows what is being sent.
#[derive(Debug, Default)]
pub(crate) struct PushWatch {
    /// The steps in which something is pushed, and that have not ended.
    pushing: BTreeSet<String>,
    /// The steps in which the cache is exported, and that have not ended.
    exporting: BTreeSet<String>,
    failed: bool,
}

impl PushWatch {
    pub(crate) fn see(&mut self, message: &Message<'_>) {
        let Message::Status(status) = message else {
            return;
        };
        for part in &status.statuses {
            if part.id.starts_with("pushing ") {
                self.pushing.insert(part.vertex.clone().into_owned());
            }
        }
        status
            .vertexes
            .iter()
            .for_each(|vertex| self.vertex(vertex));
    }

    /// The docker driver with a graph driver pushes in a step of its own, "pushing … with docker".
    fn vertex(&mut self, vertex: &Vertex<'_>) {
        if vertex.started.is_some() && vertex.name.starts_with("pushing ") {
            self.pushing.insert(vertex.digest.clone().into_owned());
        }
        if vertex.started.is_some() && is_export_of_cache(&vertex.name) {
            self.exporting.insert(vertex.digest.clone().into_owned());
        }
        if vertex.completed.is_some() {
            self.exporting.remove(&*vertex.digest);
            let was_pushing = self.pushing.remove(&*vertex.digest);
            self.failed |= was_pushing && !vertex.error.is_empty();
        }
    }

    /// The transfer in progress; silence during it means a hanging connection.
    pub(crate) fn sends(&self) -> Option<&'static str> {
        if !self.pushing.is_empty() {
            Some("the push")
        } else if !self.exporting.is_empty() {
            Some("the export of the cache")
        } else {
            None
        }
    }

    /// Whether it was a push that failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }
}

/// The names that BuildKit gives its exporters of caches
/// (<https://github.com/moby/buildkit/tree/v0.25.1/cache/remotecache>).
pub(crate) fn is_export_of_cache(name: &str) -> bool {
    name.starts_with("exporting cache to ") || name == "exporting to GitHub Actions Cache"
}

/// The name of the step in which BuildKit reads a cache. It never fails a build.
pub(crate) fn is_import_of_cache(name: &str) -> bool {
    name.starts_with("importing cache manifest from ")
}

/// The image was built, but a registry refused it.
#[derive(Debug)]
pub(crate) struct PushFailed {
    /// The message of buildx.
    pub(crate) cause: String,
}

impl PushFailed {
    /// The name that was refused: the engine pushes one after the other and says which one failed.
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

impl PushFailed {
    /// The end of the message, such as `503 Service Unavailable`.
    pub(crate) fn reason(&self) -> &str {
        self.cause.rsplit(": ").next().unwrap_or(&self.cause)
    }
}

impl fmt::Display for PushFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for PushFailed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::progress::messages::Decoder;

    #[track_caller]
    fn check(lines: &[&str], sends: Option<&str>, failed: bool) {
        let mut watch = PushWatch::default();
        let mut decoder = Decoder::default();
        let mut each = |message: Message<'_>| watch.see(&message);
        decoder.push(lines.join("\n").as_bytes(), &mut each);
        decoder.finish(&mut each);
        assert_eq!((watch.sends(), watch.has_failed()), (sends, failed));
    }

    const STARTED: &str = r#"{"vertexes":[{"digest":"d","name":"exporting to image","started":"2026-01-01T00:00:00Z"}]}"#;
    const PUSHES: &str =
        r#"{"statuses":[{"id":"pushing layers","vertex":"d","started":"2026-01-01T00:00:00Z"}]}"#;
    const FAILED: &str = r#"{"vertexes":[{"digest":"d","name":"exporting to image","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"failed to push x"}]}"#;

    #[test]
    fn an_export_becomes_a_push_when_layers_are_pushed() {
        check(&[STARTED], None, false);
        check(&[STARTED, PUSHES], Some("the push"), false);
        check(&[STARTED, PUSHES, FAILED], None, true);
        check(&[STARTED, FAILED], None, false);
        check(&["ERROR: failed to build"], None, false);
    }

    #[test]
    fn a_graph_driver_pushes_in_a_step_of_its_own() {
        let step = |rest: &str| {
            format!(
                r#"{{"vertexes":[{{"digest":"p","name":"pushing ghcr.io/a/b:1 with docker","started":"2026-01-01T00:00:00Z"{rest}}}]}}"#
            )
        };
        check(&[&step("")], Some("the push"), false);
        let refused = step(r#","completed":"2026-01-01T00:00:01Z","error":"denied: denied""#);
        check(&[&step(""), &refused], None, true);
        let pushed = step(r#","completed":"2026-01-01T00:00:01Z""#);
        check(&[&step(""), &pushed], None, false);
    }

    #[test]
    fn an_export_of_the_cache_is_watched_until_it_ends() {
        for name in [
            "exporting cache to registry",
            "exporting to GitHub Actions Cache",
        ] {
            let started =
                r#"{"vertexes":[{"digest":"c","name":"NAME","started":"2026-01-01T00:00:00Z""#;
            let started = started.replace("NAME", name);
            let going_on = format!("{started}}}]}}");
            let failed =
                format!(r#"{started},"completed":"2026-01-01T00:00:01Z","error":"x"}}]}}"#);
            check(&[&going_on], Some("the export of the cache"), false);
            check(&[&going_on, &failed], None, false);
        }
    }
}
