//! Challenge -> how to authenticate.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/>. Only realm and service are taken
//! from the challenge: the scope is our own, since GHCR names a placeholder there.

use std::time::Duration;

use serde::Deserialize;

use crate::credentials::owner;
use crate::secret::Secret;

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

/// The value of `name="value"`; a backslash in it escapes the next character.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = quoted(after.trim_start())?;
        if key.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let (value, next) = text.split_once(',').unwrap_or((text, ""));
        return Some((value.trim().to_owned(), next));
    };
    let mut value = String::new();
    let mut characters = inner.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// Whether a login for `registry` may be sent to `realm`: over TLS, to a host of the same owner, at any port; on
/// loopback without TLS, to the host itself.
pub(super) fn is_trusted(realm: &reqwest::Url, registry: &reqwest::Url) -> bool {
    let (Some(realm_host), Some(registry_host)) = (realm.host_str(), registry.host_str()) else {
        return false;
    };
    match realm.scheme() {
        "https" => owner::is_same(realm_host, registry_host),
        _ => registry.scheme() == "http" && realm_host == registry_host,
    }
}

/// No server takes a longer header.
const LONGEST_TOKEN: usize = 64 * 1024;
/// In seconds.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

/// The answer of a token endpoint; OAuth2 calls the same thing `access_token`.
#[derive(Deserialize)]
pub(super) struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Granted {
    /// How long it is good for, when the answer says so; nothing we do takes longer than a day.
    pub(super) fn life(&self) -> Option<Duration> {
        let seconds = self.expires_in?.min(LONGEST_LIFE);
        Some(Duration::from_secs(seconds))
    }

    pub(super) fn token(self) -> Option<Secret> {
        let token = self.token.or(self.access_token)?;
        Secret::new(&token).filter(|_| token.len() <= LONGEST_TOKEN)
    }
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

    #[test]
    fn a_life_without_end_can_still_be_reckoned_with() {
        let granted: Granted =
            serde_json::from_str(r#"{"token":"x","expires_in":18446744073709551615}"#).unwrap();
        assert!(granted.life().unwrap().checked_mul(5).is_some());
    }

    #[test]
    fn a_login_stays_with_its_registry() {
        let check = |realm: &str, registry: &str| {
            is_trusted(&realm.parse().unwrap(), &registry.parse().unwrap())
        };
        assert!(check("https://ghcr.io/token", "https://ghcr.io"));
        assert!(check(
            "https://auth.docker.io/token",
            "https://registry-1.docker.io"
        ));
        assert!(check(
            "http://127.0.0.1:5001/token",
            "http://127.0.0.1:5000"
        ));
        assert!(check(
            "https://git.example.com/jwt",
            "https://git.example.com:5050"
        ));
        assert!(!check("https://b.co.uk/token", "https://a.co.uk"));
        assert!(!check(
            "https://evil.ghe.com/token",
            "https://containers.acme.ghe.com"
        ));
        assert!(!check("https://evil.example/token", "https://ghcr.io"));
        assert!(!check("http://ghcr.io/token", "https://ghcr.io"));
        assert!(!check("https://9.9.0.1/token", "https://10.0.0.1"));
    }
}
