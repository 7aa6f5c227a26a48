//! An image as the older registries of GitHub take it: one platform, Docker's media types, nothing beside
//! (<https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-2.md>). Its blobs stay what they are.

use serde_json::{Value, json};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::{Content, DOCKER_MANIFEST as MANIFEST, Descriptor, Manifest};
use crate::image::platform;
use crate::oci_layout::docker_archive::{CONFIG, LAYER};
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;

/// The limits of that registry
/// (<https://docs.github.com/en/enterprise-server@3.18/packages/working-with-a-github-packages-registry/working-with-the-docker-registry>).
const MAX_LAYER_BYTES: u64 = 5 * GIGABYTE;
const MAX_IMAGE_BYTES: u64 = 10 * GIGABYTE;
const GIGABYTE: u64 = 1_000_000_000;

const PLAIN_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Layers by what they are called, and as Docker calls them.
const LAYERS: &[(&str, &str)] = &[
    (LAYER, LAYER),
    ("application/vnd.oci.image.layer.v1.tar+gzip", LAYER),
    (PLAIN_LAYER, PLAIN_LAYER),
    ("application/vnd.oci.image.layer.v1.tar", PLAIN_LAYER),
];
const CONFIGS: [&str; 2] = [CONFIG, "application/vnd.oci.image.config.v1+json"];

/// Why there is no such image.
#[derive(Debug)]
pub(crate) enum ConvertError {
    Unread(RegistryError),
    /// What it is does not fit that registry.
    Image(Problem),
}

/// The image of `root` for `platform`, or the only one there is, in the form of Docker.
pub(crate) async fn to_docker(
    source: CopySource<'_>,
    root: &Manifest,
    platform: Option<&str>,
) -> Result<Manifest, ConvertError> {
    let unread = |error: serde_json::Error| {
        let digest = &root.digest;
        ConvertError::Unread(source.invalid(format!(
            "holds {digest}, which is not a valid manifest: {error}"
        )))
    };
    let content = root.content().map_err(unread)?;
    if content.manifests.is_empty() {
        return converted(root).map_err(ConvertError::Image);
    }
    let child = chosen(&content, platform).map_err(ConvertError::Image)?;
    let image = source
        .manifest(&child)
        .await
        .map_err(ConvertError::Unread)?;
    converted(&image).map_err(ConvertError::Image)
}

/// The image of an index for `platform`, or the only one that is for any: attestations are for none.
fn chosen(index: &Content, asked: Option<&str>) -> Result<Digest, Problem> {
    let children = index.manifests.iter();
    let images: Vec<(String, &Descriptor)> = children
        .filter_map(|child| Some((child.platform.as_ref()?.name()?, child)))
        .collect();
    let mut named = images.iter();
    let (what, fix) = match (asked, images.as_slice()) {
        (Some(asked), _) => match named.find(|(name, _)| platform::is_same(name, asked)) {
            Some((_, child)) => return child.digest.parse(),
            None => (
                format!("the image is not for {asked}"),
                "name one of its platforms in the input `platforms`",
            ),
        },
        (None, [(_, only)]) => return only.digest.parse(),
        (None, []) => {
            let what = "the index names no image of any platform";
            return Err(Problem::new(what, "publish an image"));
        }
        (None, _) => (
            "the older Docker registry accepts an image of one platform".to_owned(),
            "name the platform to publish in the input `platforms`, for example `linux/amd64`",
        ),
    };
    let there: Vec<&str> = images.iter().map(|(name, _)| name.as_str()).collect();
    Err(Problem::new(what, fix).because(format!("it is for {}", there.join(", "))))
}

