//! The comment of a run on its pull request (<https://docs.github.com/en/rest/issues/comments>), and what refusals mean.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::OnceCell;

use crate::context::RepositoryName;
use crate::deadline::Deadline;
use crate::error::Problem;
use crate::github::error::ApiError;
use crate::github::meaning::{Meaning, REPORT, meaning};
use crate::github::{GitHub, Request, Verb, describe, once};

/// A comment to keep on a pull request. The first line of its body is a marker: of the comments of the own account, it
/// begins only this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comment<'a> {
    pub(crate) repository: &'a RepositoryName,
    /// Of the pull request.
    pub(crate) number: u64,
    /// Markdown.
    pub(crate) body: &'a str,
}

/// What became of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommentChange {
    Created,
    Updated,
    /// It had this body.
    Unchanged,
}

/// A comment as GitHub lists it.
#[derive(Deserialize)]
struct Listed {
    id: u64,
    /// Nobody, if the account was deleted.
    user: Option<Author>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    login: String,
}

/// A comment that GitHub stored.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "id")]
    _id: u64,
}

/// The answer to the query of [`GitHub::login`].
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    viewer: Author,
}

#[derive(Serialize)]
struct Body<'a> {
    body: &'a str,
}

/// Pages of 100 comments.
const MAX_PAGES: usize = 100;
/// In bytes, of one page.
const MAX_PAGE: usize = 32 << 20;
/// How long a comment that was created without an answer may be missing in the list.
const UNLISTED: Duration = Duration::from_secs(2);

const PERMISSION: &str = "add `pull-requests: write` to the job's `permissions:`; in a reusable workflow the caller grants it too";

/// The known messages. The first match counts.
pub(crate) const MEANINGS: &[Meaning] = &[
    meaning(
        &["resource not accessible by integration"],
        "the token may not write comments on pull requests of `{repository}`",
        PERMISSION,
    ),
    meaning(
        &["resource not accessible by personal access token"],
        "the personal access token may not write comments on pull requests of `{repository}`",
        "use the workflow's own token (no input is needed), or give the token the permission Pull requests: Read and write",
    ),
    meaning(
        &["issue is locked"],
        "the conversation of the pull request is locked",
        "unlock the conversation, or set `comment: false`",
    ),
    meaning(
        &["404 not found"],
        "the token cannot see the pull request in `{repository}`",
        PERMISSION,
    ),
];

impl GitHub {
    /// Creates the comment, or updates the one of this account that begins with the same marker; writes nothing if it has
    /// this body. If an answer is lost, the comments are read again before the next attempt.
    ///
    /// # Errors
    ///
    /// If GitHub refuses, or does not answer until the deadline.
    pub(crate) async fn keep_comment(
        &self,
        comment: Comment<'_>,
        deadline: Deadline,
    ) -> Result<CommentChange, Problem> {
        let attempt = async |_number| {
            let kept = self.write_if_changed(comment).await;
            kept.map_err(ApiError::into_failure)
        };
        let kept = deadline.retried(self.console, describe, attempt).await;
        kept.map_err(|error| self.not_written(comment, &error))
    }

    /// At most one write.
    async fn write_if_changed(&self, comment: Comment<'_>) -> Result<CommentChange, ApiError> {
        match self.own_comment(comment).await? {
            None => self.create(comment).await,
            Some(own) if own.has(comment.body) => Ok(CommentChange::Unchanged),
            Some(own) => self.update(comment, own.id).await,
        }
    }

    /// The oldest comment of this account that begins with the marker.
    async fn own_comment(&self, comment: Comment<'_>) -> Result<Option<Listed>, ApiError> {
        let login = OnceCell::new();
        let mut query = "per_page=100".to_owned();
        for _page in 0..MAX_PAGES {
            let path = format!("{}?{query}", comment.list());
            let request = Request {
                max_body: MAX_PAGE,
                ..Request::get(&path)
            };
            let page = self.ask_for_page::<Vec<Listed>>(&request, once()).await?;
            let marked = page.content.into_iter();
            for found in marked.filter(|found| found.begins_as(comment.body)) {
                // Asked only now: most pull requests have no such comment yet.
                if found.is_by(login.get_or_try_init(|| self.login()).await?) {
                    return Ok(Some(found));
                }
            }
            let Some(next) = page.next else {
                return Ok(None);
            };
            query = next;
        }
        let said = format!("lists more than {} comments", MAX_PAGES * 100);
        Err(ApiError::passing(&said))
    }

