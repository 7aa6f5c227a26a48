//! The plain text after the last message: the excerpt of the Dockerfile and the error.

use crate::buildx::progress::lines::clipped;

/// What buildx prints when a build has failed: an excerpt of the source between dashes, then `ERROR: ..`.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// `Dockerfile:3`, the dashes, and the lines between them.
    excerpt: Vec<String>,
    error: Vec<String>,
}

/// A line of the source, as buildx names it: the file by its last name only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) file: String,
    pub(crate) line: u32,
}

const MAX_LINES: usize = 30;
const MAX_LINE: usize = 300;
const MAX_ERROR: usize = 4000;

impl Ending {
    /// Takes a line, or gives it back when it belongs neither to an excerpt nor to the error.
    pub(crate) fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        if let Some(error) = line.strip_prefix("ERROR: ") {
            self.error = vec![clipped(error, MAX_ERROR).into_owned()];
        } else if !self.error.is_empty() {
            push(&mut self.error, line);
        } else if self.is_in_excerpt() || (self.excerpt.is_empty() && spot(line).is_some()) {
            push(&mut self.excerpt, line);
        } else if !line.trim().is_empty() {
            return Some(line);
        }
        None
    }

    fn is_in_excerpt(&self) -> bool {
        let dashes = self.excerpt.iter().filter(|line| is_dashes(line)).count();
        !self.excerpt.is_empty() && dashes < 2
    }

    pub(crate) fn spot(&self) -> Option<Spot> {
        spot(self.excerpt.first()?)
    }

    /// The lines between the dashes.
    pub(crate) fn excerpt(&self) -> Vec<String> {
        let lines = self.excerpt.iter().skip(1);
        let lines = lines.filter(|line| !is_dashes(line) && !line.trim_end().ends_with('|'));
        lines.cloned().collect()
    }

    pub(crate) fn error(&self) -> Option<String> {
        let text = self.error.join("\n");
        (!text.is_empty()).then(|| text.trim_end().to_owned())
    }
}

fn push(lines: &mut Vec<String>, line: &str) {
    if lines.len() < MAX_LINES {
        lines.push(clipped(line, MAX_LINE).into_owned());
    }
}

fn is_dashes(line: &str) -> bool {
    line.len() >= 3 && line.bytes().all(|byte| byte == b'-')
}

/// `Dockerfile:3`, the line above an excerpt.
fn spot(text: &str) -> Option<Spot> {
    let (file, line) = text.rsplit_once(':')?;
    let is_bare = !file.is_empty() && !file.contains(char::is_whitespace);
    let line = line.parse().ok().filter(|_| is_bare)?;
    let file = file.to_owned();
    Some(Spot { file, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_and_error_are_kept_and_the_rest_is_given_back() {
        let text = "WARNING: no output\nDockerfile:2\n-----\n   1 |     FROM a\n   2 | >>> RUN x:1\n   3 |     \n-----\nERROR: failed\nto build";
        let mut ending = Ending::default();
        let rest: Vec<&str> = text.lines().filter_map(|line| ending.take(line)).collect();
        assert_eq!(rest, ["WARNING: no output"]);
        let spot = Spot {
            file: "Dockerfile".to_owned(),
            line: 2,
        };
        assert_eq!(ending.spot(), Some(spot));
        assert_eq!(
            ending.excerpt(),
            ["   1 |     FROM a", "   2 | >>> RUN x:1"]
        );
        assert_eq!(ending.error().as_deref(), Some("failed\nto build"));
    }
}
