//! What an object of `--progress=rawjson` says: BuildKit's `SolveStatus`
//! (<https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>), the fields that are shown.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::engine) struct Status<'a> {
    #[serde(borrow)]
    pub(in crate::engine) vertexes: Vec<Vertex<'a>>,
    #[serde(borrow)]
    pub(in crate::engine) statuses: Vec<Activity<'a>>,
    #[serde(borrow)]
    pub(in crate::engine) logs: Vec<Log<'a>>,
    #[serde(borrow)]
    pub(in crate::engine) warnings: Vec<Warning<'a>>,
}

/// A step; sent again whenever something about it changes.
#[derive(Deserialize)]
pub(in crate::engine) struct Vertex<'a> {
    #[serde(borrow)]
    pub(in crate::engine) digest: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(in crate::engine) name: Cow<'a, str>,
    pub(in crate::engine) started: Option<DateTime<Utc>>,
    pub(in crate::engine) completed: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(in crate::engine) cached: bool,
    #[serde(default, borrow)]
    pub(in crate::engine) error: Cow<'a, str>,
}

/// What a step is doing, for example `pushing layers`, and how far it is.
#[derive(Deserialize)]
pub(in crate::engine) struct Activity<'a> {
    #[serde(borrow)]
    pub(in crate::engine) id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(in crate::engine) vertex: Cow<'a, str>,
    /// Bytes, of those things that have a size.
    #[serde(default)]
    pub(in crate::engine) current: u64,
    pub(in crate::engine) timestamp: Option<DateTime<Utc>>,
    pub(in crate::engine) started: Option<DateTime<Utc>>,
    pub(in crate::engine) completed: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(in crate::engine) struct Log<'a> {
    #[serde(borrow)]
    pub(in crate::engine) vertex: Cow<'a, str>,
    /// Base64.
    #[serde(default, borrow)]
    pub(in crate::engine) data: Cow<'a, str>,
    pub(in crate::engine) timestamp: Option<DateTime<Utc>>,
}

/// A finding of BuildKit's checks of the Dockerfile; the texts are base64.
#[derive(Deserialize)]
pub(in crate::engine) struct Warning<'a> {
    #[serde(default, borrow)]
    pub(in crate::engine) short: Cow<'a, str>,
    #[serde(default)]
    pub(in crate::engine) detail: Vec<String>,
    #[serde(default, borrow)]
    pub(in crate::engine) url: Cow<'a, str>,
    #[serde(default)]
    pub(in crate::engine) range: Vec<Range>,
    #[serde(rename = "sourceInfo")]
    pub(in crate::engine) source: Option<Source>,
}

#[derive(Deserialize)]
pub(in crate::engine) struct Range {
    pub(in crate::engine) start: Position,
}

#[derive(Deserialize)]
pub(in crate::engine) struct Position {
    #[serde(default)]
    pub(in crate::engine) line: u32,
}

#[derive(Deserialize)]
pub(in crate::engine) struct Source {
    #[serde(default)]
    pub(in crate::engine) filename: String,
}

impl Status<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.vertexes.is_empty()
            && self.statuses.is_empty()
            && self.logs.is_empty()
            && self.warnings.is_empty()
    }

    /// The engine's clock, as far as this message knows it.
    pub(in crate::engine) fn time(&self) -> Option<DateTime<Utc>> {
        let steps = self
            .vertexes
            .iter()
            .flat_map(|vertex| [vertex.started, vertex.completed]);
        let activities = self.statuses.iter().map(|activity| activity.timestamp);
        let logs = self.logs.iter().map(|log| log.timestamp);
        steps.chain(activities).chain(logs).flatten().max()
    }
}
