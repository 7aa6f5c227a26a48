//! The few requests that go to the Docker engine itself
//! (<https://docs.docker.com/reference/api/engine/>).

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::console::debug::Exchange;
use crate::docker::{self, Address};
use crate::vars::Vars;

/// The engine's HTTP interface.
#[derive(Clone, Debug)]
pub(crate) struct EngineApi {
    client: Client,
    base: Url,
}

/// What the engine says about itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Info {
    #[serde(default)]
    pub(crate) server_version: String,
    #[serde(default)]
    pub(crate) driver_status: Vec<(String, String)>,
    /// As the kernel calls it, for example `x86_64`.
    #[serde(default)]
    pub(crate) architecture: String,
}

/// A container that does one thing and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Name and digest.
    pub(crate) image: String,
    pub(crate) arguments: Vec<String>,
}

/// Everything but pulling an image is a matter of moments.
const TIMEOUT: Duration = Duration::from_secs(10);
const PULL_TIMEOUT: Duration = Duration::from_secs(120);
/// As long as a job of GitHub may last; what counts is [`EXPORT_IDLE_TIMEOUT`].
const EXPORT_TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);
/// How long an export may make no progress: a graph driver packs every layer before it sends the first byte.
pub(crate) const EXPORT_IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
const NO_RESPONSE: &str = "the engine does not respond";

impl EngineApi {
    /// The engine of this environment; nothing when it is behind ssh, TLS or a docker context, where only
    /// buildx reaches it.
    pub(crate) fn find(vars: &Vars) -> Option<Self> {
        let builder = Client::builder()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .no_proxy();
        let (builder, base) = match docker::address(vars)? {
            Address::Socket(path) => (builder.unix_socket(path), "http://engine".to_owned()),
            Address::Tcp(address) => (builder, format!("http://{address}")),
        };
        let client = builder.build().ok()?;
        let base = Url::parse(&base).ok()?;
        Some(Self { client, base })
    }

    pub(crate) async fn info(&self) -> anyhow::Result<Info> {
        Ok(self.send(self.get("/info", &[])).await?.json().await?)
    }

