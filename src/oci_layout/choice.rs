//! Finds one image among those of a layout or archive, by name, position or digest.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::digest::Digest;
use crate::inputs::candidate::file::Choice;

/// An image of an archive with all its names.
#[derive(Debug)]
pub(super) struct Named<T> {
    pub(super) names: Vec<String>,
    pub(super) image: T,
}

/// How many names an error lists.
const SHOWN: usize = 20;

/// The image that `choice` means, also if it is listed under several names. An error completes the sentence "the archive ...".
pub(super) fn choose<T: PartialEq>(images: Vec<Named<T>>, choice: &Choice) -> Result<T, String> {
    let count = images.len();
    let listed = list(&images);
    let mut images = images.into_iter();
    let chosen: Vec<Named<T>> = match choice {
        Choice::Numbered(number) => images.nth(*number).into_iter().collect(),
        Choice::Named(name) => images.filter(|image| has_name(image, name)).collect(),
        Choice::Only | Choice::Digest(_) => images.collect(),
    };
    let mut chosen = chosen.into_iter();
    let Some(first) = chosen.next() else {
        return Err(match choice {
            _ if count == 0 => "has no image".to_owned(),
            Choice::Numbered(number) => {
                format!("has {count} images, and none with the number {number}")
            }
            Choice::Named(name) => format!("has no image `{name}`; it has {listed}"),
            Choice::Only | Choice::Digest(_) => "has no image".to_owned(),
        });
    };
    if chosen.all(|other| other.image == first.image) {
        return Ok(first.image);
    }
    Err(match choice {
        Choice::Named(name) => format!("has several images `{name}`: {listed}"),
        _ => format!("has several images: {listed}"),
    })
}

fn has_name<T>(image: &Named<T>, name: &str) -> bool {
    image
        .names
        .iter()
        .any(|own| own == name || full(own) == full(name))
}

/// A name as `docker pull` understands it: without the registry and owner that go without saying, and with a tag.
fn full(name: &str) -> String {
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    let tag = if last.contains([':', '@']) {
        ""
    } else {
        ":latest"
    };
    format!("{short}{tag}")
}

fn list<T>(images: &[Named<T>]) -> String {
    let names = images.iter().enumerate().map(|(number, image)| {
        let names = image.names.iter().map(|name| format!("`{name}`"));
        let names: Vec<String> = names.collect();
        match names.as_slice() {
            [] => format!("`@{number}` without a name"),
            names => names.join(" = "),
        }
    });
    let mut names: Vec<String> = names.take(SHOWN + 1).collect();
    if names.len() > SHOWN {
        names[SHOWN] = format!("and {} more", images.len() - SHOWN);
    }
    names.join(", ")
}

/// An entry of `index.json`, as far as it names an image.
#[derive(Deserialize)]
pub(super) struct Root {
    digest: String,
    annotations: Option<BTreeMap<String, String>>,
}

/// `index.json` of a layout.
#[derive(Deserialize)]
pub(super) struct Roots {
    #[serde(default)]
    manifests: Vec<Root>,
}

/// The annotations that hold the name of an image: of the specification, and of containerd and buildx.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

impl Roots {
    /// The images by digest. An error completes the sentence "the layout ...".
    pub(super) fn named(self) -> Result<Vec<Named<Digest>>, String> {
        let named = self.manifests.into_iter().map(|root| {
            let image = root.digest.parse();
            let image: Digest =
                image.map_err(|problem| format!("has an index in which {problem}"))?;
            let annotations = root.annotations.unwrap_or_default();
            let names = NAMES
                .iter()
                .filter_map(|key| annotations.get(*key).cloned());
            let names = names.collect();
            Ok(Named { names, image })
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn images() -> Vec<Named<Digest>> {
        let entry = |content: &str, name: &str, short: &str| {
            json!({ "digest": Digest::of(content.as_bytes()).as_str(), "annotations": {
                "io.containerd.image.name": name, "org.opencontainers.image.ref.name": short } })
        };
        let index = json!({ "manifests": [
            entry("one", "docker.io/library/app:1", "1"),
            entry("one", "docker.io/library/app:latest", "latest"),
            entry("two", "quay.io/acme/app:1", "2"),
        ] });
        let roots: Roots = serde_json::from_value(index).unwrap();
        roots.named().unwrap()
    }

    fn chosen(choice: &Choice) -> Result<Digest, String> {
        choose(images(), choice)
    }

    #[test]
    fn image_is_found_by_each_of_its_names() {
        for (name, content) in [
            ("app:1", "one"),
            ("docker.io/library/app:1", "one"),
            ("app", "one"),
            ("2", "two"),
            ("quay.io/acme/app:1", "two"),
        ] {
            let found = chosen(&Choice::Named(name.to_owned()));
            assert_eq!(found.unwrap(), Digest::of(content.as_bytes()), "{name}");
        }
        assert_eq!(chosen(&Choice::Numbered(2)).unwrap(), Digest::of(b"two"));
    }

    #[test]
    fn ambiguous_choice_lists_the_names() {
        assert_eq!(
            chosen(&Choice::Only).unwrap_err(),
            "has several images: `docker.io/library/app:1` = `1`, `docker.io/library/app:latest` = `latest`, `quay.io/acme/app:1` = `2`"
        );
        let error = chosen(&Choice::Named("gone".to_owned())).unwrap_err();
        assert!(
            error.starts_with("has no image `gone`; it has `docker.io"),
            "{error}"
        );
        assert_eq!(
            chosen(&Choice::Numbered(3)).unwrap_err(),
            "has 3 images, and none with the number 3"
        );
        assert_eq!(
            choose::<Digest>(Vec::new(), &Choice::Only).unwrap_err(),
            "has no image"
        );
        let mut same = images();
        same.truncate(2);
        assert_eq!(choose(same, &Choice::Only).unwrap(), Digest::of(b"one"));
    }
}
