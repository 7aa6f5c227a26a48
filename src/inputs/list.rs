//! How an input that holds a list is split.

/// One entry a line; empty lines and lines that begin with `#` are left out.
pub(super) fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// As [`lines`], with several entries a line between commas.
pub(super) fn entries(text: &str) -> Vec<String> {
    let lines = lines(text);
    let entries = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_no_entries() {
        assert_eq!(lines("a=1\n\n # note\n  b=2 "), ["a=1", "b=2"]);
        assert_eq!(
            entries("linux/amd64, linux/arm64\n#x,y\nlinux/arm/v7,"),
            ["linux/amd64", "linux/arm64", "linux/arm/v7"]
        );
    }
}
