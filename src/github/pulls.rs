//! Pull requests: whether they are closed (<https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request>).

use serde::Deserialize;

use crate::context::RepositoryName;
use crate::deadline::Deadline;
use crate::error::Problem;
use crate::github::{ApiError, GitHub};

#[derive(Deserialize)]
struct PullRequest {
    state: String,
}

impl GitHub {
    /// Whether a pull request is closed. One that does not exist is not: its number may be of another repository.
    ///
    /// # Errors
    ///
    /// If GitHub refuses, or does not answer until the deadline.
    pub(crate) async fn is_closed(
        &self,
        repository: &RepositoryName,
        number: u64,
        deadline: Deadline,
    ) -> Result<bool, Problem> {
        let path = format!("/repos/{repository}/pulls/{number}");
        match self.get::<PullRequest>(&path, deadline).await {
            Ok(pull_request) => Ok(pull_request.state == "closed"),
            Err(ApiError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(self.state_unknown(number, &error)),
        }
    }

    fn state_unknown(&self, number: u64, error: &ApiError) -> Problem {
        let what =
            format!("cannot tell whether pull request {number} is closed: GitHub's API {error}");
        let fix = match error {
            ApiError::Refused { status: 403, .. } => {
                "add `pull-requests: read` to the job's `permissions:`"
            }
            ApiError::Passing { .. } => "run the job again when GitHub's API answers",
            ApiError::Refused { .. } => self.fix(error),
        };
        Problem::new(what, fix)
    }
}
