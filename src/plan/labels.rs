//! OCI labels and annotations
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>), and the order in which they are listed.

use crate::context::facts::Facts;
use crate::inputs::expressions::Values;
use crate::inputs::labels::LabelLine;

/// What every image says of its origin, with `own` on top, in the order of the keys.
pub(crate) fn labels(own: &[LabelLine], values: &Values<'_>) -> Vec<(String, String)> {
    let mut labels = origin(values.facts, values.version);
    for template in own.iter().map(LabelLine::template) {
        if template.names_the_commit() && values.facts.commit().is_err() {
            continue;
        }
        let text = template.text(values);
        let Some((key, value)) = text.split_once('=') else {
            continue;
        };
        match labels.iter_mut().find(|(other, _)| other == key) {
            Some((_, other)) => value.clone_into(other),
            None => labels.push((key.to_owned(), value.to_owned())),
        }
    }
    labels.sort_by_cached_key(|(key, _)| order(key));
    labels
}

fn origin(facts: &Facts<'_>, version: &str) -> Vec<(String, String)> {
    let repository = facts.repository();
    let origin = [
        ("title", repository.name),
        ("description", repository.description),
        ("url", repository.html_url.clone()),
        ("source", repository.html_url),
        ("version", version.to_owned()),
        ("created", facts.created()),
        // Empty, the label still replaces one that a Dockerfile sets.
        ("revision", facts.revision()),
        ("licenses", repository.license),
    ];
    let origin = origin.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
    origin.into()
}

/// Every ASCII character that counts, in order; both cases of a letter have one place.
const ORDER: &str =
    "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// The order of label keys: that of `String.prototype.localeCompare`, in which docker/metadata-action lists them.
///
/// It is the root collation of CLDR (<https://www.unicode.org/reports/tr35/tr35-collation.html>). Keys are ASCII by
/// the rule of reverse domain names; other characters come after, by code point.
///
/// The letters come first, and their case only between keys that are otherwise the same: lower case before upper case.
fn order(key: &str) -> (Vec<usize>, Vec<bool>) {
    let places = |character: char| Some((place(character)?, character.is_ascii_uppercase()));
    key.chars().filter_map(places).unzip()
}

/// The position of a character in the order; control characters have none.
fn place(character: char) -> Option<usize> {
    if character.is_ascii() {
        return ORDER.find(character.to_ascii_lowercase());
    }
    Some(ORDER.len() + character as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sorted: &[&str]) {
        let mut keys = sorted.to_vec();
        keys.reverse();
        keys.sort_by_cached_key(|key| order(key));
        assert_eq!(keys, sorted);
    }

    #[test]
    fn keys_are_listed_as_javascript_sorts_them() {
        check(&["_a", "-a", ".a", "/a", "1", "10", "9", "a", "A", "b"]);
        check(&["aB", "Ab", "AB", "ac"]);
        check(&[
            "com.example.a",
            "com.example/a",
            "com.examplea",
            "empty",
            "Foo",
            "maintainer",
        ]);
        check(&["a b", "a-b", "a.b", "ab", "z", "é"]);
    }
}
