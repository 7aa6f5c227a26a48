//! Repository names, tags and digests, with the grammars of the distribution specification:
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>.

/// GHCR also requires an owner, so a name has at least two components.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 255 && text.contains('/') && text.split('/').all(is_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter()
        .all(|end| end.is_some_and(|byte| alphanumeric(*byte)))
        && text
            .split(|letter: char| alphanumeric(u8::try_from(letter).unwrap_or(b'?')))
            .filter(|separator| !separator.is_empty())
            .all(|separator| {
                matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
            })
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::{digest_of, is_digest, is_name, is_tag};

    #[track_caller]
    fn check_name(name: &str, expected: bool) {
        assert_eq!(is_name(name), expected, "{name}");
    }

    #[test]
    fn names_follow_the_grammar_and_have_an_owner() {
        for good in ["acme/widget", "acme/a/b/c", "a--b/c__d.e-f", "0/1"] {
            check_name(good, true);
        }
        for bad in [
            "image",
            "Acme/widget",
            "acme/",
            "acme//x",
            "acme/.github",
            "acme/a_.b",
            "acme/a...b",
            "acme/a-",
            "acme/é",
        ] {
            check_name(bad, false);
        }
    }

    #[test]
    fn tags_may_contain_capitals_but_no_slash() {
        assert!(is_tag("v1.2.3-RC_1"));
        assert!(is_tag(&"a".repeat(128)));
        assert!(!is_tag(&"a".repeat(129)));
        assert!(!is_tag("feature/x"));
        assert!(!is_tag("-x"));
        assert!(!is_tag(""));
    }

    #[test]
    fn digests_are_lowercase_sha256() {
        assert!(is_digest(&digest_of(b"x")));
        assert!(!is_digest("sha256:ABC"));
    }
}
