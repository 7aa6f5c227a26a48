//! Assembles an index from images of several platforms
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>).

use serde_json::{Map, Value, json};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::{DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, Platform};
use crate::image::platform::is_same;

/// A descriptor in an index: of an image, or of a manifest with attestations about one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexEntry {
    pub(crate) digest: Digest,
    /// The platform of an image, with the version of the operating system if there is one: `linux/arm/v7`,
    /// `windows(10.0.20348)/amd64`.
    pub(crate) platform: Option<String>,
    /// The image that BuildKit's attestations are about
    /// (<https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md>).
    pub(crate) subject: Option<Digest>,
    descriptor: Value,
}

/// One platform that two parts have, with the titles of these parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlatformTwice {
    pub(crate) platform: String,
    pub(crate) parts: [String; 2],
}

/// The fields of a platform, in the order in which Go's tools write them.
const PLATFORM_FIELDS: [&str; 5] = ["architecture", "os", "os.version", "os.features", "variant"];

impl IndexEntry {
    /// The entry of an image without an index: its config names the platform.
    pub(crate) fn of_image(image: &Manifest, config: &[u8]) -> Self {
        let config: Map<String, Value> = serde_json::from_slice(config).unwrap_or_default();
        let fields = PLATFORM_FIELDS.iter().filter_map(|field| {
            let value = config.get(*field).filter(|value| !is_empty(value))?;
            Some(((*field).to_owned(), value.clone()))
        });
        let fields: Map<String, Value> = fields.collect();
        let mut descriptor = json!({
            "mediaType": image.media_type,
            "digest": image.digest.as_str(),
            "size": image.bytes.len(),
        });
        if !fields.is_empty() {
            descriptor["platform"] = fields.into();
        }
        Self::new(image.digest.clone(), descriptor)
    }

    /// An entry as another index has it.
    pub(crate) fn listed(descriptor: &Value) -> Result<Self, Problem> {
        let digest = descriptor["digest"].as_str().unwrap_or_default().parse()?;
        Ok(Self::new(digest, descriptor.clone()))
    }

    fn new(digest: Digest, descriptor: Value) -> Self {
        let annotations = &descriptor["annotations"];
        let is_attestation = annotations["vnd.docker.reference.type"] == "attestation-manifest";
        let subject = annotations["vnd.docker.reference.digest"].as_str();
        Self {
            digest,
            platform: platform(&descriptor["platform"]),
            subject: subject
                .filter(|_| is_attestation)
                .and_then(|digest| digest.parse().ok()),
            descriptor,
        }
    }

    fn is_docker(&self) -> bool {
        self.descriptor["mediaType"] == DOCKER_MANIFEST
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null) || value == "" || value.as_array().is_some_and(Vec::is_empty)
}

fn platform(fields: &Value) -> Option<String> {
    let platform: Platform = serde_json::from_value(fields.clone()).ok()?;
    let name = platform.name()?;
    let version = fields["os.version"].as_str().unwrap_or_default();
    match name.split_once('/') {
        Some((os, rest)) if !version.is_empty() => Some(format!("{os}({version})/{rest}")),
        _ => Some(name),
    }
}

/// The entries of `parts` (title, entries) in the order of `platforms`, then of the parts. Attestations follow their image.
/// Every platform may be there once.
pub(crate) fn ordered(
    parts: &[(String, Vec<IndexEntry>)],
    platforms: &[String],
) -> Result<Vec<IndexEntry>, PlatformTwice> {
    let entries = parts
        .iter()
        .flat_map(|(title, entries)| entries.iter().map(move |entry| (title, entry)));
    let (attestations, mut images): (Vec<_>, Vec<_>) =
        entries.partition(|(_, entry)| entry.subject.is_some());
    for (number, (title, entry)) in images.iter().enumerate() {
        let is_there = |(_, other): &&(_, &IndexEntry)| is_same_platform(other, entry);
        if let Some((other, _)) = images[..number].iter().find(is_there) {
            return Err(PlatformTwice {
                platform: entry.platform.clone().unwrap_or_default(),
                parts: [(*other).clone(), (*title).clone()],
            });
        }
    }
    let position = |entry: &IndexEntry| {
        let mut names = platforms.iter();
        let own = entry.platform.as_deref();
        names.position(|name| own.is_some_and(|own| is_same(name, own)))
    };
    images.sort_by_key(|(_, entry)| position(entry).unwrap_or(usize::MAX));
    let mut ordered: Vec<IndexEntry> = Vec::new();
    for (_, image) in images {
        let about = |(_, entry): &&(_, &IndexEntry)| entry.subject.as_ref() == Some(&image.digest);
        let about = attestations.iter().filter(about);
        for entry in [image].into_iter().chain(about.map(|(_, entry)| *entry)) {
            if ordered.iter().all(|other| other.digest != entry.digest) {
                ordered.push(entry.clone());
            }
        }
    }
    Ok(ordered)
}

fn is_same_platform(one: &IndexEntry, other: &IndexEntry) -> bool {
    let platforms = one.platform.as_deref().zip(other.platform.as_deref());
    platforms.is_some_and(|(one, other)| is_same(one, other))
}

