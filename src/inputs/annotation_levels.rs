//! `Levels`: where annotations go, as `docker buildx build --annotation` names the places
//! (<https://docs.docker.com/build/metadata/annotations/#specify-annotation-level>).

use std::fmt;

use crate::error::{InputError, Problem};

/// At least one level, each `manifest`, `index`, `manifest-descriptor` or `index-descriptor`, some
/// with a platform: `manifest[linux/amd64]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels(Vec<Level>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level(String);

const KINDS: &[&str] = &[
    "manifest",
    "index",
    "manifest-descriptor",
    "index-descriptor",
];

impl Levels {
    /// Reads levels between commas.
    pub(crate) fn parse(source: &str, text: &str) -> Result<Self, Problem> {
        let levels = text.split(',').map(|level| Level::parse(level.trim()));
        let levels: Result<Vec<Level>, InputError> = levels.collect();
        levels.map(Self).map_err(|error| {
            Problem::new(format!("`{source}` is `{text}`"), error.fix).because(error.because)
        })
    }

    /// What docker/metadata-action writes when nobody says anything.
    pub(crate) fn manifest() -> Self {
        Self(vec![Level("manifest".to_owned())])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Level> {
        self.0.iter()
    }
}

impl Level {
    fn parse(text: &str) -> Result<Self, InputError> {
        let kind = match text.split_once('[') {
            Some((kind, platform)) if platform.len() > 1 && platform.ends_with(']') => kind,
            _ => text,
        };
        if KINDS.contains(&kind) {
            return Ok(Self(text.to_owned()));
        }
        let because = format!("`{text}` is no level of annotations");
        Err(InputError::not_one_of(because, kind, KINDS))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_buildx() {
        let shown = |text| {
            let levels = Levels::parse("levels", text)?;
            Ok::<_, Problem>(levels.iter().map(Level::to_string).collect::<Vec<_>>())
        };
        assert_eq!(shown("manifest, index").unwrap(), ["manifest", "index"]);
        assert_eq!(
            shown("manifest[linux/amd64]").unwrap(),
            ["manifest[linux/amd64]"]
        );
        let problem = shown("manifests").unwrap_err();
        assert_eq!(problem.to_string(), "`levels` is `manifests`");
        assert!(shown("index[").is_err());
    }
}