/// The manifest in the form of Docker; it stays as it is when it has that form.
fn converted(manifest: &Manifest) -> Result<Manifest, Problem> {
    let image = manifest.content().map_err(|error| {
        no_image(&manifest.digest).because(format!("its manifest cannot be read: {error}"))
    })?;
    let Some(config) = &image.config else {
        return Err(no_image(&manifest.digest).because("it has no config"));
    };
    if !CONFIGS.contains(&config.media_type.as_str()) {
        let because = format!("its config is `{}`", config.media_type);
        return Err(no_image(&manifest.digest).because(because));
    }
    check_sizes(&image)?;
    let layers = image.layers.iter().map(converted_layer);
    let layers: Vec<Value> = layers.collect::<Result<_, _>>()?;
    let content = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": layers,
    });
    let before: Option<Value> = serde_json::from_slice(&manifest.bytes).ok();
    if manifest.media_type == MANIFEST && before.as_ref() == Some(&content) {
        return Ok(manifest.clone());
    }
    Ok(Manifest::new(MANIFEST, content.to_string().into_bytes()))
}

fn no_image(digest: &Digest) -> Problem {
    Problem::new(
        format!("`{digest}` is not a container image"),
        "publish it to a registry that takes artifacts, for example ghcr.io",
    )
}

fn converted_layer(layer: &Descriptor) -> Result<Value, Problem> {
    let Descriptor {
        media_type, digest, ..
    } = layer;
    let is_foreign = media_type.contains("foreign") || media_type.contains("nondistributable");
    if is_foreign || !layer.urls.is_empty() {
        return Err(Problem::new(
            format!("the layer `{digest}` is stored outside of the registry"),
            "build from a base image whose layers may be distributed",
        )
        .because("the older Docker registry accepts no foreign layers"));
    }
    let known = LAYERS.iter().find(|(name, _)| name == media_type);
    let (_, docker) = known.ok_or_else(|| {
        Problem::new(
            format!("the layer `{digest}` is `{media_type}`"),
            "build the image with layers in gzip: `outputs: type=image,compression=gzip,force-compression=true`",
        )
        .because("the older Docker registry accepts layers that are compressed with gzip or not at all")
    })?;
    Ok(described(docker, layer))
}

fn described(media_type: &str, part: &Descriptor) -> Value {
    json!({ "mediaType": media_type, "size": part.size, "digest": part.digest })
}

