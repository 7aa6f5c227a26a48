//! `Call`: the parsed text between `{{` and `}}`, before its name is resolved.

use std::fmt;

use crate::error::{InputError, one_of};

/// A name with its quoted arguments: `date 'YYYY' tz='UTC'`.
pub(crate) struct Call {
    name: String,
    arguments: Vec<String>,
    options: Vec<(String, String)>,
}

impl Call {
    /// Reads the call after an opening `{{`; also returns the text after the closing braces.
    pub(crate) fn parse(after_braces: &str) -> Result<(Self, &str), InputError> {
        let (close, inside) = match after_braces.strip_prefix('{') {
            Some(inside) => ("}}}", inside),
            None => ("}}", after_braces.strip_prefix('&').unwrap_or(after_braces)),
        };
        if inside.starts_with(['#', '/', '^', '>', '!', '~', '*', '{']) {
            return Err(no_blocks());
        }
        let (name, mut rest) = path(inside.trim_start()).ok_or_else(no_name)?;
        let mut call = Self {
            name: name.to_owned(),
            arguments: Vec::new(),
            options: Vec::new(),
        };
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix(close) {
                return Ok((call, after));
            }
            rest = call.argument(rest)?;
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Nothing but the name, and options.
    pub(crate) fn without_arguments(&self) -> Result<(), InputError> {
        if self.arguments.is_empty() {
            return Ok(());
        }
        Err(InputError::new(
            format!(
                "`{{{{{self:?}}}}}` has arguments, and `{}` takes none",
                self.name
            ),
            format!("write `{{{{{}}}}}`", self.name),
        ))
    }

    /// A warning for each option that is not `known`.
    pub(crate) fn ignored_options(&self, known: &[&str]) -> impl Iterator<Item = String> {
        let names = self.options.iter().map(|(name, _)| name.as_str());
        let unknown = names.filter(|name| !known.contains(name));
        unknown.map(|name| {
            let has = if known.is_empty() {
                "no option".to_owned()
            } else {
                format!("only the option {}", one_of(known))
            };
            let call = &self.name;
            format!("the option `{name}` of `{{{{{call}}}}}` has no effect: `{call}` has {has}")
        })
    }

    /// The one argument there must be.
    pub(crate) fn one_argument(&self) -> Result<&str, InputError> {
        match self.arguments.as_slice() {
            [argument] => Ok(argument),
            arguments => Err(InputError::new(
                format!(
                    "`{}` has {} arguments instead of one",
                    self.name,
                    arguments.len()
                ),
                format!("write for example `{{{{{} 'YYYY-MM-DD'}}}}`", self.name),
            )),
        }
    }

    /// The last value given to the option `name`.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let options = self.options.iter().rev();
        options
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads one argument or option and returns what follows.
    fn argument<'t>(&mut self, text: &'t str) -> Result<&'t str, InputError> {
        if let Some((value, rest)) = quoted(text) {
            self.arguments.push(value);
            return Ok(rest);
        }
        let (name, rest) = word(text).ok_or_else(|| self.never_closed(text))?;
        let value = rest.trim_start().strip_prefix('=');
        let (value, rest) = value
            .and_then(|text| quoted(text.trim_start()))
            .ok_or_else(|| unquoted(name))?;
        self.options.push((name.to_owned(), value));
        Ok(rest)
    }

    fn never_closed(&self, text: &str) -> InputError {
        let name = &self.name;
        let because = match text.chars().next() {
            None => format!("`{{{{{name}` is never closed"),
            Some(other) => format!("`{other}` has no meaning after `{{{{{name}`"),
        };
        InputError::new(
            because,
            format!("end the expression with two braces: `{{{{{name}}}}}`"),
        )
    }
}

fn no_name() -> InputError {
    InputError::new(
        "`{{` starts an expression, but no name follows",
        "write a name between the braces, for example `{{branch}}`, or `\\{{` for plain braces",
    )
}

fn no_blocks() -> InputError {
    InputError::new(
        "blocks, partials and comments of Handlebars are not part of tag rules",
        "write expressions such as `{{branch}}` only, and conditions as `enable={{is_default_branch}}`",
    )
}

fn unquoted(word: &str) -> InputError {
    InputError::new(
        format!("`{word}` is neither a quoted argument nor an option with a quoted value"),
        format!("put it in quotes: `'{word}'`"),
    )
}

/// The name after an opening `{{`, whatever follows it.
pub(crate) fn name(after_braces: &str) -> Option<&str> {
    let inside = after_braces.trim_start_matches(['{', '&']);
    path(inside.trim_start()).map(|(name, _)| name)
}

/// Words with single dots between them.
fn path(text: &str) -> Option<(&str, &str)> {
    let (first, mut rest) = word(text)?;
    let mut end = first.len();
    while let Some((next, after)) = rest.strip_prefix('.').and_then(word) {
        end += 1 + next.len();
        rest = after;
    }
    Some(text.split_at(end))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A text in single or double quotes, in which a backslash keeps the same quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut rest = &text[1..];
    loop {
        let (before, after) = rest.split_once(quote)?;
        rest = after;
        match before.strip_suffix('\\') {
            Some(kept) => {
                value.push_str(kept);
                value.push(quote);
            }
            None => {
                value.push_str(before);
                return Some((value, rest));
            }
        }
    }
}

/// The call as it could have been written.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut arguments = self.arguments.iter();
        arguments.try_for_each(|argument| write!(f, " {argument:?}"))?;
        let mut options = self.options.iter();
        options.try_for_each(|(name, value)| write!(f, " {name}={value:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = Call::parse(text).map(|(call, _)| call).unwrap_err();
        assert_eq!(error.because, because);
    }

    #[test]
    fn arguments_and_options_are_quoted() {
        let (call, rest) = Call::parse(" date  'it\\'s' tz = \"a\" }} rest").unwrap();
        assert_eq!(call.name(), "date");
        assert_eq!(call.one_argument(), Ok("it's"));
        assert_eq!(call.option("tz"), Some("a"));
        assert_eq!(rest, " rest");
        let (call, rest) = Call::parse("meta.version}}").unwrap();
        assert_eq!((call.name(), rest), ("meta.version", ""));
    }

    #[test]
    fn invalid_call_gives_the_reason() {
        refused("", "`{{` starts an expression, but no name follows");
        refused("}}", "`{{` starts an expression, but no name follows");
        refused("sha", "`{{sha` is never closed");
        refused("meta..x}}", "`.` has no meaning after `{{meta`");
        refused("sha}", "`}` has no meaning after `{{sha`");
        refused("{sha}}", "`}` has no meaning after `{{sha`");
        refused("date 'x}}", "`'` has no meaning after `{{date`");
        refused(
            "date YYYY}}",
            "`YYYY` is neither a quoted argument nor an option with a quoted value",
        );
        refused(
            "#if a}}",
            "blocks, partials and comments of Handlebars are not part of tag rules",
        );
    }
}
