//! What an engine with the containerd store exports: an image whole, or the part of it that was pulled.

use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest};
use crate::oci_layout::Layout;
use crate::oci_layout::LayoutError;

/// An image as far as the layout has it.
pub(crate) struct Present {
    pub(crate) root: Manifest,
    /// The digests an index names and the layout does not have; then `root` is not what the engine shows.
    pub(crate) left_out: usize,
}

impl Layout {
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
            [] => return Err(self.broken("holds none of the images its index names".to_owned())),
            [only] => self.manifest(&self.named(only)?)?,
            several => self.reduced(&root, several)?,
        };
        Ok(Present { root, left_out })
    }

    /// The one image of `index.json`, under however many names.
    fn root(&self) -> Result<Digest, LayoutError> {
        let roots = self.roots()?;
        let first = roots.first();
        let first = first.ok_or_else(|| self.broken("holds no image".to_owned()))?;
        if roots.iter().any(|root| root.digest != first.digest) {
            return Err(self.broken("holds several images".to_owned()));
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
    use crate::oci_layout::{tests::LAYERS, tests::World};
    use serde_json::json;

    /// An index of as many images, of which the layout has the first `there`.
    #[track_caller]
    fn check(images: usize, there: usize) -> (World, Manifest, Present) {
        let world = World::new();
        let children: Vec<Manifest> = (0..images)
            .map(|number| world.image(number, number < there))
            .collect();
        let index = json!({ "schemaVersion": 2, "manifests": children.iter().map(|child| json!({
            "mediaType": child.media_type, "digest": child.digest.as_str(), "size": child.bytes.len(),
        })).collect::<Vec<_>>() });
        let index = world.index(&index);
        let present = world.layout.present().unwrap();
        (world, index, present)
    }

    #[test]
    fn a_whole_index_stays_as_it_is() {
        let (_world, index, present) = check(2, 2);
        assert_eq!((present.root.digest, present.left_out), (index.digest, 0));
    }

    #[test]
    fn the_only_image_that_is_there_is_the_image() {
        let (world, _index, present) = check(3, 1);
        assert_eq!(present.left_out, 2);
        assert_eq!(present.root.digest, world.image(0, true).digest);
        assert_eq!(present.root.content().unwrap().layers.len(), LAYERS);
    }

    #[test]
    fn several_that_are_there_are_an_index_of_their_own() {
        let (world, index, present) = check(3, 2);
        assert_eq!(present.left_out, 1);
        assert_ne!(present.root.digest, index.digest);
        let content = present.root.content().unwrap();
        let digests: Vec<String> = content
            .manifests
            .into_iter()
            .map(|one| one.digest)
            .collect();
        let expected = [0, 1].map(|number| world.image(number, true).digest.to_string());
        assert_eq!(digests, expected);
    }

    #[test]
    fn nothing_that_is_there_is_no_image() {
        let world = World::new();
        let child = world.image(0, false);
        world.index(&json!({ "manifests": [{ "digest": child.digest.as_str() }] }));
        let error = world.layout.present().err().unwrap().to_string();
        assert_eq!(error, "the image holds none of the images its index names");
    }
}
