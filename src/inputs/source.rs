//! Where files of a build come from: a folder of the workspace, the repository, or an address.

use crate::error::InputError;

/// A build context as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A folder, relative to the workspace or absolute.
    Folder(String),
    /// `{{defaultContext}}`: this repository at this commit, as the engine fetches it; the folder in it,
    /// empty for the root.
    Repository(String),
    /// Anything the engine fetches on its own: a git or web address, an image, another target.
    Address(String),
}

/// Schemes of a named context that are no web address.
const NAMED_SCHEMES: &[&str] = &["docker-image://", "oci-layout://", "target:"];

impl Source {
    /// Reads the input `context`.
    pub(super) fn parse(text: &str) -> Result<Self, InputError> {
        if text == "-" {
            return Err(InputError::new(
                "there is no standard input to read it from",
                "name a folder of the workspace, or an address",
            ));
        }
        if let Some(folder) = in_repository(text)? {
            return Ok(Self::Repository(folder));
        }
        if !is_remote(text) {
            return Ok(Self::Folder(text.to_owned()));
        }
        refuse_login(text)?;
        // With its scheme it can't be taken for a folder of that name.
        let scheme = if text.starts_with("github.com/") {
            "https://"
        } else {
            ""
        };
        Ok(Self::Address(format!("{scheme}{text}")))
    }

    /// Reads what stands behind the `=` of an entry of `build-contexts`.
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

/// A login in an address ends in the log and in the provenance. `git@` is none.
pub(super) fn refuse_login(address: &str) -> Result<(), InputError> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return Ok(());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host.rsplit_once('@') {
        Some((user, _)) if scheme != "ssh" || user.contains(':') => Err(InputError::new(
            "the address holds a login, which would end in the log and in the provenance",
            "take it out, and give the token as `secrets: GIT_AUTH_TOKEN=…`",
        )),
        _ => Ok(()),
    }
}

/// The folder in `{{defaultContext}}[:folder]`; nothing for any other text.
fn in_repository(text: &str) -> Result<Option<String>, InputError> {
    let Some((name, rest)) = text
        .strip_prefix("{{")
        .and_then(|text| text.split_once("}}"))
    else {
        return Ok(None);
    };
    let folder = match rest.strip_prefix(':') {
        Some(folder) => folder.trim_matches('/'),
        None if rest.is_empty() => "",
        None => return Err(not_understood(text)),
    };
    if name.trim() != "defaultContext" {
        return Err(not_understood(text));
    }
    if folder.split('/').any(|part| part == "..") || folder.contains(['#', ':', '\n']) {
        return Err(InputError::new(
            format!("`{folder}` leaves the repository"),
            "name a folder in it, for example `{{defaultContext}}:app`",
        ));
    }
    Ok(Some(if folder == "." {
        String::new()
    } else {
        folder.to_owned()
    }))
}

fn not_understood(text: &str) -> InputError {
    InputError::new(
        format!("`{text}` is no template that is known here"),
        "write `{{defaultContext}}`, or `{{defaultContext}}:folder`",
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
    fn a_source_is_a_folder_the_repository_or_an_address() {
        let folder = |text: &str| Source::Folder(text.to_owned());
        let repository = |text: &str| Source::Repository(text.to_owned());
        let address = |text: &str| Source::Address(text.to_owned());
        check(".", folder("."));
        check("a@b/c:d", folder("a@b/c:d"));
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
    fn what_leaks_or_leads_out_is_refused() {
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