    /// The account of the token as the author of its comments, for example `github-actions[bot]`. Only GraphQL tells it
    /// to the token of an app, such as that of a job
    /// (<https://docs.github.com/en/graphql/reference/queries#viewer>).
    async fn login(&self) -> Result<String, ApiError> {
        let query = body(&json!({ "query": "{ viewer { login } }" }));
        let request = Request {
            verb: Verb::Post(&query),
            ..Request::get("/graphql")
        };
        let answer: Answer = self.beside_rest().ask(&request, once()).await?;
        Ok(answer.data.viewer.login)
    }

    /// The API that GraphQL is below: on GitHub Enterprise Server it is `/api`, where REST is below `/api/v3`.
    fn beside_rest(&self) -> Self {
        match self.base.strip_suffix("/v3") {
            None => self.clone(),
            Some(base) => Self {
                base: base.to_owned(),
                client: OnceCell::new(),
                ..self.clone()
            },
        }
    }

    async fn create(&self, comment: Comment<'_>) -> Result<CommentChange, ApiError> {
        let (path, body) = (comment.list(), comment.json());
        let created = self.write(&path, Verb::Post(&body)).await;
        created.map_err(|error| match error {
            ApiError::Passing { said, wait } => {
                let wait = wait.or(Some(UNLISTED));
                ApiError::Passing { said, wait }
            }
            refused @ ApiError::Refused { .. } => refused,
        })?;
        Ok(CommentChange::Created)
    }

    async fn update(&self, comment: Comment<'_>, id: u64) -> Result<CommentChange, ApiError> {
        let path = format!("/repos/{}/issues/comments/{id}", comment.repository);
        self.write(&path, Verb::Patch(&comment.json())).await?;
        Ok(CommentChange::Updated)
    }

    async fn write(&self, path: &str, verb: Verb<'_>) -> Result<Stored, ApiError> {
        let request = Request {
            verb,
            ..Request::get(path)
        };
        self.ask(&request, once()).await
    }

    fn not_written(&self, comment: Comment<'_>, error: &ApiError) -> Problem {
        let Comment {
            repository, number, ..
        } = comment;
        let what =
            format!("cannot write the comment on pull request {number}: GitHub's API {error}");
        let fill = |text: &str| text.replace("{repository}", &repository.to_string());
        if let Some(known) = Meaning::of(MEANINGS, &error.to_string()) {
            return known.explain(what, fill);
        }
        let fix = match error {
            ApiError::Refused { status: 403, .. } => PERMISSION,
            ApiError::Refused { status: 401, .. } | ApiError::Passing { .. } => self.fix(error),
            ApiError::Refused { .. } => REPORT,
        };
        Problem::new(what, fix)
    }
}

impl Comment<'_> {
    /// The path of the comments on the pull request.
    fn list(self) -> String {
        format!("/repos/{}/issues/{}/comments", self.repository, self.number)
    }

    fn json(self) -> Box<RawValue> {
        body(&Body { body: self.body })
    }
}

impl Listed {
    /// Whether its first line is that of `body`.
    fn begins_as(&self, body: &str) -> bool {
        let own = self.body.as_deref().unwrap_or_default();
        own.lines().next() == body.lines().next()
    }

    fn is_by(&self, login: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.login == login)
    }

    /// Whether its body is `body`, except for the kind of its line ends and those after the last line.
    fn has(&self, body: &str) -> bool {
        let own = self.body.as_deref().unwrap_or_default();
        own.trim_end().lines().eq(body.trim_end().lines())
    }
}

impl fmt::Display for CommentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}

fn body(content: &impl Serialize) -> Box<RawValue> {
    to_raw_value(content).expect("it has text keys only")
}
