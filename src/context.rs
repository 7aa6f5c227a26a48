//! `GITHUB_*` -> `Context`: what happened (git ref, commit, repository, actor).

pub(crate) mod asked;
pub(crate) mod cache_mode;
mod checkout;
pub(crate) mod event;
pub(crate) mod facts;
mod git_ref;
mod head;
pub(crate) mod history;
pub(crate) mod server;
mod uncommitted;

pub(crate) use git_ref::GitRef;

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::context::asked::Assumed;
use crate::context::cache_mode::CacheMode;
use crate::context::checkout::Checkout;
use crate::context::event::{Event, RepositoryFacts};
use crate::context::server::{Server, is_loopback};
use crate::error::Problem;
use crate::vars::Vars;

/// What happened: the event, the ref, and the commit this run is about.
///
/// Variables: <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Whether a runner started the program, and not a person.
    pub(crate) in_actions: bool,
    /// For example `https://github.com`, without a slash at the end.
    pub(crate) server_url: String,
    pub(crate) server: Server,
    /// The registry of the server; unknown until a request if the address does not determine it.
    pub(crate) registry: Option<String>,
    pub(crate) api_url: String,
    pub(crate) repository: RepositoryName,
    /// Who started the run.
    pub(crate) actor: Option<String>,
    pub(crate) event_name: String,
    pub(crate) git_ref: GitRef,
    /// Commit id, 40 hex digits: `GITHUB_SHA`, or the head that a `workflow_run` ran for. Tags and labels
    /// ask for [`Context::named_commit`].
    pub(crate) commit: String,
    /// Whether `commit` is known to be the one the event is about.
    pub(crate) knows_commit: bool,
    /// Why the files that are built are not those of `commit`, if they are not.
    pub(crate) uncommitted: Option<String>,
    pub(crate) commit_time: Option<DateTime<Utc>>,
    pub(crate) event: Event,
    /// The page of the run, one per attempt; outside Actions there is none.
    pub(crate) run: Option<Run>,
    /// Whether nothing was checked out.
    pub(crate) workspace_is_empty: bool,
    pub(crate) cache_mode: CacheMode,
    /// What is assumed of the event, if it is not the one that happened.
    pub(crate) assumed: Option<Assumed>,
}

/// A run of a workflow, as the runner numbers it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) attempt: String,
}

/// `owner/name`, in the spelling GitHub shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryName {
    pub(crate) owner: String,
    pub(crate) name: String,
}

impl Context {
    /// Reads the environment; what it does not say outside Actions comes from the git checkout.
    pub(crate) fn from_vars(vars: &Vars) -> anyhow::Result<Self> {
        Self::of(vars, Event::read(vars.path("GITHUB_EVENT_PATH"))?)
    }

    fn of(vars: &Vars, event: Event) -> anyhow::Result<Self> {
        let checkout = checkout_if_needed(vars)?;
        let said = |name: &str, from_checkout: fn(&Checkout) -> Option<String>| {
            vars.get(name)
                .map(str::to_owned)
                .or_else(|| checkout.as_ref().and_then(from_checkout))
        };
        let repository = said("GITHUB_REPOSITORY", |c| c.repository.clone())
            .ok_or_else(|| missing("GITHUB_REPOSITORY", "the repository", checkout.as_ref()))
            .and_then(|text| RepositoryName::parse(&text))?;
        let full_ref = said("GITHUB_REF", |c| c.full_ref.clone())
            .ok_or_else(|| missing("GITHUB_REF", "the git ref", checkout.as_ref()))?;
        let commit = said("GITHUB_SHA", |c| c.commit.clone())
            .ok_or_else(|| missing("GITHUB_SHA", "the commit", checkout.as_ref()))?;
        let server_url = said("GITHUB_SERVER_URL", |c| c.server_url.clone())
            .unwrap_or_else(|| "https://github.com".to_owned());
        let server = Server::of(&server_url);
        let event_name = vars.get("GITHUB_EVENT_NAME").unwrap_or("push").to_owned();
        let head = head_commit(vars, &event_name, &event);
        Ok(Self {
            in_actions: vars.in_actions(),
            api_url: api_url_of(vars, &server_url),
            server_url: server_url.trim_end_matches('/').to_owned(),
            registry: server.registry(),
            server,
            git_ref: GitRef::of_event(&event_name, &full_ref, &event),
            commit_time: commit_time(&event, checkout.as_ref()),
            knows_commit: event_name != "workflow_run" || head.is_some(),
            commit: head.unwrap_or(commit),
            uncommitted: None,
            actor: vars.get("GITHUB_ACTOR").map(str::to_owned),
            repository,
            event_name,
            event,
            run: Run::from_vars(vars),
            // A directory of a checkout is built as it is: nothing is fetched in its stead.
            workspace_is_empty: checkout.is_none() && is_empty(vars.workspace()),
            cache_mode: CacheMode::from_vars(vars),
            assumed: None,
        })
    }

    /// The page of the run.
    pub(crate) fn run_url(&self) -> Option<String> {
        let Self {
            server_url,
            repository,
            run,
            ..
        } = self;
        let Run { id, attempt } = run.as_ref()?;
        Some(format!(
            "{server_url}/{repository}/actions/runs/{id}/attempts/{attempt}"
        ))
    }

