//! The order of label keys: that of `String.prototype.localeCompare`, in which docker/metadata-action
//! lists them.
//!
//! It is the root collation of CLDR (<https://www.unicode.org/reports/tr35/tr35-collation.html>).
//! Keys are ASCII by the rule of reverse domain names, so the table is that of ASCII; what is beyond
//! comes after it, by code point.

use std::cmp::Ordering;

/// Every ASCII character that counts, in order; both cases of a letter have one place.
const ORDER: &str =
    "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// Compares the letters first, and their case only between keys that are otherwise the same.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let places = places(a).cmp(places(b));
    places.then_with(|| cases(a).cmp(cases(b)))
}

fn places(key: &str) -> impl Iterator<Item = usize> {
    key.chars().filter_map(place)
}

/// Lower case comes before upper case.
fn cases(key: &str) -> impl Iterator<Item = bool> {
    let counted = key.chars().filter(|character| place(*character).is_some());
    counted.map(|character| character.is_ascii_uppercase())
}

/// Where a character stands; control characters stand nowhere.
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
        keys.sort_by(|a, b| compare(a, b));
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
