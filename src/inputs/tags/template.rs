//! `{{branch}}`, `{{date 'YYYY' tz='UTC'}}` and their kin: text with expressions in it.
//!
//! The form is that of Handlebars (<https://handlebarsjs.com/guide/expressions.html>), as far as tag
//! rules use it: `{{name}}`, `{{{name}}}`, quoted arguments and `\{{` for plain braces. Values are
//! put in as they are, never HTML-escaped. Blocks and partials are not part of the language.

pub(crate) mod call;
pub(crate) mod global;

use crate::error::InputError;
use crate::inputs::tags::template::call::Call;

/// A parsed text; every expression in it is known and complete.
#[derive(Clone, Debug)]
pub(crate) struct Template<E> {
    pieces: Vec<Piece<E>>,
    /// Warnings about options without effect.
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
enum Piece<E> {
    Text(String),
    Expression(E),
}

/// The expressions that a template may use.
pub(crate) trait Expression: Sized {
    /// The names, for the reader of an error.
    const NAMES: &'static [&'static str];

    /// The expression `call` asks for; nothing when it has no such name.
    fn from_call(call: &Call) -> Option<Result<Self, InputError>>;

    /// The options it has; others are ignored.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}

impl<E: Expression> Template<E> {
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let mut pieces = Vec::new();
        let mut warnings = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(kept) = before.strip_suffix('\\').filter(|b| !b.ends_with('\\')) {
                literal.push_str(kept);
                literal.push_str("{{");
                rest = after;
                continue;
            }
            literal.push_str(before.strip_suffix('\\').unwrap_or(before));
            let (call, remaining) = Call::parse(after)?;
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            let expression: E = resolve(&call)?;
            warnings.extend(call.ignored_options(expression.options()));
            pieces.push(Piece::Expression(expression));
            rest = remaining;
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self { pieces, warnings })
    }
}

fn resolve<E: Expression>(call: &Call) -> Result<E, InputError> {
    E::from_call(call).unwrap_or_else(|| {
        let name = call.name();
        let because = format!("unknown expression `{{{{{name}}}}}`");
        Err(InputError::not_one_of(because, name, E::NAMES))
    })
}

impl<E> Template<E> {
    pub(crate) fn empty() -> Self {
        Self {
            pieces: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn render(&self, mut value: impl FnMut(&E) -> String) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Expression(expression) => value(expression),
        });
        pieces.collect()
    }

    /// The text, if it has no expression.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &E> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Expression(expression) => Some(expression),
        })
    }

    /// The expression, if the template is nothing else.
    pub(crate) fn single(&self) -> Option<&E> {
        match self.pieces.as_slice() {
            [Piece::Expression(expression)] => Some(expression),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any expression, shown as it was read.
    struct Echo(String);

    impl Expression for Echo {
        const NAMES: &'static [&'static str] = &["branch", "date"];

        fn from_call(call: &Call) -> Option<Result<Self, InputError>> {
            Self::NAMES
                .contains(&call.name())
                .then(|| Ok(Self(format!("{call:?}"))))
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let template = Template::<Echo>::parse(text).unwrap();
        assert_eq!(template.render(|echo| format!("<{}>", echo.0)), expected);
    }

    #[track_caller]
    fn refused(text: &str, because: &str, fix: &str) {
        let error = Template::<Echo>::parse(text).err();
        assert_eq!(error, Some(InputError::new(because, fix)));
    }

    #[test]
    fn text_and_expressions_alternate() {
        check("", "");
        check("a{{branch}}b", "a<branch>b");
        check(
            "{{ branch }}{{{branch}}}{{&branch}}",
            "<branch><branch><branch>",
        );
        check("{{date 'a}}b' tz=\"c\"}}", "<date \"a}}b\" tz=\"c\">");
        check("}} {x} {", "}} {x} {");
    }

    #[test]
    fn a_backslash_keeps_the_braces() {
        check("\\{{branch}}-{{branch}}", "{{branch}}-<branch>");
        check("\\\\{{branch}}", "\\<branch>");
    }

    #[test]
    fn unknown_expression_names_the_nearest() {
        refused(
            "{{brunch}}",
            "unknown expression `{{brunch}}`",
            "write `branch` or `date`; did you mean `branch`?",
        );
    }
}