/// The index of these entries. Its bytes depend on the arguments only. It is a Docker manifest list, which has no
/// annotations, if every entry is a Docker manifest; else an OCI index: the rule and the format of
/// `docker buildx imagetools create`.
pub(crate) fn assemble(entries: &[IndexEntry], annotations: &[(String, String)]) -> Manifest {
    let is_docker = !entries.is_empty() && entries.iter().all(IndexEntry::is_docker);
    let media_type = if is_docker { DOCKER_LIST } else { OCI_INDEX };
    let manifests: Vec<&Value> = entries.iter().map(|entry| &entry.descriptor).collect();
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": manifests,
    });
    if !is_docker && !annotations.is_empty() {
        let pairs = annotations.iter();
        let pairs = pairs.map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        index["annotations"] = pairs.collect::<Map<_, _>>().into();
    }
    Manifest::new(media_type, format!("{index:#}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::manifest::OCI_MANIFEST;
    use expect_test::expect;

    fn image(media_type: &str, architecture: &str) -> IndexEntry {
        let manifest = Manifest::new(media_type, architecture.into());
        let config =
            json!({ "os": "linux", "architecture": architecture, "variant": "", "created": "x" });
        IndexEntry::of_image(&manifest, config.to_string().as_bytes())
    }

    fn attestation(of: &IndexEntry) -> IndexEntry {
        let digest = Digest::of(format!("about {}", of.digest).as_bytes());
        IndexEntry::listed(&json!({
            "mediaType": OCI_MANIFEST,
            "digest": digest.as_str(),
            "size": 1,
            "annotations": { "vnd.docker.reference.digest": of.digest.as_str(), "vnd.docker.reference.type": "attestation-manifest" },
            "platform": { "architecture": "unknown", "os": "unknown" },
        })).unwrap()
    }

    fn part(title: &str, entries: Vec<IndexEntry>) -> (String, Vec<IndexEntry>) {
        (title.to_owned(), entries)
    }

    #[test]
    fn index_has_the_format_of_imagetools() {
        let entries = [image(OCI_MANIFEST, "amd64")];
        let index = assemble(&entries, &[("a".to_owned(), "b".to_owned())]);
        assert_eq!(index.media_type, OCI_INDEX);
        expect![[r#"
            {
              "schemaVersion": 2,
              "mediaType": "application/vnd.oci.image.index.v1+json",
              "manifests": [
                {
                  "mediaType": "application/vnd.oci.image.manifest.v1+json",
                  "digest": "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51",
                  "size": 5,
                  "platform": {
                    "architecture": "amd64",
                    "os": "linux"
                  }
                }
              ],
              "annotations": {
                "a": "b"
              }
            }"#]]
        .assert_eq(&String::from_utf8(index.bytes).unwrap());
    }

    #[test]
    fn only_docker_manifests_make_a_docker_list_without_annotations() {
        let docker = image(DOCKER_MANIFEST, "amd64");
        let note = [("a".to_owned(), "b".to_owned())];
        let list = assemble(std::slice::from_ref(&docker), &note);
        assert_eq!(list.media_type, DOCKER_LIST);
        assert!(list.content().unwrap().annotations.is_empty());
        let mixed = assemble(&[docker, image(OCI_MANIFEST, "arm64")], &note);
        assert_eq!(mixed.media_type, OCI_INDEX);
    }

    #[test]
    fn images_follow_the_platforms_and_attestations_their_image() {
        let (amd64, arm64) = (image(OCI_MANIFEST, "amd64"), image(OCI_MANIFEST, "arm64"));
        let riscv64 = image(OCI_MANIFEST, "riscv64");
        let about = [attestation(&amd64), attestation(&arm64)];
        let parts = [
            part(
                "one",
                vec![about[1].clone(), riscv64.clone(), arm64.clone()],
            ),
            part("two", vec![amd64.clone(), about[0].clone()]),
        ];
        let order = |platforms: &[&str]| {
            let platforms: Vec<String> = platforms.iter().map(|&one| one.to_owned()).collect();
            let entries = ordered(&parts, &platforms).unwrap().into_iter();
            entries.map(|entry| entry.digest).collect::<Vec<_>>()
        };
        let digests = |entries: [&IndexEntry; 5]| entries.map(|entry| entry.digest.clone());
        let asked = digests([&amd64, &about[0], &arm64, &about[1], &riscv64]);
        assert_eq!(order(&["linux/amd64", "linux/arm64/v8"]), asked);
        let by_line = digests([&riscv64, &arm64, &about[1], &amd64, &about[0]]);
        assert_eq!(order(&[]), by_line);
    }

    #[test]
    fn platform_of_two_parts_is_an_error_with_both() {
        let parts = ["one", "two"].map(|title| part(title, vec![image(OCI_MANIFEST, title)]));
        assert!(ordered(&parts, &[]).is_ok());
        let parts = ["one", "two"].map(|title| part(title, vec![image(OCI_MANIFEST, "arm64")]));
        let twice = PlatformTwice {
            platform: "linux/arm64".to_owned(),
            parts: ["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(ordered(&parts, &[]), Err(twice));
    }

    #[test]
    fn versions_of_windows_are_platforms_of_their_own() {
        let windows = |version: &str| {
            let digest = Digest::of(version.as_bytes());
            let platform =
                json!({ "os": "windows", "architecture": "amd64", "os.version": version });
            IndexEntry::listed(&json!({ "digest": digest.as_str(), "platform": platform })).unwrap()
        };
        let entries = vec![windows("10.0.17763"), windows("10.0.20348")];
        assert_eq!(ordered(&[part("one", entries)], &[]).unwrap().len(), 2);
    }
}
