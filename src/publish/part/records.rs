//! Deletes the records of an image that is complete: nobody needs them any more. What cannot be deleted is left, with one
//! notice.

use std::time::Duration;

use futures_util::future::join_all;

use crate::context::event::OwnerKind;
use crate::deadline::Deadline;
use crate::github::packages::{PackageName, VersionDeletion};
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::publish::part::Job;
use crate::publish::part::parts::Parts;
use crate::publish::preflight::{names_in, subject};
use crate::registry::Repository;
use crate::registry::delete::ManifestDeletion;

/// For all records of one image: they are harmless, so nobody waits longer.
const TIME: Duration = Duration::from_secs(30);
/// GitHub lists a version some seconds after its push.
const LIST_DELAY: Duration = Duration::from_secs(5);

impl Job<'_> {
    /// Deletes the records that the image was put together from, under each name.
    pub(super) async fn remove_records(&self, parts: &Parts<'_>) {
        let names = names_in(self.registries, self.session);
        let removals = names.map(|name| async move {
            let removed = self.remove_from(name, parts).await;
            removed.map_err(|why| format!("{name}: {why}"))
        });
        let left = join_all(removals).await.into_iter();
        let left: Vec<String> = left.filter_map(Result::err).collect();
        if !left.is_empty() {
            let (prefix, left) = (self.plan.prefix(), left.join("; "));
            let text = format!(
                "the records of the parts (tags `{prefix}…`) are left in the registry, and can be deleted: {left}"
            );
            self.session.console.notice(&text);
        }
    }

    async fn remove_from(&self, name: &ImageName, parts: &Parts<'_>) -> Result<(), String> {
        let deadline = Deadline::after(TIME, self.deadline.pace());
        let repository = self.registries[name.registry()].repository(name.repository(), deadline);
        for record in parts.records() {
            match self.is_of_github(name) {
                true => self.remove_version(name, repository, record).await?,
                false => self.remove_manifest(name, repository, record).await?,
            }
        }
        Ok(())
    }

    /// Whether only GitHub's API deletes there.
    fn is_of_github(&self, name: &ImageName) -> bool {
        self.session.context.server.has(name.registry())
    }

    async fn remove_manifest(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        record: &Digest,
    ) -> Result<(), String> {
        match repository.delete(record).await {
            Ok(ManifestDeletion::Deleted | ManifestDeletion::Gone) => Ok(()),
            // In Actions, a registry on this machine that gets the token of the run may be GitHub's.
            Ok(ManifestDeletion::Unsupported)
                if self.session.context.may_be_of_github(name.registry()) =>
            {
                self.remove_version(name, repository, record).await
            }
            Ok(ManifestDeletion::Unsupported) => Err("the registry deletes nothing".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn remove_version(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        record: &Digest,
    ) -> Result<(), String> {
        let (subject, github) = (subject(self.session, name), &self.session.github);
        // The path of users serves organizations too, and the event does not always say what the owner is.
        let package = PackageName {
            kind: OwnerKind::User,
            ..subject.package()
        };
        let deadline = repository.deadline;
        let version = loop {
            let found = github.find_version(package, |version| version.digest == *record, deadline);
            if let Some(found) = found.await.map_err(|none| none.problem.to_string())? {
                break found;
            }
            let exists = repository.has_manifest(record).await;
            if !exists.map_err(|error| error.to_string())? {
                return Ok(());
            }
            if deadline.is_over() {
                return Err("GitHub's API does not list them".to_owned());
            }
            deadline.pace().sleep(LIST_DELAY).await;
        };
        match github.delete_version(package, version.id, deadline).await {
            VersionDeletion::Deleted | VersionDeletion::Gone => Ok(()),
            VersionDeletion::Retained(problem)
            | VersionDeletion::Limited(problem)
            | VersionDeletion::Refused(problem) => Err(problem.to_string()),
        }
    }
}
