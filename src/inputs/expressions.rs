//! Expressions in inputs other than `tags`: those of the tag language, and `meta`, which tells what the tags came to.

use crate::context::facts::Facts;
use crate::error::InputError;
use crate::image::name::ImageName;
use crate::inputs::tags::template::call::Call;
use crate::inputs::tags::template::embedded::Backslash;
use crate::inputs::tags::template::{Expression, Global, Template};

#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// `{{meta.version}}`: the output `version`.
    Version,
    /// `{{meta.image}}`: the first image name, lowercase, without a tag.
    Image,
    /// `{{meta.created}}`: the text of the label `org.opencontainers.image.created`.
    Created,
    Global(Global),
}

impl Expression for Known {
    const NAMES: &'static [&'static str] = &[
        "meta.version",
        "meta.image",
        "meta.created",
        "branch",
        "tag",
        "sha",
        "base_ref",
        "is_default_branch",
        "is_not_default_branch",
        "date",
        "commit_date",
    ];

    fn from_call(call: &Call) -> Option<Result<Self, InputError>> {
        let meta = match call.name() {
            "meta.version" => Self::Version,
            "meta.image" => Self::Image,
            "meta.created" => Self::Created,
            _ => return Global::from_call(call).map(|global| global.map(Self::Global)),
        };
        Some(call.without_arguments().map(|()| meta))
    }

    fn options(&self) -> &'static [&'static str] {
        match self {
            Self::Global(global) => global.options(),
            Self::Version | Self::Image | Self::Created => &[],
        }
    }
}

/// What the expressions stand for on this event.
pub(crate) struct Values<'a> {
    pub(crate) facts: &'a Facts<'a>,
    /// Empty if no rule gives a tag.
    pub(crate) version: &'a str,
    /// None if no image is enabled.
    pub(crate) image: Option<&'a ImageName>,
}

impl Values<'_> {
    /// Empty if this event has no value for it, or if the commit may not be named.
    pub(crate) fn of(&self, expression: &Known) -> String {
        match expression {
            Known::Version => self.version.to_owned(),
            Known::Image => self.image.map(ImageName::to_string).unwrap_or_default(),
            Known::Created => self.facts.created(),
            Known::Global(global) => global.value(self.facts),
        }
    }
}

impl Template<Known> {
    pub(crate) fn text(&self, values: &Values<'_>) -> String {
        self.render(|expression| values.of(expression))
    }

    /// Whether the text differs from commit to commit.
    pub(crate) fn names_the_commit(&self) -> bool {
        self.expressions()
            .any(|expression| matches!(expression, Known::Global(Global::Sha)))
    }
}

/// The text without its expressions: an `=` or a comma in an expression is not one of the list.
pub(super) fn outside(text: &str) -> String {
    let template = Template::<Known>::embedded(text, Backslash::OfExpressions);
    template.map_or_else(
        |_| text.to_owned(),
        |template| template.render(|_| String::new()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_global_expression_of_tags_is_known() {
        assert_eq!(Known::NAMES[3..], *Global::NAMES);
    }

    #[test]
    fn text_outside_of_expressions_is_what_lists_are_split_by() {
        assert_eq!(outside("a:{{date 'Y' tz='UTC'}}"), "a:");
        assert_eq!(outside("a={{ .b }}"), "a={{ .b }}");
        assert_eq!(outside("a={{date}}"), "a={{date}}");
    }
}
