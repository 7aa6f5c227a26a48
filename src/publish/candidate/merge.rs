//! Merges the images of several sources into one index.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::Value;

use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
use crate::image::index::{IndexEntry, PlatformTwice, assemble, ordered};
use crate::image::manifest::Manifest;
use crate::publish::candidate::Search;
use crate::publish::existing_image::{ExistingImage, Part};
use crate::publish::preflight::subject;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::identity::{CREATED, REVISION};

/// How many manifests are read at once.
const PARALLEL: usize = 8;
/// More images than any index has.
const MAX_ENTRIES: usize = 1000;
/// Bytes of all manifests of a source, which are held until they are written.
const MAX_BYTES: usize = 64 << 20;

/// What the index needs of one source.
struct Contribution {
    entries: Vec<IndexEntry>,
    /// The manifests of the entries.
    manifests: Vec<Manifest>,
    /// When the images were created, as their configs say.
    created: Vec<String>,
}

/// The part of an image config that says when it was created.
#[derive(Default, Deserialize)]
struct Creation {
    created: Option<String>,
}

impl Search<'_> {
    /// The only image as it is, or the index with the platforms of all.
    pub(super) async fn merged(
        &self,
        mut images: Vec<ExistingImage>,
    ) -> anyhow::Result<ExistingImage> {
        if images.len() == 1 {
            return Ok(images.remove(0));
        }
        let commit = common_commit(&images);
        let (mut parts, mut listed, mut created) = (Vec::new(), Vec::new(), Vec::new());
        for mut part in images.into_iter().flat_map(|image| image.parts) {
            let read = self.contribution(&part).await;
            let read = read.map_err(|error| self.unread(&part, &error))?;
            listed.push((part.to_string(), read.entries));
            part.manifests = read.manifests;
            created.extend(read.created);
            parts.push(part);
        }
        let platforms = &self.session.inputs.build.parameters.platforms;
        let entries = ordered(&listed, platforms).map_err(refused)?;
        let plan = &self.session.plan;
        let planned = plan.index_annotations();
        let annotations = annotations(&planned, commit.as_deref().ok(), created);
        Ok(ExistingImage {
            parts,
            root: assemble(&entries, &annotations),
            commit,
            attestation: None,
            release: Vec::new(),
        })
    }

    /// Reads the images of a part.
    async fn contribution(&self, part: &Part) -> Result<Contribution, RegistryError> {
        let deadline = Deadline::after(self.session.inputs.push_timeout, Pace::REAL);
        let source = part.source(self.registries, deadline);
        let root = &part.manifests[0];
        let entries = children(source, root)?;
        if entries.is_empty() {
            let config = config(source, root).await?;
            return Ok(Contribution {
                entries: vec![IndexEntry::of_image(root, &config)],
                manifests: vec![root.clone()],
                created: created(&config).into_iter().collect(),
            });
        }
        let manifests = manifests(source, &entries).await?;
        let images = manifests.iter().zip(&entries);
        let images = images.filter(|(_, entry)| entry.subject.is_none());
        let creations = images.map(|(image, _)| creation(source, image));
        let creations: Vec<Option<String>> = stream::iter(creations)
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(Contribution {
            entries,
            manifests,
            created: creations.into_iter().flatten().collect(),
        })
    }

    fn unread(&self, part: &Part, error: &RegistryError) -> anyhow::Error {
        match part.name() {
            Some(name) => {
                let what = format!("cannot read `{part}`");
                explain_read(&what, &subject(self.session, name), error).into()
            }
            None => super::unusable(&part.to_string(), anyhow::anyhow!("{error}")),
        }
    }
}

/// The entries of an index; none for an image of one platform.
fn children(source: CopySource<'_>, root: &Manifest) -> Result<Vec<IndexEntry>, RegistryError> {
    let unread = |why: String| source.invalid(format!("holds an index that cannot be read: {why}"));
    let content: Value =
        serde_json::from_slice(&root.bytes).map_err(|error| unread(error.to_string()))?;
    let children = content["manifests"].as_array().into_iter().flatten();
    let entries = children
        .map(|child| IndexEntry::listed(child).map_err(|problem| unread(problem.to_string())));
    entries.collect()
}

