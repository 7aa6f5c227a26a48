//! Expressions in a text of another language: a build argument, a label, a path.

use crate::error::{InputError, nearest};
use crate::inputs::tags::template::call::{self, Call};
use crate::inputs::tags::template::{Expression, Piece, Template};

/// What a backslash before `{{` does: it keeps the braces and leaves the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backslash {
    /// Before an expression only.
    OfExpressions,
    /// Before any braces, as in Handlebars.
    OfBraces,
}

impl<E: Expression> Template<E> {
    /// Reads a text in which only the expressions of `E` count. Everything else stays as it is, to the byte: `{{`
    /// of Go templates or Jinja, and `${{ … }}`. A complete expression with wrong arguments is an error.
    pub(crate) fn embedded(text: &str, backslash: Backslash) -> Result<Self, InputError> {
        let mut template = Self::empty();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            literal.push_str(before);
            if literal.ends_with('$') {
                literal.push_str("{{");
                rest = keep_braces(&mut literal, after);
                continue;
            }
            let found = expression::<E>(after)?;
            let is_escaped = literal.ends_with('\\') && !literal.ends_with("\\\\");
            if is_escaped && (found.is_some() || backslash == Backslash::OfBraces) {
                literal.pop();
                literal.push_str("{{");
                rest = after;
                continue;
            }
            let Some((expression, ignored, following)) = found else {
                template.warnings.extend(slip::<E>(after));
                literal.push('{');
                rest = &rest[before.len() + 1..];
                continue;
            };
            if literal.ends_with('\\') {
                literal.pop();
            }
            template.warnings.extend(ignored);
            template.push(std::mem::take(&mut literal), expression);
            rest = following;
        }
        literal.push_str(rest);
        template.pieces.push(Piece::Text(literal));
        template.without_empty_text();
        Ok(template)
    }

    fn push(&mut self, text: String, expression: E) {
        self.pieces.push(Piece::Text(text));
        self.pieces.push(Piece::Expression(expression));
    }
}

/// An expression, warnings about it, and the text after it.
type Found<'t, E> = (E, Vec<String>, &'t str);

/// The expression that begins after `{{`, if it is one of `E`.
fn expression<E: Expression>(after: &str) -> Result<Option<Found<'_, E>>, InputError> {
    let Ok((call, rest)) = Call::parse(after) else {
        return Ok(None);
    };
    let Some(expression) = E::from_call(&call) else {
        return Ok(None);
    };
    let expression = expression.map_err(or_plain)?;
    let ignored = call.ignored_options(expression.options()).collect();
    Ok(Some((expression, ignored, rest)))
}

fn or_plain(error: InputError) -> InputError {
    InputError::new(
        error.because,
        format!("{} (for plain braces: `\\{{{{`)", error.fix),
    )
}

/// Moves the braces that `text` begins with to `literal`.
fn keep_braces<'t>(literal: &mut String, text: &'t str) -> &'t str {
    let rest = text.trim_start_matches('{');
    literal.push_str(&text[..text.len() - rest.len()]);
    rest
}

/// A warning about text that is nearly an expression.
fn slip<E: Expression>(after: &str) -> Option<String> {
    let name = call::name(after)?;
    match Call::parse(after) {
        Ok(_) => {
            let near = near::<E>(name)?;
            Some(format!(
                "`{{{{{name}}}}}` is not an expression, so it stays as it is; did you mean `{{{{{near}}}}}`?"
            ))
        }
        Err(error) if E::NAMES.contains(&name) => Some(format!(
            "`{{{{{name}` does not begin an expression, so it stays as it is: {}",
            error.because
        )),
        Err(_) => None,
    }
}

/// The name that was probably meant, if any is close enough: `version` is `meta.version`.
fn near<E: Expression>(name: &str) -> Option<&'static str> {
    let mut names = E::NAMES.iter().copied();
    let meant = names.find(|known| known.split_once('.').is_some_and(|(_, last)| last == name));
    meant.or_else(|| nearest(name, E::NAMES.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::tags::template::Global;

    fn parse(text: &str) -> Template<Global> {
        Template::embedded(text, Backslash::OfExpressions).unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = parse(text).render(|expression| format!("<{expression:?}>"));
        assert_eq!(shown, expected);
    }

    #[track_caller]
    fn untouched(text: &str) {
        check(text, text);
    }

    #[test]
    fn expressions_are_found_between_other_braces() {
        check("a-{{sha}}-b", "a-<Sha>-b");
        check("{{{branch}}}{{& tag }}", "<Branch><Tag>");
        check("{{ .Foo }}{{sha}}{{", "{{ .Foo }}<Sha>{{");
        check("{{ {{sha}} }}", "{{ <Sha> }}");
        check("{{{sha}}", "{<Sha>");
    }

    #[test]
    fn other_languages_stay_as_they_are() {
        untouched("");
        untouched("{{ .Foo }} {{- range . }}{{end}} {{ printf \"%s\" .X }}");
        untouched("{{ sha | upper }} {% raw %}{{ user.name }}{% endraw %}");
        untouched("{{version}}-{{major}} {{#if branch}}x{{/if}} {{~sha~}} {{ tag");
        untouched("${{ sha }}${{{sha}}}${{{{sha}}}}");
        untouched("\\{{ .Foo }} \\\\{{ .Foo }} }} {x} {");
    }

    #[test]
    fn a_backslash_keeps_an_expression() {
        check("\\{{sha}}", "{{sha}}");
        check("\\\\{{sha}}", "\\<Sha>");
        check("\\{{{sha}}}", "{{{sha}}}");
        let text = "\\{{ .Foo }}-\\{{sha}}";
        let template = Template::<Global>::embedded(text, Backslash::OfBraces).unwrap();
        assert_eq!(template.literal(), Some("{{ .Foo }}-{{sha}}"));
    }

    #[test]
    fn wrong_arguments_are_an_error() {
        let error = Template::<Global>::embedded("x={{date}}", Backslash::OfExpressions).err();
        let expected = InputError::new(
            "`date` has 0 arguments instead of one",
            "write for example `{{date 'YYYY-MM-DD'}}` (for plain braces: `\\{{`)",
        );
        assert_eq!(error, Some(expected));
    }

    #[test]
    fn a_slip_is_a_warning() {
        assert_eq!(
            parse("{{sah}} {{date YYYY}} {{ .sah }} {{other}} {{date 'Y' a='b'}}").warnings(),
            [
                "`{{sah}}` is not an expression, so it stays as it is; did you mean `{{sha}}`?",
                "`{{date` does not begin an expression, so it stays as it is: `YYYY` is neither a quoted argument nor an option with a quoted value",
                "the option `a` of `{{date}}` has no effect: `date` has only the option `tz`",
            ]
        );
    }
}
