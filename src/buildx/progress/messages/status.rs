//! The objects of `--progress=rawjson`: BuildKit's `SolveStatus`
//! (<https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>), the fields that are shown.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status<'a> {
    #[serde(borrow)]
    pub(crate) vertexes: Vec<Vertex<'a>>,
    #[serde(borrow)]
    pub(crate) statuses: Vec<Activity<'a>>,
    #[serde(borrow)]
    pub(crate) logs: Vec<Log<'a>>,
    #[serde(borrow)]
    pub(crate) warnings: Vec<Warning<'a>>,
}

/// A step; sent again whenever something about it changes.
#[derive(Deserialize)]
pub(crate) struct Vertex<'a> {
    #[serde(borrow)]
    pub(crate) digest: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) cached: bool,
    #[serde(default, borrow)]
    pub(crate) error: Cow<'a, str>,
}

/// What a step is doing, for example `pushing layers`, and how far it is.
#[derive(Deserialize)]
pub(crate) struct Activity<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(crate) vertex: Cow<'a, str>,
    /// Bytes, of those things that have a size.
    #[serde(default)]
    pub(crate) current: u64,
    pub(crate) timestamp: Option<DateTime<Utc>>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(crate) struct Log<'a> {
    #[serde(borrow)]
    pub(crate) vertex: Cow<'a, str>,
    /// Base64.
    #[serde(default, borrow)]
    pub(crate) data: Cow<'a, str>,
    pub(crate) timestamp: Option<DateTime<Utc>>,
}

/// A finding of BuildKit's checks of the Dockerfile; the texts are base64.
#[derive(Deserialize)]
pub(crate) struct Warning<'a> {
    #[serde(default, borrow)]
    pub(crate) short: Cow<'a, str>,
    #[serde(default)]
    pub(crate) detail: Vec<String>,
    #[serde(default, borrow)]
    pub(crate) url: Cow<'a, str>,
    #[serde(default)]
    pub(crate) range: Vec<Range>,
    #[serde(rename = "sourceInfo")]
    pub(crate) source: Option<Source>,
}

#[derive(Deserialize)]
pub(crate) struct Range {
    pub(crate) start: Position,
}

#[derive(Deserialize)]
pub(crate) struct Position {
    #[serde(default)]
    pub(crate) line: u32,
}

#[derive(Deserialize)]
pub(crate) struct Source {
    #[serde(default)]
    pub(crate) filename: String,
}

impl Status<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.vertexes.is_empty()
            && self.statuses.is_empty()
            && self.logs.is_empty()
            && self.warnings.is_empty()
    }

    /// The engine's clock, as far as this message knows it.
    pub(crate) fn time(&self) -> Option<DateTime<Utc>> {
        let steps = self
            .vertexes
            .iter()
            .flat_map(|vertex| [vertex.started, vertex.completed]);
        let activities = self.statuses.iter().map(|activity| activity.timestamp);
        let logs = self.logs.iter().map(|log| log.timestamp);
        steps.chain(activities).chain(logs).flatten().max()
    }
}
