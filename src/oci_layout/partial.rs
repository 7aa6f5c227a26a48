//! Reads the export of an engine with the containerd store: a complete image, or the platforms that were pulled.

use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest};
use crate::oci_layout::LayoutError;
use crate::oci_layout::OciLayout;

/// An image as far as the layout has it.
pub(crate) struct Present {
    pub(crate) root: Manifest,
    /// The digests an index names and the layout does not have; then `root` is not what the engine shows.
    pub(crate) left_out: usize,
}

impl OciLayout {
    /// The image of the layout. What an index names and the layout does not hold is left out; when one
    /// image remains, that is the image.
    pub(crate) fn present(&self) -> Result<Present, LayoutError> {
        let root = self.manifest(&self.root()?)?;
        let content = self.content(&root)?;
        if content.manifests.is_empty() {
            return Ok(Present { root, left_out: 0 });
        }
        let mut there = Vec::new();
        for child in &content.manifests {
            if self.holds(child)? {
                there.push(child.digest.clone());
            }
        }
        let left_out = content.manifests.len() - there.len();
        let root = match there.as_slice() {
            _ if left_out == 0 => root,
            [] => return Err(self.broken("has none of the images in its index".to_owned())),
            [only] => self.manifest(&self.named(only)?)?,
            several => self.reduced(&root, several)?,
        };
        Ok(Present { root, left_out })
    }

    /// The one image of `index.json`, under however many names.
    fn root(&self) -> Result<Digest, LayoutError> {
        let roots = self.roots()?;
        let first = roots.first();
        let first = first.ok_or_else(|| self.broken("has no image".to_owned()))?;
        if roots.iter().any(|root| root.digest != first.digest) {
            return Err(self.broken("has several images".to_owned()));
        }
        self.named(&first.digest)
    }

    /// Whether the manifest and everything it needs is there.
    fn holds(&self, child: &Descriptor) -> Result<bool, LayoutError> {
        let digest = self.named(&child.digest)?;
        if !self.has(&digest) {
            return Ok(false);
        }
        let content = self.content(&self.manifest(&digest)?)?;
        for part in content.blobs().chain(&content.manifests) {
            if !self.has(&self.named(&part.digest)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An index of those children alone, written into the layout.
    fn reduced(&self, index: &Manifest, there: &[String]) -> Result<Manifest, LayoutError> {
        let mut content: Value = serde_json::from_slice(&index.bytes).unwrap_or_default();
        if let Some(children) = content["manifests"].as_array_mut() {
            children.retain(|child| {
                there
                    .iter()
                    .any(|digest| child["digest"] == digest.as_str())
            });
        }
        self.add_manifest(&index.media_type, &content)
    }

    fn content(&self, manifest: &Manifest) -> Result<Content, LayoutError> {
        manifest.content().map_err(|error| {
            let digest = &manifest.digest;
            self.broken(format!(
                "has a manifest {digest} that cannot be read: {error}"
            ))
        })
    }

    fn named(&self, digest: &str) -> Result<Digest, LayoutError> {
        digest
            .parse()
            .map_err(|problem| self.broken(format!("has an index in which {problem}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci_layout::{tests::Fixture, tests::LAYERS};
    use serde_json::json;

    /// An index of as many images, of which the layout has the first `there`.
    #[track_caller]
    fn check(images: usize, there: usize) -> (Fixture, Manifest, Present) {
        let fixture = Fixture::new();
        let children: Vec<Manifest> = (0..images)
            .map(|number| fixture.image(number, number < there))
            .collect();
        let index = json!({ "schemaVersion": 2, "manifests": children.iter().map(|child| json!({
            "mediaType": child.media_type, "digest": child.digest.as_str(), "size": child.bytes.len(),
        })).collect::<Vec<_>>() });
        let index = fixture.index(&index);
        let present = fixture.layout.present().unwrap();
        (fixture, index, present)
    }

    #[test]
    fn complete_index_is_unchanged() {
        let (_world, index, present) = check(2, 2);
        assert_eq!((present.root.digest, present.left_out), (index.digest, 0));
    }

    #[test]
    fn single_available_image_replaces_index() {
        let (fixture, _index, present) = check(3, 1);
        assert_eq!(present.left_out, 2);
        assert_eq!(present.root.digest, fixture.image(0, true).digest);
        assert_eq!(present.root.content().unwrap().layers.len(), LAYERS);
    }

    #[test]
    fn available_images_become_a_new_index() {
        let (fixture, index, present) = check(3, 2);
        assert_eq!(present.left_out, 1);
        assert_ne!(present.root.digest, index.digest);
        let content = present.root.content().unwrap();
        let digests: Vec<String> = content
            .manifests
            .into_iter()
            .map(|one| one.digest)
            .collect();
        let expected = [0, 1].map(|number| fixture.image(number, true).digest.to_string());
        assert_eq!(digests, expected);
    }

    #[test]
    fn index_without_available_images_is_an_error() {
        let fixture = Fixture::new();
        let child = fixture.image(0, false);
        fixture.index(&json!({ "manifests": [{ "digest": child.digest.as_str() }] }));
        let error = fixture.layout.present().err().unwrap().to_string();
        assert_eq!(error, "the image has none of the images in its index");
    }
}
