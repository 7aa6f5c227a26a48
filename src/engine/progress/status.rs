//! What a line of `--progress=rawjson` says: BuildKit's `SolveStatus`
//! (<https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>), the fields that are shown.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) vertexes: Vec<Vertex<'a>>,
    #[serde(borrow)]
    pub(super) statuses: Vec<Activity<'a>>,
    #[serde(borrow)]
    pub(super) logs: Vec<Log<'a>>,
    #[serde(borrow)]
    pub(super) warnings: Vec<Warning<'a>>,
}

/// A step; sent again whenever something about it changes.
#[derive(Deserialize)]
pub(super) struct Vertex<'a> {
    #[serde(borrow)]
    pub(super) digest: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) name: Cow<'a, str>,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) completed: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) cached: bool,
    #[serde(default, borrow)]
    pub(super) error: Cow<'a, str>,
}

/// What a step is doing, for example `pushing layers`, and how far it is.
#[derive(Deserialize)]
pub(super) struct Activity<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) vertex: Cow<'a, str>,
    /// Bytes, of those things that have a size.
    #[serde(default)]
    pub(super) current: u64,
    pub(super) timestamp: Option<DateTime<Utc>>,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) completed: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow)]
    pub(super) vertex: Cow<'a, str>,
    /// Base64.
    #[serde(default, borrow)]
    pub(super) data: Cow<'a, str>,
    pub(super) timestamp: Option<DateTime<Utc>>,
}

/// A finding of BuildKit's checks of the Dockerfile; the texts are base64.
#[derive(Deserialize)]
pub(super) struct Warning<'a> {
    #[serde(default, borrow)]
    pub(super) short: Cow<'a, str>,
    #[serde(default)]
    pub(super) detail: Vec<String>,
    #[serde(default, borrow)]
    pub(super) url: Cow<'a, str>,
    #[serde(default)]
    pub(super) range: Vec<Range>,
    #[serde(rename = "sourceInfo")]
    pub(super) source: Option<Source>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    pub(super) start: Position,
}

#[derive(Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    pub(super) line: u32,
}

#[derive(Deserialize)]
pub(super) struct Source {
    #[serde(default)]
    pub(super) filename: String,
}

impl Status<'_> {
    /// The engine's clock, as far as this message knows it.
    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        let steps = self
            .vertexes
            .iter()
            .flat_map(|vertex| [vertex.started, vertex.completed]);
        let activities = self.statuses.iter().map(|activity| activity.timestamp);
        let logs = self.logs.iter().map(|log| log.timestamp);
        steps.chain(activities).chain(logs).flatten().max()
    }
}
