//! What a publication achieved. The outputs of the action are its fields as text.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::image::digest::Digest;
use crate::inputs::destination::MoveTags;
use crate::publish::attest::Attestation;
use crate::publish::{Change, Published};
use crate::report::metadata::{self, Output};
use crate::report::result::plan::labels;
use crate::report::{Report, attestation_url, changes};

/// In bytes; an output must be short.
const METADATA_LIMIT: usize = 32 * 1024;

/// However far the run came.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Publication {
    pub(crate) image: Option<String>,
    pub(crate) digest: Option<Digest>,
    #[serde(rename = "ref")]
    pub(crate) reference: Option<String>,
    pub(crate) pushed: bool,
    /// Why the image is not pushed, if that is not a failure.
    not_pushed: Option<String>,
    pub(crate) complete: bool,
    pub(crate) reused: bool,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) platform_digests: Map<String, Value>,
    pub(crate) digests: Vec<Digest>,
    pub(crate) imageid: Option<Digest>,
    pub(crate) part_digest: Option<Digest>,
    /// Text for the input `candidate` of a later job.
    pub(crate) staged: Option<String>,
    /// What the registries answered, `name:tag`.
    pub(crate) tags: Vec<String>,
    pub(crate) tag_changes: Vec<TagChange>,
    /// What changed since another image.
    pub(crate) changes: Option<Value>,
    pub(crate) skipped_tags: Vec<SkippedTag>,
    pub(crate) other_references: Vec<String>,
    attestations: Vec<StoredAttestation>,
    version: Option<String>,
    tag_names: Vec<String>,
    labels: Map<String, Value>,
    annotations: Vec<String>,
    /// The paths of the files for later steps, by the name of the output.
    files: Map<String, Value>,
    /// What buildx says of the build, if it is short enough.
    pub(crate) metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Subject {
    name: String,
    digest: Digest,
}

/// What became of a tag.
#[derive(Debug, Serialize)]
pub(crate) struct TagChange {
    name: String,
    tag: String,
    /// `created`, `unchanged`, `moved` or `kept`.
    change: &'static str,
    /// What the tag showed before; of a tag that is kept, what it shows.
    from: Option<Digest>,
    reason: Option<String>,
}

