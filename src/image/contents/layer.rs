//! The layers of an image, with the instructions that made them.

use serde::Deserialize;

use crate::image::manifest::Descriptor;

/// A layer as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    /// Bytes, compressed.
    pub(crate) size: u64,
    /// What made it, from the history of the config, without the values of build arguments.
    pub(crate) instruction: Option<String>,
}

/// An entry of the history.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    created_by: Option<String>,
    empty_layer: Option<bool>,
}

/// Each layer with the entry of the history that made it. A history of another length says nothing of any layer.
pub(super) fn layers(descriptors: &[Descriptor], history: &[Step]) -> Vec<Layer> {
    let steps = history.iter().filter(|step| step.empty_layer != Some(true));
    let steps: Vec<&Step> = steps.collect();
    let is_complete = steps.len() == descriptors.len();
    let layer = |(number, descriptor): (usize, &Descriptor)| Layer {
        digest: descriptor.digest.clone(),
        size: descriptor.size,
        instruction: steps
            .get(number)
            .filter(|_| is_complete)
            .and_then(|step| instruction(step.created_by.as_deref()?)),
    };
    descriptors.iter().enumerate().map(layer).collect()
}

/// The instruction as its author wrote it, from what BuildKit and the classic builder record. The values of build
/// arguments, which `RUN` has before its command (`|1 TOKEN=… /bin/sh -c make`), are left out.
fn instruction(created_by: &str) -> Option<String> {
    const SHELL: &str = "/bin/sh -c ";
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim_end();
    let command = text.strip_prefix("RUN ").unwrap_or(text);
    if let Some(other) = command.strip_prefix("/bin/sh -c #(nop)") {
        return some(other.trim_start().to_owned());
    }
    if command.starts_with('|') {
        // Values may hold spaces, so that only the last shell is certain to come after them.
        let command = command
            .rsplit_once(SHELL)
            .map_or("…", |(_, command)| command);
        return some(format!("RUN {}", command.trim()));
    }
    match command.strip_prefix(SHELL) {
        Some(command) => some(format!("RUN {}", command.trim())),
        None => some(text.to_owned()),
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl Layer {
    /// What made the layer, on one line of at most `length` characters; its digest where that is not known.
    pub(crate) fn title(&self, length: usize) -> String {
        one_line(self.instruction.as_ref().unwrap_or(&self.digest), length)
    }
}

/// Text on one line of at most `length` characters.
pub(crate) fn one_line(text: &str, length: usize) -> String {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let words = text.split(is_space).filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(length) {
        line.truncate(end);
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_instruction(created_by: &str, expected: Option<&str>) {
        assert_eq!(instruction(created_by).as_deref(), expected);
    }

    #[test]
    fn an_instruction_reads_as_it_was_written() {
        check_instruction(
            "RUN /bin/sh -c apt-get update # buildkit",
            Some("RUN apt-get update"),
        );
        check_instruction("COPY app /app # buildkit", Some("COPY app /app"));
        check_instruction(
            "/bin/sh -c #(nop) ADD file:1 in / ",
            Some("ADD file:1 in /"),
        );
        check_instruction("/bin/sh -c make", Some("RUN make"));
        check_instruction("bazel build //:app", Some("bazel build //:app"));
        check_instruction(" # buildkit", None);
    }

    #[test]
    fn an_instruction_has_no_value_of_a_build_argument() {
        for created_by in [
            "RUN |1 TOKEN=hunter2 /bin/sh -c make # buildkit",
            "RUN |2 A=1 TOKEN=x /bin/sh -c hunter2 /bin/sh -c make # buildkit",
            "|1 TOKEN=hunter2 /bin/sh -c make",
        ] {
            check_instruction(created_by, Some("RUN make"));
        }
        check_instruction("RUN |1 TOKEN=hunter2 /bin/bash -c make", Some("RUN …"));
    }

    #[test]
    fn a_title_is_one_line() {
        let title = |instruction: &str, length| {
            let layer = Layer {
                digest: "sha256:a".to_owned(),
                size: 1,
                instruction: some(instruction.to_owned()),
            };
            layer.title(length)
        };
        assert_eq!(
            title("RUN a \\\n\t b\r\n::error::x", 80),
            r"RUN a \ b ::error::x"
        );
        assert_eq!(title("RUN ä-make", 6), "RUN ä…");
        assert_eq!(title("RUN ä", 5), "RUN ä");
        assert_eq!(title("", 80), "sha256:a");
    }
}
