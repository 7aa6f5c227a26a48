//! What the builder wrote and pushed, from its rawjson progress: known before buildx ends, which reports only the digest of
//! the whole image.

use tokio::time::Instant;

use crate::buildx::progress::messages::Activity;
use crate::image::digest::Digest;
use crate::image::name::ImageName;

/// The parts of the image that the progress names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    index: Option<Digest>,
    /// Of platforms and attestations.
    pub(crate) manifests: Vec<Digest>,
    pub(crate) configs: Vec<Digest>,
}

/// An image that the builder has pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Name of the image; a tag may follow.
    reference: String,
    pub(crate) digest: Digest,
    pub(crate) parts: Exported,
    /// When the progress said so.
    pub(crate) since: Instant,
}

/// More are not read ahead.
const MAX_PARTS: usize = 128;

impl Exported {
    /// Takes the part from what BuildKit says it is doing, for example `exporting config sha256:…`
    /// (<https://github.com/moby/buildkit/blob/v0.25.1/exporter/containerimage/writer.go>). Returns the image if it has been
    /// pushed (<https://github.com/moby/buildkit/blob/v0.25.1/util/push/push.go>).
    pub(super) fn see(&mut self, activity: &Activity<'_>) -> Option<Pushed> {
        if let Some(reference) = activity.id.strip_prefix("pushing manifest for ") {
            activity.completed?;
            return self.pushed(reference);
        }
        let (what, digest) = activity.id.rsplit_once(' ')?;
        let parts = match what {
            "exporting manifest list" => {
                self.index = digest.parse().ok();
                return None;
            }
            "exporting manifest" | "exporting attestation manifest" => &mut self.manifests,
            "exporting config" => &mut self.configs,
            _ => return None,
        };
        let digest = digest.parse().ok()?;
        if parts.len() < MAX_PARTS && !parts.contains(&digest) {
            parts.push(digest);
        }
        None
    }

    /// BuildKit says no digest if it writes no tag.
    fn pushed(&self, reference: &str) -> Option<Pushed> {
        let (reference, digest) = match reference.rsplit_once('@') {
            Some((reference, digest)) => (reference, digest.parse().ok()?),
            None => (reference, self.root()?.clone()),
        };
        Some(Pushed {
            reference: reference.to_owned(),
            digest,
            parts: self.clone(),
            since: Instant::now(),
        })
    }

    fn root(&self) -> Option<&Digest> {
        match (&self.index, &*self.manifests) {
            (Some(index), _) => Some(index),
            (None, [only]) => Some(only),
            _ => None,
        }
    }
}

impl Pushed {
    pub(crate) fn is_under(&self, name: &ImageName) -> bool {
        let rest = self.reference.strip_prefix(&name.to_string());
        rest.is_some_and(|tag| tag.is_empty() || tag.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: char) -> Digest {
        let digits: String = std::iter::repeat_n(digit, 64).collect();
        format!("sha256:{digits}").parse().unwrap()
    }

    /// What was pushed, after these activities came to their end.
    fn seen(exported: &mut Exported, activities: &[String]) -> Option<Pushed> {
        let activities = activities.iter().map(|id| Activity {
            id: id.into(),
            vertex: "sha256:1".into(),
            current: 0,
            timestamp: None,
            started: None,
            completed: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        });
        activities.fold(None, |pushed, activity| exported.see(&activity).or(pushed))
    }

    #[test]
    fn parts_are_taken_from_what_buildkit_says() {
        let [one, two, three, four] = ['1', '2', '3', '4'].map(digest);
        let mut exported = Exported::default();
        let activities = [
            "exporting layers".to_owned(),
            format!("exporting manifest {one}"),
            format!("exporting manifest {one}"),
            format!("exporting attestation manifest {two}"),
            format!("exporting config {three}"),
            format!("exporting manifest list {four}"),
            "exporting manifest sha256:short".to_owned(),
            "exporting config".to_owned(),
        ];
        assert_eq!(seen(&mut exported, &activities), None);
        let expected = Exported {
            index: Some(four),
            manifests: vec![one, two],
            configs: vec![three],
        };
        assert_eq!(exported, expected);
    }

    #[test]
    fn pushed_image_is_known_with_and_without_a_tag() {
        let [one, two] = ['1', '2'].map(digest);
        let mut exported = Exported::default();
        let manifest = format!("exporting manifest {one}");
        let name = |name: &str| ImageName::parse(name, "ghcr.io").unwrap();
        for (reference, expected) in [
            ("ghcr.io/acme/app", &one),
            (&*format!("ghcr.io/acme/app:main@{two}"), &two),
        ] {
            let push = format!("pushing manifest for {reference}");
            let pushed = seen(&mut exported, &[manifest.clone(), push]).unwrap();
            assert_eq!(pushed.digest, *expected);
            assert!(pushed.is_under(&name("ghcr.io/acme/app")));
            assert!(!pushed.is_under(&name("ghcr.io/acme/ap")));
            assert!(!pushed.is_under(&name("ghcr.io/acme/app/x")));
        }
        let two_platforms = [manifest, format!("exporting manifest {two}")];
        let mut exported = Exported::default();
        seen(&mut exported, &two_platforms);
        let push = ["pushing manifest for ghcr.io/acme/app".to_owned()];
        assert_eq!(seen(&mut exported, &push), None, "its index is unknown");
    }

    #[test]
    fn number_of_parts_is_limited() {
        let mut exported = Exported::default();
        let many = (0..1000).map(|number| format!("exporting manifest sha256:{number:064x}"));
        seen(&mut exported, &many.collect::<Vec<_>>());
        assert_eq!(exported.manifests.len(), MAX_PARTS);
    }
}
