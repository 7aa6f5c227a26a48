//! Checks that every manifest that a kept image lists is still there.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use crate::cleanup::{Cleaner, PARALLEL, PackageCleanup, read};
use crate::error::Problem;
use crate::image::digest::Digest;

impl Cleaner {
    /// # Errors
    ///
    /// If a manifest is missing that was there before, or the registry does not say.
    pub(super) async fn check(&self, package: &PackageCleanup) -> anyhow::Result<()> {
        let name = &package.name;
        let decision = package.inventory.decide(self.now);
        let decision = decision.map_err(|root| read::unreadable(name, &root))?;
        let kept = decision.kept.iter();
        let contents = &package.inventory.contents;
        let kept = kept.filter_map(|kept| contents.get(&kept.version.digest)?.links());
        let children: BTreeSet<&Digest> = kept
            .flat_map(|links| links.children.iter().map(|child| &child.digest))
            .collect();
        let registry = self.connect(name.registry()).await?;
        let connection = &registry;
        let asked = children.into_iter().map(|digest| async move {
            let repository = connection.read_only(name.repository(), self.deadline());
            (digest, repository.has(digest).await)
        });
        let mut answers = stream::iter(asked).buffer_unordered(PARALLEL);
        let mut missing = Vec::new();
        while let Some((digest, answer)) = answers.next().await {
            match answer {
                Ok(true) => {}
                Ok(false) => missing.push(digest),
                Err(error) => {
                    let what = format!("cannot check that the images of `{name}` are complete");
                    let fix = "run `ghcr-publish verify` for the images that you deploy";
                    return Err(Problem::new(what, fix).because(error.to_string()).into());
                }
            }
        }
        self.judge(package, &missing)
    }

    /// A manifest that was missing before is worth a warning.
    fn judge(&self, package: &PackageCleanup, missing: &[&Digest]) -> anyhow::Result<()> {
        let versions = package.inventory.versions.iter();
        let lost: Vec<_> = versions
            .filter(|version| missing.contains(&&version.digest))
            .collect();
        let name = &package.name;
        let known: BTreeSet<&Digest> = lost.iter().map(|version| &version.digest).collect();
        let before = missing.iter().filter(|digest| !known.contains(*digest));
        for digest in before {
            self.console.warning(
                None,
                &format!(
                    "an image of `{name}` lists {digest}, which was missing before the clean-up"
                ),
            );
        }
        if lost.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = lost.iter().map(|version| version.id.to_string()).collect();
        let digests: Vec<&str> = lost.iter().map(|version| version.digest.as_str()).collect();
        Err(Problem::new(
            format!("images of `{name}` are no longer complete"),
            format!(
                "restore the versions within 30 days: `ghcr-publish restore {} --with images={name}`",
                ids.join(" ")
            ),
        )
        .because(format!("kept images list {}, which the registry does not have", digests.join(", ")))
        .into())
    }
}
