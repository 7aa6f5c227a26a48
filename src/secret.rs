//! `Secret`: a value that cannot be printed.

use std::fmt;

/// In bytes. So short a text may be a part of a digest by chance.
pub(crate) const SHORT: usize = 5;

/// A token or password. `Debug` is redacted and there is no `Display`; [`Secret::expose`] belongs on
/// the line that sends the value and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret out of `text`, without the white space around it; nothing when nothing is left.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// A secret that is `text` to the last space; nothing when it is empty.
    pub(crate) fn exact(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_hides_the_value() {
        let secret = Secret::new(" ghs_abc\n");
        assert_eq!(format!("{secret:?}"), "Some(***)");
        assert_eq!(secret.as_ref().map(Secret::expose), Some("ghs_abc"));
        assert_eq!(Secret::new("  "), None);
        assert_eq!(
            Secret::exact(" a\n").as_ref().map(Secret::expose),
            Some(" a\n")
        );
    }
}
