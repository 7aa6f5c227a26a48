//! What a registry asks for when it requires authentication: the header `WWW-Authenticate`
//! (<https://distribution.github.io/distribution/spec/auth/token/#how-to-authenticate>).

use std::sync::LazyLock;

use regex::Regex;
use reqwest::header::WWW_AUTHENTICATE;

use crate::registry::http::Response;

impl Response {
    /// The first challenge of the answer that we understand.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        let challenges = self.headers.get_all(WWW_AUTHENTICATE).iter();
        challenges
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .next()
    }
}

/// What a registry asks for in `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        let realm = parameter(parameters, "realm").filter(|_| bearer)?;
        Some(Self::Bearer {
            realm,
            service: parameter(parameters, "service"),
        })
    }
}

/// `name="value"` or `name=value` (<https://www.rfc-editor.org/rfc/rfc9110#name-authentication-parameters>); an
/// unquoted value may hold more than a token, for example a URL.
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    let token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
    let quoted = r#""((?:[\t !#-\[\]-~]|\\[\t -~])*)""#;
    let parameter = format!(r"({token})[ \t]*=[ \t]*(?:{quoted}|([!#-+\--~]+))");
    Regex::new(&parameter).expect("the expression is valid")
});
static ESCAPED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\\([\t -~])").expect("the expression is valid"));

/// The value of a parameter; a backslash in quotes escapes the next character.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut found = PARAMETER.captures_iter(parameters);
    let found = found.find(|found| found[1].eq_ignore_ascii_case(name))?;
    Some(match found.get(2) {
        Some(quoted) => ESCAPED.replace_all(quoted.as_str(), "$1").into_owned(),
        None => found[3].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realm_and_service_are_read_and_the_scope_is_not() {
        let header = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#;
        let expected = Challenge::Bearer {
            realm: "https://ghcr.io/token".to_owned(),
            service: Some("ghcr.io".to_owned()),
        };
        assert_eq!(Challenge::parse(header), Some(expected));
        assert_eq!(
            Challenge::parse("Basic realm=\"x\""),
            Some(Challenge::Basic)
        );
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
        assert_eq!(Challenge::parse("Negotiate"), None);
    }

    #[test]
    fn parameters_may_hold_quotes_commas_and_no_quotes() {
        assert_eq!(
            parameter(r#"a="x,\"y\"", realm=z"#, "realm").as_deref(),
            Some("z")
        );
        assert_eq!(
            parameter(r#"a="x,\"y\"", realm=z"#, "a").as_deref(),
            Some("x,\"y\"")
        );
        assert_eq!(parameter(r#"realm="open"#, "realm"), None);
    }
}
