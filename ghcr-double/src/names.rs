//! The grammars of repository names and tags, as the distribution specification gives them:
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>.

/// GHCR also wants an owner, so two components at least.
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

/// Undoes percent-encoding; a `+` in a query is a space.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The pairs of a query or of a posted form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, digest_of, is_digest, is_name, is_tag};

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
    fn tags_may_hold_capitals_but_no_slash() {
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

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decode("repo%2Fimage+x%"), "repo/image x%");
    }
}