    /// Whether GitHub's packages API may have the images of a registry: it belongs to the server, or it is on this machine
    /// and gets the token of a job.
    pub(crate) fn may_be_of_github(&self, registry: &str) -> bool {
        self.server.has(registry) || self.in_actions && is_loopback(registry)
    }

    /// The pull request that the event is about, if the event is that it was closed.
    pub(crate) fn closed_pull_request(&self) -> Option<u64> {
        let is_of_pull_request = matches!(
            self.event_name.as_str(),
            "pull_request" | "pull_request_target"
        );
        let is_closed = self.event.action.as_deref() == Some("closed");
        self.event
            .number
            .filter(|_| is_of_pull_request && is_closed)
    }

    /// The known facts about the repository; at least its name and page.
    pub(crate) fn repository_facts(&self) -> RepositoryFacts {
        let known = self.event.repository.clone().unwrap_or_default();
        let or = |value: String, other: String| if value.is_empty() { other } else { value };
        RepositoryFacts {
            name: or(known.name, self.repository.name.clone()),
            html_url: or(
                known.html_url,
                format!("{}/{}", self.server_url, self.repository),
            ),
            ..known
        }
    }
}

impl Run {
    fn from_vars(vars: &Vars) -> Option<Self> {
        Some(Self {
            id: vars.get("GITHUB_RUN_ID")?.to_owned(),
            attempt: vars.get("GITHUB_RUN_ATTEMPT").unwrap_or("1").to_owned(),
        })
    }
}

impl RepositoryName {
    fn parse(text: &str) -> Result<Self, Problem> {
        match text.split_once('/') {
            Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self {
                    owner: owner.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err(Problem::new(
                format!("`{text}` does not name a repository"),
                "set `GITHUB_REPOSITORY` to `<owner>/<name>`, for example `acme/widget`",
            )),
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A directory that cannot be read is not known to be empty.
fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// Outside Actions the checkout says what the runner would; inside, the runner has said it all.
fn checkout_if_needed(vars: &Vars) -> anyhow::Result<Option<Checkout>> {
    let all_said = ["GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_SHA"]
        .iter()
        .all(|name| vars.get(name).is_some());
    if vars.in_actions() || all_said {
        return Ok(None);
    }
    Checkout::find(vars.workspace())
}

/// The head of a `workflow_run`, which runs on the default branch whatever it is about. For pull requests
/// `DOCKER_METADATA_PR_HEAD_SHA` asks for the commit that was pushed instead of the merge commit.
fn head_commit(vars: &Vars, event_name: &str, event: &Event) -> Option<String> {
    if event_name == "workflow_run" {
        return event.workflow_run.head_sha.clone();
    }
    let asked = vars.is_true("DOCKER_METADATA_PR_HEAD_SHA") && event_name.contains("pull_request");
    event
        .pull_request
        .as_ref()
        .filter(|_| asked)?
        .head_sha
        .clone()
}

fn missing(variable: &str, what: &str, checkout: Option<&Checkout>) -> Problem {
    let because = match checkout {
        None => "this directory is not a git checkout either".to_owned(),
        Some(_) => "the git checkout does not contain it".to_owned(),
    };
    Problem::new(
        format!("{what} is unknown: `{variable}` is not set"),
        format!("run inside a checkout with a remote `origin`, or set `{variable}`"),
    )
    .because(because)
}

fn commit_time(event: &Event, checkout: Option<&Checkout>) -> Option<DateTime<Utc>> {
    let said = event
        .head_commit_time
        .as_deref()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    said.map(|time| time.to_utc())
        .or_else(|| checkout.and_then(|c| c.commit_time))
}

/// `GITHUB_API_URL`, else the address that belongs to the server.
pub(crate) fn api_url_of(vars: &Vars, server_url: &str) -> String {
    let given = vars.get("GITHUB_API_URL");
    given.map_or_else(|| api_url(server_url), str::to_owned)
}

/// GitHub's own, GHE.com's and a GitHub Enterprise Server's API addresses, from the page address.
fn api_url(server_url: &str) -> String {
    let (scheme, host) = server_url
        .trim_end_matches('/')
        .split_once("://")
        .unwrap_or(("https", server_url));
    if host == "github.com" || host.ends_with(".ghe.com") {
        return format!("{scheme}://api.{host}");
    }
    format!("{scheme}://{host}/api/v3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_address_follows_the_kind_of_server() {
        assert_eq!(api_url("https://github.com"), "https://api.github.com");
        assert_eq!(api_url("https://acme.ghe.com/"), "https://api.acme.ghe.com");
        assert_eq!(
            api_url("https://git.example.com"),
            "https://git.example.com/api/v3"
        );
    }

    #[test]
    fn a_missing_repository_says_what_to_set() {
        let vars = Vars::of(&[("GITHUB_ACTIONS", "true")]);
        let error = Context::from_vars(&vars).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the repository is unknown: `GITHUB_REPOSITORY` is not set"
        );
    }
}
