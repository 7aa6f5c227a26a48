//! Questions only the GitHub API can answer (the single user of octocrab).

use std::time::Duration;

use anyhow::Context as _;
use octocrab::Octocrab;
use serde_json::Value;

use crate::context::Context;
use crate::context::event::RepositoryFacts;
use crate::registry::order::Relation;
use crate::secret::Secret;
use crate::workflow::Console;

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for what the event payload did not say of the repository: description, licence, default branch.
/// Labels do without when there is no answer.
pub(crate) async fn complete(context: &mut Context, token: Option<&Secret>, console: Console) {
    let Some(token) = token.filter(|_| context.event.repository.is_none()) else {
        return;
    };
    match repository(context, token).await {
        Ok(facts) => context.event.repository = facts,
        Err(error) => console.say(&format!("GitHub does not describe {}, so labels go without its description and licence: {error:#}", context.repository)),
    }
}

/// `GET /repos/{owner}/{repo}`
/// (<https://docs.github.com/en/rest/repos/repos#get-a-repository>).
async fn repository(context: &Context, token: &Secret) -> anyhow::Result<Option<RepositoryFacts>> {
    let repository: Value = client(context, Some(token))?
        .get(format!("/repos/{}", context.repository), None::<&()>)
        .await?;
    Ok(RepositoryFacts::from_json(&repository))
}

/// How the published commit relates to `shown`, another one of the repository.
pub(crate) async fn relation(context: &Context, token: Option<&Secret>, shown: &str) -> Relation {
    if shown == context.commit {
        return Relation::Same;
    }
    match compare(context, token, shown).await.as_deref() {
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
async fn compare(context: &Context, token: Option<&Secret>, shown: &str) -> anyhow::Result<String> {
    let hexadecimal = shown.bytes().all(|byte| byte.is_ascii_hexdigit());
    anyhow::ensure!(hexadecimal && shown.len() >= 7, "that is no commit");
    let path = format!(
        "/repos/{}/compare/{shown}...{}?per_page=1&page=2",
        context.repository, context.commit
    );
    let answer: Value = client(context, token)?.get(path, None::<&()>).await?;
    let status = answer["status"].as_str();
    Ok(status.context("the answer names no status")?.to_owned())
}

fn client(context: &Context, token: Option<&Secret>) -> anyhow::Result<Octocrab> {
    let builder = Octocrab::builder()
        .base_uri(context.api_url.as_str())?
        .set_connect_timeout(Some(PATIENCE))
        .set_read_timeout(Some(PATIENCE));
    Ok(match token {
        Some(token) => builder.personal_token(token.expose()).build()?,
        None => builder.build()?,
    })
}
