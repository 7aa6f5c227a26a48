//! Reads one version again, and restores one that was deleted.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::deadline::Deadline;
use crate::error::Problem;
use crate::github::meaning::Meaning;
use crate::github::packages::{Listed, NoAnswer, PackageName, REFUSED};
use crate::github::{ApiError, GitHub, NoContent, Request, Verb};
use crate::image::version::Version;

/// What became of a version that was to be restored.
#[derive(Debug)]
pub(crate) enum Restoration {
    Restored,
    /// The package has no deleted version with this id, or the token may not restore it.
    NotFound(Problem),
    Refused(Problem),
}

const RESTORABLE: &str = "no deleted version of `{package}` has this id, it was deleted more than 30 days ago, its manifest was pushed again, or the repository does not have the role Admin for the package";

impl GitHub {
    /// One version as it is now; none if it is deleted.
    ///
    /// # Errors
    ///
    /// If GitHub refuses, does not answer until the deadline, or describes the version in an unknown form.
    pub(crate) async fn version(
        &self,
        package: PackageName<'_>,
        id: u64,
        deadline: Deadline,
    ) -> Result<Option<Version>, NoAnswer> {
        let path = format!("{}/versions/{id}", package.path());
        match self.ask::<Value>(&Request::get(&path), deadline).await {
            Ok(listed) => {
                let version = Listed::read(listed).map_err(|what| package.not_read(&what))?;
                Ok(Some(version))
            }
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => {
                let what = format!("cannot read version {id} of `{package}`: GitHub's API {error}");
                Err(NoAnswer {
                    problem: self.explained(package, what, &error),
                    is_limit: error.is_limit(),
                })
            }
        }
    }

    /// Restores a version that was deleted in the last 30 days, with those of its tags that no other version has
    /// (<https://docs.github.com/en/rest/packages/packages#restore-package-version-for-an-organization>).
    pub(crate) async fn restore_version(
        &self,
        package: PackageName<'_>,
        id: u64,
        deadline: Deadline,
    ) -> Restoration {
        let path = format!("{}/versions/{id}/restore", package.path());
        let request = Request {
            verb: Verb::Post(RawValue::NULL),
            ..Request::get(&path)
        };
        let error = match self.ask::<NoContent>(&request, deadline).await {
            Ok(NoContent) => return Restoration::Restored,
            Err(error) => error,
        };
        let what = format!("cannot restore version {id} of `{package}`: GitHub's API {error}");
        match error {
            ApiError::Refused { status: 404, .. } => {
                let fix = "check the id in the summary of the clean-up; if the package is not the repository's, add `--with images=NAME`";
                let because = RESTORABLE.replace("{package}", &package.to_string());
                Restoration::NotFound(Problem::new(what, fix).because(because))
            }
            error => Restoration::Refused(self.explained(package, what, &error)),
        }
    }

    fn explained(&self, package: PackageName<'_>, what: String, error: &ApiError) -> Problem {
        let fill = |text: &str| text.replace("{package}", &package.to_string());
        match Meaning::of(REFUSED, &error.to_string()) {
            Some(known) => known.explain(what, fill),
            None => Problem::new(what, self.package_fix(error)),
        }
    }
}

/// Whether the version does not exist, or no more.
pub(super) fn is_gone(error: &ApiError) -> bool {
    let said = error.to_string().to_lowercase();
    said.contains("404 package version not found")
}
