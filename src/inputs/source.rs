//! Where files of a build come from: a directory of the workspace, the repository, or an address.

use crate::error::InputError;

/// A build context as written in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A directory, relative to the workspace or absolute.
    Directory(String),
    /// `{{defaultContext}}`: this repository at this commit, as the engine fetches it; the directory in it,
    /// empty for the root.
    Repository(String),
    /// Anything the engine fetches on its own: a git or web address, an image, another target.
    Address(String),
}

/// Schemes of a named context that are not web addresses.
const NAMED_SCHEMES: &[&str] = &["docker-image://", "oci-layout://", "target:"];

impl Source {
    /// Reads the input `context`.
    pub(super) fn parse(text: &str) -> Result<Self, InputError> {
        if text == "-" {
            return Err(InputError::new(
                "standard input is not available",
                "set it to a directory of the workspace or to a URL",
            ));
        }
        if let Some(directory) = in_repository(text)? {
            return Ok(Self::Repository(directory));
        }
        if !is_remote(text) {
            return Ok(Self::Directory(text.to_owned()));
        }
        refuse_login(text)?;
        // With its scheme it can't be taken for a directory of that name.
        let scheme = if text.starts_with("github.com/") {
            "https://"
        } else {
            ""
        };
        Ok(Self::Address(format!("{scheme}{text}")))
    }

    /// Reads the value of an entry of `build-contexts`, after the `=`.
    pub(super) fn parse_named(text: &str) -> Result<Self, InputError> {
        if NAMED_SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Address(text.to_owned()));
        }
        Self::parse(text)
    }
}

/// Whether the engine fetches it, by the rules of buildx.
pub(super) fn is_remote(text: &str) -> bool {
    let schemes = ["https://", "http://", "git://", "ssh://", "github.com/"];
    let is_scp = || {
        let login = text
            .split_once('@')
            .map(|(user, rest)| (user, rest.split_once(':')));
        matches!(login, Some((user, Some((host, _)))) if !user.contains('/') && !host.contains('/'))
    };
    schemes.iter().any(|scheme| text.starts_with(scheme)) || is_scp()
}

/// Refuses credentials in a URL: they would appear in the log and in the provenance. `git@` is not a credential.
pub(super) fn refuse_login(address: &str) -> Result<(), InputError> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return Ok(());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host.rsplit_once('@') {
        Some((user, _)) if scheme != "ssh" || user.contains(':') => Err(InputError::new(
            "the URL contains credentials, which would appear in the log and in the provenance",
            "remove them, and pass the token as `secrets: GIT_AUTH_TOKEN=…`",
        )),
        _ => Ok(()),
    }
}

/// The directory in `{{defaultContext}}[:directory]`; nothing for any other text.
fn in_repository(text: &str) -> Result<Option<String>, InputError> {
    let Some((name, rest)) = text
        .strip_prefix("{{")
        .and_then(|text| text.split_once("}}"))
    else {
        return Ok(None);
    };
    let directory = match rest.strip_prefix(':') {
        Some(directory) => directory.trim_matches('/'),
        None if rest.is_empty() => "",
        None => return Err(not_understood(text)),
    };
    if name.trim() != "defaultContext" {
        return Err(not_understood(text));
    }
    if directory.split('/').any(|part| part == "..") || directory.contains(['#', ':', '\n']) {
        return Err(InputError::new(
            format!("`{directory}` is outside the repository"),
            "set it to a directory inside the repository, for example `{{defaultContext}}:app`",
        ));
    }
    Ok(Some(if directory == "." {
        String::new()
    } else {
        directory.to_owned()
    }))
}

fn not_understood(text: &str) -> InputError {
    InputError::new(
        format!("`{text}` is not a known template"),
        "write `{{defaultContext}}`, or `{{defaultContext}}:directory`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Source) {
        assert_eq!(Source::parse_named(text), Ok(expected));
    }

    #[test]
    fn a_source_is_a_directory_the_repository_or_an_address() {
        let directory = |text: &str| Source::Directory(text.to_owned());
        let repository = |text: &str| Source::Repository(text.to_owned());
        let address = |text: &str| Source::Address(text.to_owned());
        check(".", directory("."));
        check("a@b/c:d", directory("a@b/c:d"));
        check("{{defaultContext}}", repository(""));
        check("{{ defaultContext }}:app/web/", repository("app/web"));
        check("{{defaultContext}}:.", repository(""));
        check(
            "https://example.com/x.tar.gz",
            address("https://example.com/x.tar.gz"),
        );
        check("github.com/acme/x", address("https://github.com/acme/x"));
        check(
            "git@github.com:acme/x.git",
            address("git@github.com:acme/x.git"),
        );
        check(
            "ssh://git@github.com/acme/x",
            address("ssh://git@github.com/acme/x"),
        );
        check(
            "docker-image://alpine:3",
            address("docker-image://alpine:3"),
        );
        check("target:base", address("target:base"));
    }

    #[test]
    fn credentials_in_a_url_and_paths_outside_are_refused() {
        for text in [
            "-",
            "https://joe:secret@example.com/x",
            "https://token@github.com/acme/x#main",
            "ssh://git:secret@github.com/acme/x",
            "{{defaultContext}}:../x",
            "{{defaultContext}}:a#b",
            "{{defaultContext}}app",
            "{{context}}",
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(!error.because.contains("secret"), "{error:?}");
        }
    }
}