    /// Whether the engine has an image of this name or id.
    pub(crate) async fn has_image(&self, name: &str) -> anyhow::Result<bool> {
        let request = self.get(&format!("/images/{name}/json"), &[]);
        let response = self.exchange(request).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => successful(response).await.map(|_| true),
        }
    }

    /// The image as a tar stream; the engine may think for long before it begins.
    pub(crate) async fn image(&self, name: &str) -> anyhow::Result<Response> {
        let request = self.get(&format!("/images/{name}/get"), &[]);
        self.send(request.timeout(EXPORT_TIMEOUT)).await
    }

    /// The names of the containers that begin with `prefix`.
    pub(crate) async fn containers(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let query = [("all", "true"), ("filters", &named(prefix))];
        let request = self.get("/containers/json", &query);
        let found: Vec<Value> = self.send(request).await?.json().await?;
        let names = found.iter().filter_map(|one| one["Names"][0].as_str());
        let names = names.map(|name| name.trim_start_matches('/').to_owned());
        Ok(names.filter(|name| name.starts_with(prefix)).collect())
    }

    /// The last lines a container wrote.
    pub(crate) async fn last_lines(&self, container: &str, lines: u32) -> anyhow::Result<Vec<u8>> {
        let query = [
            ("stdout", "1"),
            ("stderr", "1"),
            ("tail", &lines.to_string()),
        ];
        let request = self.get(&format!("/containers/{container}/logs"), &query);
        Ok(without_frames(&self.send(request).await?.bytes().await?))
    }

    /// Removes the containers and volumes that begin with `prefix`.
    pub(crate) async fn remove(&self, prefix: &str) -> anyhow::Result<()> {
        for name in self.containers(prefix).await? {
            self.delete(&format!("/containers/{name}")).await?;
        }
        let request = self.get("/volumes", &[("filters", &named(prefix))]);
        let found: Value = self.send(request).await?.json().await?;
        let names = found["Volumes"].as_array().into_iter().flatten();
        let names = names.filter_map(|one| one["Name"].as_str());
        for name in names.filter(|name| name.starts_with(prefix)) {
            self.delete(&format!("/volumes/{name}")).await?;
        }
        Ok(())
    }

    /// Runs `task` in a privileged container, which is removed afterwards.
    pub(crate) async fn run_privileged(&self, task: &Task) -> anyhow::Result<()> {
        self.require_image(&task.image).await?;
        let container = json!({
            "Image": task.image,
            "Cmd": task.arguments,
            "HostConfig": { "Privileged": true, "NetworkMode": "none" },
        });
        let create = self.post("/containers/create", &[]).json(&container);
        let created: Value = self.send(create).await?.json().await?;
        let id = created["Id"]
            .as_str()
            .context("the engine names no container")?;
        let ended = self.run_to_end(id).await;
        self.delete(&format!("/containers/{id}")).await?;
        ended
    }

    async fn run_to_end(&self, id: &str) -> anyhow::Result<()> {
        let start = self.post(&format!("/containers/{id}/start"), &[]);
        self.send(start).await?;
        let wait = self.post(&format!("/containers/{id}/wait"), &[]);
        let ended: Value = self.send(wait.timeout(PULL_TIMEOUT)).await?.json().await?;
        if ended["StatusCode"] == 0 {
            return Ok(());
        }
        let log = self.last_lines(id, 5).await?;
        anyhow::bail!("{}", String::from_utf8_lossy(&log).trim().to_owned())
    }

    /// Pulls `image` unless the engine has it.
    async fn require_image(&self, image: &str) -> anyhow::Result<()> {
        let known = self.get(&format!("/images/{image}/json"), &[]);
        if self.send(known).await.is_ok() {
            return Ok(());
        }
        let (name, digest) = image.split_once('@').context("an image with a digest")?;
        let query = [("fromImage", name), ("tag", digest)];
        let pull = self.post("/images/create", &query).timeout(PULL_TIMEOUT);
        let progress = self.send(pull).await?.text().await?;
        // The status was sent before the engine knew how it would end.
        let error = progress
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|line| line["error"].as_str().map(str::to_owned));
        ensure!(error.is_none(), "{}", error.unwrap_or_default());
        Ok(())
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::GET, path, query)
    }

    fn post(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::POST, path, query)
    }

    async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let query = [("force", "true"), ("v", "true")];
        let request = self.request(Method::DELETE, path, &query);
        self.send(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.client.request(method, url)
    }

    /// Sends the request; an error response becomes an error with the engine's message.
    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        successful(self.exchange(request).await?).await
    }

    async fn exchange(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = request.build()?;
        let exchange = Exchange::of(&request, 1);
        let sent = self.client.execute(request).await;
        let sent = sent.map_err(reqwest::Error::without_url);
        exchange.end(sent.as_ref().map_err(|error| error as _));
        sent.context(NO_RESPONSE)
    }
}

async fn successful(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body: Value = response.json().await.unwrap_or_default();
    let message = body["message"].as_str().unwrap_or("without a reason");
    anyhow::bail!("the engine answered {}: {message}", status.as_u16())
}

fn named(prefix: &str) -> String {
    json!({ "name": [prefix] }).to_string()
}

/// The log without the eight bytes before each piece: stream, three zeroes, length.
fn without_frames(mut log: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while let [0..=2, 0, 0, 0, a, b, c, d, rest @ ..] = log {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        text.extend_from_slice(&rest[..length]);
        log = &rest[length..];
    }
    // A container with a terminal has no frames.
    text.extend_from_slice(log);
    text
}

/// Where the engine keeps its images, which decides what its own builder can do
/// (<https://docs.docker.com/build/builders/drivers/docker/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageStore {
    Containerd,
    /// One of the older storage drivers.
    Graph,
    /// Not known: the engine was not asked, or cannot be.
    Unknown,
}

impl Info {
    pub(crate) fn store(&self) -> ImageStore {
        ImageStore::of(&self.driver_status)
    }
}

impl ImageStore {
    /// `driver_status` as the engine's `/info` has it.
    pub(crate) fn of(driver_status: &[(String, String)]) -> Self {
        let containerd = ("driver-type", "io.containerd.snapshotter.v1");
        let is_containerd =
            |(key, value): &(String, String)| (key.as_str(), value.as_str()) == containerd;
        if driver_status.iter().any(is_containerd) {
            Self::Containerd
        } else {
            Self::Graph
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off_and_text_without_them_stays() {
        let framed = b"\x01\0\0\0\0\0\0\x03ab\n\x02\0\0\0\0\0\0\x02c\n";
        assert_eq!(without_frames(framed), b"ab\nc\n");
        assert_eq!(without_frames(b"\x01\0\0\0\0\0\0\x09cut"), b"cut");
        assert_eq!(without_frames(b"plain\n"), b"plain\n");
    }
}
