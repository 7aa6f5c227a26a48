//! `Spec`: what buildx calls an output, a cache or an attestation: `type=…` and its attributes.

use crate::error::{InputError, Problem};
use crate::inputs::list::Entry;

/// A type and its attributes in the order they were written, no key twice: of two, buildx would silently
/// take the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    kind: String,
    attributes: Vec<(String, String)>,
}

impl Spec {
    pub(crate) fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            attributes: Vec::new(),
        }
    }

    /// Reads `type=…,key=value,…`.
    pub(super) fn parse(entry: &Entry) -> Result<Self, Problem> {
        Self::read(entry).map_err(|error| entry.problem(error))
    }

    fn read(entry: &Entry) -> Result<Self, InputError> {
        let mut spec = Self::from_fields(entry.fields()?)?;
        let at = spec
            .attributes
            .iter()
            .position(|(key, _)| key.eq_ignore_ascii_case("type"));
        let Some(at) = at else {
            return Err(InputError::new(
                "`type` is missing",
                "start it with `type=`, for example `type=registry,ref=ghcr.io/acme/cache:main`",
            ));
        };
        spec.kind = spec.attributes.remove(at).1;
        Ok(spec)
    }

    /// Attributes alone, their type to be known from elsewhere.
    pub(super) fn from_fields(fields: Vec<String>) -> Result<Self, InputError> {
        let mut spec = Self::new("");
        for (number, field) in (1..).zip(fields) {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => (key.trim(), value),
                _ => {
                    return Err(InputError::new(
                        format!("part {number} of the entry is not `key=value`"),
                        "write `key=value` between commas, and quotes around one that holds a comma itself",
                    ));
                }
            };
            if spec.get(key).is_some() {
                return Err(InputError::new(
                    format!("the key `{key}` is set twice"),
                    "remove one of the two",
                ));
            }
            spec.attributes.push((key.to_owned(), value.to_owned()));
        }
        Ok(spec)
    }

    pub(super) fn of_kind(self, kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            ..self
        }
    }

    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    pub(crate) fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }

    /// Each key with its value, to be replaced.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&str, &mut String)> {
        let attributes = self.attributes.iter_mut();
        attributes.map(|(key, value)| (key.as_str(), value))
    }

    /// Keys are compared without regard to case, as buildx does.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(key);
        self.attributes
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    /// The same with `key` set to `value`.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.attributes
            .retain(|(name, _)| !name.eq_ignore_ascii_case(key));
        self.attributes.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Takes `key` out.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        let named = |(name, _): &(String, String)| name.eq_ignore_ascii_case(key);
        let at = self.attributes.iter().position(named)?;
        Some(self.attributes.remove(at).1)
    }

    /// The same with `key` set to `value` unless it is set already.
    #[must_use]
    pub(crate) fn or_with(self, key: &str, value: &str) -> Self {
        if self.get(key).is_some() {
            return self;
        }
        self.with(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::list;

    fn parse(text: &str) -> Result<Spec, Problem> {
        Spec::parse(&list::entries("outputs", text).unwrap()[0])
    }

    #[test]
    fn type_may_be_at_any_position_and_keys_keep_their_order() {
        let spec = parse("dest=out,TYPE=local,platform-split=false").unwrap();
        assert_eq!((spec.kind(), spec.get("Dest")), ("local", Some("out")));
        let expected = Spec::new("local")
            .with("dest", "out")
            .with("platform-split", "false");
        assert_eq!(spec, expected);
    }

    #[test]
    fn duplicate_key_is_refused() {
        for (text, cause) in [
            (
                "type=image,push=true,push=false",
                "the key `push` is set twice",
            ),
            ("type=image,Name=a,name=b", "the key `name` is set twice"),
            ("dest=x,y=z", "`type` is missing"),
            ("type=local,out", "part 2 of the entry is not `key=value`"),
        ] {
            let explanation = crate::error::Explanation::of(&parse(text).unwrap_err().into());
            assert_eq!(explanation.because, [cause]);
        }
    }
}