fn check_sizes(image: &Content) -> Result<(), Problem> {
    let refused = |what: String, limit: u64| {
        let because = format!("the older Docker registry accepts {} GB", limit / GIGABYTE);
        Problem::new(what, "make the image smaller, or split the layer").because(because)
    };
    let size = crate::console::size;
    let mut layers = image.layers.iter();
    if let Some(layer) = layers.find(|layer| layer.size > MAX_LAYER_BYTES) {
        let what = format!("the layer `{}` has {}", layer.digest, size(layer.size));
        return Err(refused(what, MAX_LAYER_BYTES));
    }
    if image.size() > MAX_IMAGE_BYTES {
        let what = format!("the image has {}", size(image.size()));
        return Err(refused(what, MAX_IMAGE_BYTES));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
    use expect_test::{Expect, expect};

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
    const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    fn part(media_type: &str, size: u64) -> Value {
        json!({ "mediaType": media_type, "size": size, "digest": Digest::of(b"").as_str() })
    }

    fn manifest(media_type: &str, config: &str, layers: &[Value]) -> Manifest {
        let content = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": part(config, 2),
            "layers": layers,
            "annotations": { "a": "b" },
        });
        of(media_type, &content)
    }

    fn of(media_type: &str, content: &Value) -> Manifest {
        Manifest::new(media_type, content.to_string().into_bytes())
    }

    #[test]
    fn media_types_are_converted_and_annotations_dropped() {
        let plain = "application/vnd.oci.image.layer.v1.tar";
        let oci = manifest(OCI, OCI_CONFIG, &[part(OCI_LAYER, 3), part(plain, 4)]);
        let docker = converted(&oci).unwrap();
        let content: Value = serde_json::from_slice(&docker.bytes).unwrap();
        let expected = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part(CONFIG, 2),
            "layers": [part(LAYER, 3), part(PLAIN_LAYER, 4)],
        });
        assert_eq!(content, expected);
        assert_eq!(docker.media_type, MANIFEST);
        assert_eq!(docker.digest, Digest::of(&docker.bytes));
    }

    #[test]
    fn docker_manifest_keeps_its_digest() {
        let content = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "layers": [part(LAYER, 3)],
            "config": part(CONFIG, 2),
        });
        let docker = of(MANIFEST, &content);
        assert_eq!(converted(&docker).unwrap().digest, docker.digest);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused<T: std::fmt::Debug>(ended: Result<T, Problem>, expected: Expect) {
        let error = anyhow::Error::from(ended.unwrap_err());
        let text = Explanation::of(&error).to_string();
        expected.assert_eq(&text.replace(Digest::of(b"").as_str(), "<digest>"));
    }

    #[test]
    fn unsupported_image_is_rejected_with_reason() {
        let layers = |layers: &[Value]| converted(&manifest(OCI, OCI_CONFIG, layers));
        let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
        refused(
            layers(&[part(zstd, 3)]),
            expect![[r#"
            the layer `<digest>` is `application/vnd.oci.image.layer.v1.tar+zstd`
              because: the older Docker registry accepts layers that are compressed with gzip or not at all
              fix: build the image with layers in gzip: `outputs: type=image,compression=gzip,force-compression=true`"#]],
        );
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        refused(
            layers(&[part(foreign, 3)]),
            expect![[r#"
            the layer `<digest>` is stored outside of the registry
              because: the older Docker registry accepts no foreign layers
              fix: build from a base image whose layers may be distributed"#]],
        );
        let mut elsewhere = part(OCI_LAYER, 3);
        elsewhere["urls"] = json!(["https://example.com/layer"]);
        refused(
            layers(&[elsewhere]),
            expect![[r#"
            the layer `<digest>` is stored outside of the registry
              because: the older Docker registry accepts no foreign layers
              fix: build from a base image whose layers may be distributed"#]],
        );
        refused(
            layers(&[part(OCI_LAYER, 5_000_000_001)]),
            expect![[r#"
            the layer `<digest>` has 5.0 GB
              because: the older Docker registry accepts 5 GB
              fix: make the image smaller, or split the layer"#]],
        );
        let large = part(OCI_LAYER, 4_000_000_000);
        refused(
            layers(&[large.clone(), large.clone(), large]),
            expect![[r#"
            the image has 12.0 GB
              because: the older Docker registry accepts 10 GB
              fix: make the image smaller, or split the layer"#]],
        );
        let empty = "application/vnd.oci.empty.v1+json";
        let artifact = of(OCI, &json!({ "config": part(empty, 2), "layers": [] }));
        let ended = converted(&artifact);
        assert_eq!(
            ended.unwrap_err().to_string(),
            format!("`{}` is not a container image", artifact.digest)
        );
    }

    #[test]
    fn index_yields_requested_or_only_image() {
        let child = |name: &str, os: &str, architecture: &str| {
            let digest = Digest::of(name.as_bytes());
            let platform = json!({ "os": os, "architecture": architecture });
            json!({ "digest": digest.as_str(), "platform": platform })
        };
        let index = |children: &[Value]| {
            let content = json!({ "manifests": children });
            serde_json::from_value::<Content>(content).unwrap()
        };
        let (amd64, arm64) = (child("a", "linux", "amd64"), child("b", "linux", "arm64"));
        let attestation = child("c", "unknown", "unknown");
        let one = index(&[attestation.clone(), amd64.clone()]);
        let two = index(&[amd64, arm64, attestation.clone()]);
        assert_eq!(chosen(&one, None).unwrap(), Digest::of(b"a"));
        let asked = chosen(&two, Some("linux/arm64")).unwrap();
        assert_eq!(asked, Digest::of(b"b"));
        refused(
            chosen(&two, None),
            expect![[r#"
            the older Docker registry accepts an image of one platform
              because: it is for linux/amd64, linux/arm64
              fix: name the platform to publish in the input `platforms`, for example `linux/amd64`"#]],
        );
        refused(
            chosen(&two, Some("linux/s390x")),
            expect![[r#"
            the image is not for linux/s390x
              because: it is for linux/amd64, linux/arm64
              fix: name one of its platforms in the input `platforms`"#]],
        );
        refused(
            chosen(&index(&[attestation]), None),
            expect![[r#"
            the index names no image of any platform
              fix: publish an image"#]],
        );
    }
}