/// A floating tag that was kept.
#[derive(Debug, Serialize)]
pub(crate) struct SkippedTag {
    name: String,
    tag: String,
    reason: String,
    holds: Option<Digest>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct StoredAttestation {
    name: String,
    digest: Digest,
    predicate_type: String,
    signer: String,
    id: Option<u64>,
    url: Option<String>,
}

impl Publication {
    /// `files` are the outputs that are paths.
    pub(crate) fn of(report: &Report, files: &[Output]) -> Self {
        let (image, digest) = (report.image().map(ToString::to_string), report.digest());
        let reference = image.as_ref().zip(digest);
        let plan = report.plan();
        let published = &report.done.published;
        Self {
            reference: reference.map(|(image, digest)| format!("{image}@{digest}")),
            image,
            digest: digest.cloned(),
            pushed: report.is_pushed() || report.part_digest().is_some(),
            not_pushed: report.not_pushed().map(str::to_owned),
            complete: report.is_pushed(),
            reused: report.done.reused,
            subjects: subjects(report),
            platform_digests: platform_digests(report),
            digests: digests(report),
            imageid: image_id(report),
            part_digest: report.part_digest().cloned(),
            staged: staged(report),
            tags: published
                .iter()
                .flat_map(|one| one.references(&one.tags))
                .collect(),
            tag_changes: published.iter().flat_map(tag_changes).collect(),
            changes: changes::output(report),
            skipped_tags: published.iter().flat_map(skipped_tags).collect(),
            other_references: report.other_references(),
            attestations: published
                .iter()
                .flat_map(|one| stored(one, report))
                .collect(),
            version: plan.map(|plan| plan.version.clone()),
            tag_names: plan.map(metadata::tag_names).unwrap_or_default(),
            labels: plan.map(labels).unwrap_or_default(),
            annotations: plan.map(metadata::annotations).unwrap_or_default(),
            files: files
                .iter()
                .map(|(name, path)| ((*name).to_owned(), path.as_str().into()))
                .collect(),
            metadata: build_metadata(report),
        }
    }
}

fn subjects(report: &Report) -> Vec<Subject> {
    let subjects = report.verified().map(|(name, verified)| Subject {
        name: name.to_string(),
        digest: verified.manifest.digest.clone(),
    });
    subjects.collect()
}

fn platform_digests(report: &Report) -> Map<String, Value> {
    let first = report.verified().next();
    let images = first
        .into_iter()
        .flat_map(|(_, verified)| &verified.platforms);
    let pairs = images.map(|image| (image.platform.clone(), json!(image.digest)));
    pairs.collect()
}

/// Every manifest of every image name, and every artifact with an attestation, none twice.
fn digests(report: &Report) -> Vec<Digest> {
    let mut digests: Vec<Digest> = Vec::new();
    let manifests = report
        .verified()
        .flat_map(|(_, verified)| &verified.digests);
    let published = report.done.published.iter();
    let attestations = published.flat_map(|published| &published.attestations);
    let artifacts = attestations.filter_map(|attestation| attestation.artifact.as_ref());
    for digest in manifests.chain(artifacts) {
        if !digests.contains(digest) {
            digests.push(digest.clone());
        }
    }
    digests
}

fn image_id(report: &Report) -> Option<Digest> {
    let mut verified = report.verified();
    let verified = verified
        .next()
        .and_then(|(_, verified)| verified.config_digest.as_ref());
    let built = report.done.built.as_ref();
    let built = || built.and_then(|built| built.config_digest.as_ref());
    verified.or_else(built).cloned()
}

/// The image for a later job, if the tags are left to one.
fn staged(report: &Report) -> Option<String> {
    let is_left = report.plan()?.move_tags == MoveTags::Never;
    let staged = report.done.staged.as_ref().filter(|_| is_left);
    staged?.to_output().ok()
}

fn tag_changes(published: &Published) -> impl Iterator<Item = TagChange> {
    let entry =
        |tag: &dyn ToString, change, from: Option<&Digest>, reason: Option<&String>| TagChange {
            name: published.name.to_string(),
            tag: tag.to_string(),
            change,
            from: from.cloned(),
            reason: reason.cloned(),
        };
    let shown = published.tags.iter().filter_map(move |tag| {
        let (change, from) = match published.change(tag)? {
            Change::Created => ("created", None),
            Change::Unchanged => ("unchanged", None),
            Change::Moved { from } => ("moved", Some(from)),
        };
        Some(entry(tag, change, from, None))
    });
    let kept = published.skipped.iter().map(move |skipped| {
        let (holds, reason) = (skipped.holds.as_ref(), Some(&skipped.reason));
        entry(&skipped.tag, "kept", holds, reason)
    });
    shown.chain(kept)
}

fn skipped_tags(published: &Published) -> impl Iterator<Item = SkippedTag> {
    published.skipped.iter().map(|skipped| SkippedTag {
        name: published.name.to_string(),
        tag: skipped.tag.to_string(),
        reason: skipped.reason.clone(),
        holds: skipped.holds.clone(),
    })
}

fn stored<'a>(
    published: &'a Published,
    report: &'a Report,
) -> impl Iterator<Item = StoredAttestation> + 'a {
    let url = |one: &Attestation| attestation_url(report.session.as_ref()?, one);
    published
        .attestations
        .iter()
        .map(move |one| StoredAttestation {
            name: published.name.to_string(),
            digest: one.digest.clone(),
            predicate_type: one.predicate_type.clone(),
            signer: one.signer.clone(),
            id: one.id,
            url: url(one),
        })
}

fn build_metadata(report: &Report) -> Option<Map<String, Value>> {
    let metadata = &report.done.built.as_ref()?.metadata;
    (json!(metadata).to_string().len() <= METADATA_LIMIT).then(|| metadata.clone())
}
