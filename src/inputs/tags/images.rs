//! The `images` input: names, each of which may be switched off.

use crate::error::{Explanation, InputError, Problem};
use crate::image::name::ImageName;
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::tags::flavor::boolean;

/// A name as it is written; which registry it belongs to is decided later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageEntry {
    entry: Entry,
    name: String,
    pub(crate) enabled: bool,
}

/// Reads the input: one `name=…,enable=…` or bare name a line, or all names on one line between
/// commas, as it was written before there were attributes.
pub(crate) fn parse(text: &str) -> Result<Vec<ImageEntry>, Problem> {
    let entries = list::entries("images", text)?;
    let mut images = Vec::new();
    for entry in &entries {
        let read = match entries.as_slice() {
            [only] => names_on_one_line(only),
            _ => Ok(None),
        };
        let read = match read {
            Ok(None) => ImageEntry::read(entry).map(|image| vec![image]),
            Ok(Some(names)) => Ok(names),
            Err(error) => Err(error),
        };
        images.extend(read.map_err(|error| entry.problem(error))?);
    }
    Ok(images)
}

/// The names of a line without any attribute.
fn names_on_one_line(entry: &Entry) -> Result<Option<Vec<ImageEntry>>, InputError> {
    let fields = entry.fields()?;
    if fields.iter().any(|field| field.contains('=')) {
        return Ok(None);
    }
    let names = fields.into_iter().filter(|name| !name.is_empty());
    let images = names.map(|name| ImageEntry {
        entry: entry.clone(),
        name,
        enabled: true,
    });
    Ok(Some(images.collect()))
}

impl ImageEntry {
    fn read(entry: &Entry) -> Result<Self, InputError> {
        let mut name = None;
        let mut enabled = true;
        for field in entry.fields()? {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key.trim().to_lowercase(), value.trim()),
                None => ("name".to_owned(), field.as_str()),
            };
            match key.as_str() {
                "name" if name.is_some() => return Err(second_name(value)),
                "name" => name = Some(value.to_owned()),
                "enable" => enabled = boolean(value)?,
                other => {
                    let because = format!("unknown image attribute `{other}`");
                    return Err(InputError::not_one_of(because, other, &["name", "enable"]));
                }
            }
        }
        let entry = entry.clone();
        let name = name.filter(|name| !name.is_empty()).ok_or_else(no_name)?;
        Ok(Self {
            entry,
            name,
            enabled,
        })
    }

    /// Whether it says in which registry the image is.
    pub(crate) fn has_registry(&self) -> bool {
        ImageName::has_registry(&self.name)
    }

    /// The name as it was written.
    pub(crate) fn written(&self) -> &str {
        &self.name
    }

    /// The name, in `default_registry` when it names none.
    pub(crate) fn image_name(&self, default_registry: &str) -> Result<ImageName, Problem> {
        self.parse(&self.name, default_registry)
    }

    /// The name below `place`: a registry, and a path in it.
    pub(crate) fn image_name_in(&self, place: &str) -> Result<ImageName, Problem> {
        self.parse(&format!("{place}/{}", self.name), place)
    }

    fn parse(&self, text: &str, default_registry: &str) -> Result<ImageName, Problem> {
        ImageName::parse(text, default_registry).map_err(|problem| {
            let explanation = Explanation::of(&problem.into());
            self.entry.problem(InputError {
                because: [&[explanation.what], explanation.because.as_slice()]
                    .concat()
                    .join(": "),
                fix: explanation.fix.unwrap_or_default(),
            })
        })
    }
}

fn no_name() -> InputError {
    InputError::new(
        "the image has no name",
        "write `name=ghcr.io/acme/widget`, or the bare name",
    )
}

fn second_name(name: &str) -> InputError {
    InputError::new(
        format!("`{name}` is a second name on the line"),
        "write one image per line",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, expected: &[(&str, bool)]) {
        let images = parse(text).unwrap();
        let names = images.iter().map(|image| {
            let name = image.image_name("ghcr.io").unwrap().to_string();
            (name, image.enabled)
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, on)| ((*name).to_owned(), *on))
            .collect();
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(text: &str, expected: Expect) {
        let named = parse(text).and_then(|images| {
            images
                .iter()
                .try_for_each(|image| image.image_name("ghcr.io").map(drop))
        });
        let explanation = Explanation::of(&named.unwrap_err().into());
        expected.assert_eq(&explanation.to_string());
    }

    #[test]
    fn names_may_have_attributes_or_share_a_line() {
        check("", &[]);
        check("Acme/Widget", &[("ghcr.io/acme/widget", true)]);
        check(
            "name=quay.io/a/b, Enable=false\nacme/c",
            &[("quay.io/a/b", false), ("ghcr.io/acme/c", true)],
        );
        check(
            "acme/a,quay.io/b/c,",
            &[("ghcr.io/acme/a", true), ("quay.io/b/c", true)],
        );
        check("acme/a,enable=false", &[("ghcr.io/acme/a", false)]);
    }

    #[test]
    fn a_wrong_image_names_its_line() {
        refused(
            "acme/a\nacme/b:1.0",
            expect![[r#"
            invalid entry in the input `images`, line 2: `acme/b:1.0`
              because: `acme/b:1.0` is not a valid image name: it contains the tag `1.0`; the name is `ghcr.io/acme/b`, and tags go to the input `tags`
              fix: write `images: <registry>/<owner>/<name>` with letters, digits and single `.`, `_` or `-` between them, for example `ghcr.io/acme/widget`"#]],
        );
        refused(
            "name=acme/a,enabled=true",
            expect![[r#"
            invalid entry in the input `images`, line 1: `name=acme/a,enabled=true`
              because: unknown image attribute `enabled`
              fix: write `name` or `enable`; did you mean `enable`?"#]],
        );
        refused(
            "acme/a,enable=no",
            expect![[r#"
            invalid entry in the input `images`, line 1: `acme/a,enable=no`
              because: `no` is not a boolean
              fix: write `true` or `false`"#]],
        );
        refused(
            "enable=true",
            expect![[r#"
            invalid entry in the input `images`, line 1: `enable=true`
              because: the image has no name
              fix: write `name=ghcr.io/acme/widget`, or the bare name"#]],
        );
        refused(
            "acme/a,acme/b\nacme/c",
            expect![[r#"
            invalid entry in the input `images`, line 1: `acme/a,acme/b`
              because: `acme/b` is a second name on the line
              fix: write one image per line"#]],
        );
    }
}
