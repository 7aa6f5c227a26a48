//! Questions only the GitHub API can answer (the single user of octocrab).

use std::time::Duration;

use octocrab::Octocrab;
use serde_json::Value;

use crate::context::Context;
use crate::context::event::RepositoryFacts;
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
    let client = Octocrab::builder()
        .base_uri(context.api_url.as_str())?
        .personal_token(token.expose())
        .set_connect_timeout(Some(PATIENCE))
        .set_read_timeout(Some(PATIENCE))
        .build()?;
    let repository: Value = client
        .get(format!("/repos/{}", context.repository), None::<&()>)
        .await?;
    Ok(RepositoryFacts::from_json(&repository))
}