/// The manifests of the entries, no more than fit in memory.
async fn manifests(
    source: CopySource<'_>,
    entries: &[IndexEntry],
) -> Result<Vec<Manifest>, RegistryError> {
    let (mut manifests, mut bytes) = (Vec::new(), 0);
    let reads = entries.iter().map(|entry| source.manifest(&entry.digest));
    let mut reads = stream::iter(reads).buffered(PARALLEL);
    while entries.len() <= MAX_ENTRIES && bytes <= MAX_BYTES {
        let Some(manifest) = reads.try_next().await? else {
            return Ok(manifests);
        };
        bytes += manifest.bytes.len();
        manifests.push(manifest);
    }
    Err(source.invalid(format!(
        "holds an index of more than {MAX_ENTRIES} manifests or {} MiB of manifests, the maximum",
        MAX_BYTES >> 20
    )))
}

/// The config of an image; empty for what has none.
async fn config(source: CopySource<'_>, image: &Manifest) -> Result<Vec<u8>, RegistryError> {
    match image.config_digest() {
        Some(digest) => source.small_blob(&digest).await,
        None => Ok(Vec::new()),
    }
}

async fn creation(
    source: CopySource<'_>,
    image: &Manifest,
) -> Result<Option<String>, RegistryError> {
    Ok(created(&config(source, image).await?))
}

/// In UTC, so that the order of the texts is that of the times.
fn created(config: &[u8]) -> Option<String> {
    let config: Creation = serde_json::from_slice(config).ok()?;
    let time = chrono::DateTime::parse_from_rfc3339(&config.created?).ok()?;
    let time = time.to_utc();
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// The annotations of the plan, with the commit and the time of the images in place of those of the run: the same images
/// give the same index.
fn annotations(
    planned: &[(String, String)],
    commit: Option<&str>,
    created: Vec<String>,
) -> Vec<(String, String)> {
    let newest = created.into_iter().max();
    let planned = planned.iter().filter_map(|(key, value)| {
        let value = match key.as_str() {
            REVISION => commit?.to_owned(),
            CREATED => newest.clone()?,
            _ => value.clone(),
        };
        Some((key.clone(), value))
    });
    planned.collect()
}

/// The commit that all images are of; else why it is not known.
fn common_commit(images: &[ExistingImage]) -> Result<String, String> {
    let unknown = "it is not known which commit of this repository is published";
    let (mut first, mut common) = (None, Err(unknown.to_owned()));
    for image in images {
        let commit = image.commit.clone()?;
        let first = first.get_or_insert(image);
        match &common {
            Ok(known) if *known != commit => {
                return Err(format!(
                    "{unknown}: {first} is of `{known}`, and {image} of `{commit}`"
                ));
            }
            _ => common = Ok(commit),
        }
    }
    common
}

fn refused(twice: PlatformTwice) -> Problem {
    let PlatformTwice { platform, parts } = twice;
    let [one, other] = parts;
    Problem::new(
        format!("two sources of `candidate` have an image for {platform}"),
        "remove one of them, or name the image of another platform by its digest",
    )
    .because(format!("{platform} is in {one} and in {other}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_name_commit_and_time_of_the_images() {
        let planned = [
            ("org.opencontainers.image.title", "widget"),
            (REVISION, "run"),
            (CREATED, "now"),
        ];
        let planned = planned.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let times = ["2026-01-02T00:00:00+02:00", "2026-01-01T23:00:00Z"];
        let times = times.map(|time| created(format!(r#"{{"created":"{time}"}}"#).as_bytes()));
        let times: Vec<String> = times.into_iter().flatten().collect();
        let values = |written: Vec<(String, String)>| {
            let values = written.into_iter().map(|(_, value)| value);
            values.collect::<Vec<_>>()
        };
        let known = annotations(&planned, Some("theirs"), times);
        assert_eq!(
            values(known),
            ["widget", "theirs", "2026-01-01T23:00:00.000Z"]
        );
        let unknown = annotations(&planned, None, Vec::new());
        assert_eq!(values(unknown), ["widget"]);
        assert_eq!(created(b"{}"), None);
    }
}
