//! `GitHub`: questions only the GitHub API can answer.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, Response, Url};
use serde_json::Value;

use crate::context::Context;
use crate::context::event::RepositoryFacts;
use crate::registry::catalogue::OwnerKind;
use crate::registry::order::Relation;
use crate::secret::Secret;
use crate::trust::Trust;
use crate::workflow::Console;

/// The API of the server a run belongs to, asked with the token of the inputs.
#[derive(Debug)]
pub(crate) struct GitHub {
    base: String,
    token: Option<Secret>,
    trust: Trust,
    /// Made for the first question: most runs have none.
    client: OnceLock<Client>,
}

/// A container package, as far as it matters who sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) is_private: bool,
    /// `owner/name` of the repository on whose page it is shown.
    pub(crate) repository: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(10);
/// An answer that is longer is not what was asked for.
const LONGEST: usize = 4 << 20;

impl GitHub {
    pub(crate) fn new(api_url: &str, token: Option<Secret>, trust: Trust) -> Self {
        Self {
            base: api_url.trim_end_matches('/').to_owned(),
            token,
            trust,
            client: OnceLock::new(),
        }
    }

    /// Asks for what the event payload did not say of the repository: description, licence, default
    /// branch. Labels do without when there is no answer.
    pub(crate) async fn complete(&self, context: &mut Context, console: Console) {
        if self.token.is_none() || context.event.repository.is_some() {
            return;
        }
        match self.get(&format!("/repos/{}", context.repository)).await {
            Ok(repository) => context.event.repository = RepositoryFacts::from_json(&repository),
            Err(error) => console.say(&format!("GitHub does not describe {}, so labels go without its description and licence: {error:#}", context.repository)),
        }
    }

    /// How the published commit relates to `shown`, another one of the repository.
    pub(crate) async fn relation(&self, context: &Context, shown: &str) -> Relation {
        if shown == context.commit {
            return Relation::Same;
        }
        match self.compare(context, shown).await.as_deref() {
            Ok("ahead") => Relation::Ahead,
            Ok("behind") => Relation::Behind,
            Ok("identical") => Relation::Same,
            Ok("diverged") => Relation::Diverged,
            Ok(other) => Relation::Unknown(format!("GitHub says of the two commits: {other}")),
            Err(error) => Relation::Unknown(format!(
                "GitHub does not compare it with the commit `{}`: {error:#}",
                shown.get(..7).unwrap_or(shown)
            )),
        }
    }

    /// `GET /repos/{owner}/{repo}/compare/{base}...{head}`; the second page is without the changed files
    /// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
    async fn compare(&self, context: &Context, shown: &str) -> anyhow::Result<String> {
        let hexadecimal = shown.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(hexadecimal && shown.len() >= 7, "that is no commit");
        let path = format!(
            "/repos/{}/compare/{shown}...{}?per_page=1&page=2",
            context.repository, context.commit
        );
        let answer = self.get(&path).await?;
        let status = answer["status"].as_str();
        Ok(status.context("the answer names no status")?.to_owned())
    }

    /// What GitHub shows of a container package
    /// (<https://docs.github.com/en/rest/packages/packages#get-a-package-for-an-organization>).
    pub(crate) async fn package(
        &self,
        owner: &str,
        kind: OwnerKind,
        name: &str,
    ) -> anyhow::Result<Package> {
        let kind = match kind {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let name = name.replace('/', "%2F");
        let path = format!("/{kind}/{owner}/packages/container/{name}");
        let package = self.get(&path).await?;
        let text = |pointer: &str| package.pointer(pointer)?.as_str().map(str::to_owned);
        Ok(Package {
            is_private: text("/visibility").as_deref() == Some("private"),
            repository: text("/repository/full_name"),
        })
    }

    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = self.trust.client().connect_timeout(PATIENCE);
        let client = builder.timeout(PATIENCE).build()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// `GET`, and the answer as JSON
    /// (<https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api>).
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = Url::parse(&format!("{}{path}", self.base)).context("that is no address")?;
        let json = HeaderValue::from_static("application/vnd.github+json");
        let mut request = self.client()?.get(url).header(ACCEPT, json);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let body = body(response).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let reason = answer["message"].as_str();
        let reason = reason.or(status.canonical_reason()).unwrap_or("nothing");
        bail!("it answered {} {reason}", status.as_u16())
    }
}

async fn body(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(
            body.len() <= LONGEST,
            "it answers more than {LONGEST} bytes"
        );
    }
    Ok(body)
}
