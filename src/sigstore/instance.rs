//! `Instance`: the services that sign, and the issuer that their certificates name (pure).
//!
//! The choice is that of `actions/attest`
//! (<https://github.com/actions/toolkit/blob/main/packages/attest/src/endpoints.ts>).

use reqwest::Url;

use crate::context::server::Server;
use crate::inputs::attest::{Choice, OwnUrls};
use crate::sigstore::http::{Role, Service};
use crate::sigstore::oidc::Claims;

/// Whose instance it is: which trusted root applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// <https://www.sigstore.dev>
    PublicGood,
    /// GitHub, or a tenant of GHE.com.
    GitHub,
    /// A Sigstore of one's own, with a trusted root of its own.
    Own,
}

/// The services of one Sigstore. At least one of `log` and `timestamp` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) operator: Operator,
    pub(crate) fulcio: Service,
    pub(crate) log: Option<Service>,
    pub(crate) timestamp: Option<Service>,
    /// The issuer that a certificate must name.
    pub(crate) issuer: String,
}

impl Instance {
    /// The instance for a job. `event_is_public` is what the event payload says of the repository: when it differs from
    /// the token, nothing is written to a public log.
    pub(crate) fn new(
        choice: &Choice,
        issuer: Option<&str>,
        server: &Server,
        claims: &Claims,
        event_is_public: bool,
    ) -> Self {
        let is_public = claims.repository_visibility == "public" && event_is_public;
        let issuer = issuer.map_or_else(|| default_issuer(server, claims), str::to_owned);
        match choice {
            Choice::Auto if is_public && *server == Server::Public => Self::public(issuer),
            Choice::Public => Self::public(issuer),
            Choice::Auto | Choice::GitHub => Self::github(server, issuer),
            Choice::Own(urls) => Self::own(urls, issuer),
        }
    }

    fn own(urls: &OwnUrls, issuer: String) -> Self {
        let service = |role, url: &Option<Url>| Some(Service::new(role, url.clone()?));
        Self {
            operator: Operator::Own,
            fulcio: Service::new(Role::Fulcio, urls.fulcio.clone()),
            log: service(Role::Rekor, &urls.rekor),
            timestamp: service(Role::TimestampAuthority, &urls.timestamp),
            issuer,
        }
    }

    fn public(issuer: String) -> Self {
        Self {
            operator: Operator::PublicGood,
            fulcio: service(Role::Fulcio, "fulcio.sigstore.dev"),
            log: Some(service(Role::Rekor, "rekor.sigstore.dev")),
            timestamp: None,
            issuer,
        }
    }

    fn github(server: &Server, issuer: String) -> Self {
        let host = match server {
            Server::Public => "githubapp.com",
            Server::DataResidency { host } | Server::Enterprise { host } => host,
        };
        let timestamp = format!("timestamp.{host}");
        Self {
            operator: Operator::GitHub,
            fulcio: service(Role::Fulcio, &format!("fulcio.{host}")),
            log: None,
            timestamp: Some(service(Role::TimestampAuthority, &timestamp)),
            issuer,
        }
    }
}

fn service(role: Role, host: &str) -> Service {
    let url = Url::parse(&format!("https://{host}")).expect("a host name makes a URL");
    Service::new(role, url)
}

/// The issuer of the server's tokens. An enterprise may have its name behind that of the server
/// (<https://docs.github.com/en/actions/reference/security/oidc#customizing-the-issuer-value-for-an-enterprise>).
fn default_issuer(server: &Server, claims: &Claims) -> String {
    let issuer = issuer_of(server);
    let rest = claims.iss.strip_prefix(&issuer);
    match rest {
        Some(slug) if slug.starts_with('/') => claims.iss.clone(),
        _ => issuer,
    }
}

/// The issuer of the tokens of a server's jobs.
pub(crate) fn issuer_of(server: &Server) -> String {
    match server {
        Server::Public => "https://token.actions.githubusercontent.com".to_owned(),
        Server::DataResidency { host } => format!("https://token.actions.{host}"),
        Server::Enterprise { host } => format!("https://{host}/_services/token"),
    }
}

#[cfg(test)]
mod tests {
    use ghcr_double::Sigstore;

    use super::*;

    fn claims(iss: &str, visibility: &str) -> Claims {
        let mut claims = Sigstore::claims();
        claims["iss"] = iss.into();
        claims["repository_visibility"] = visibility.into();
        serde_json::from_value(claims).unwrap()
    }

    /// Fulcio, log, timestamp and issuer.
    fn services(instance: &Instance) -> [String; 4] {
        let url = |service: &Service| service.url().to_string();
        let or_none = |service: Option<&Service>| service.map_or("-".to_owned(), url);
        [
            url(&instance.fulcio),
            or_none(instance.log.as_ref()),
            or_none(instance.timestamp.as_ref()),
            instance.issuer.clone(),
        ]
    }

    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    const PUBLIC: [&str; 4] = [
        "https://fulcio.sigstore.dev/",
        "https://rekor.sigstore.dev/",
        "-",
        GITHUB,
    ];
    const PRIVATE: [&str; 4] = [
        "https://fulcio.githubapp.com/",
        "-",
        "https://timestamp.githubapp.com/",
        GITHUB,
    ];

    #[test]
    fn only_what_token_and_event_call_public_goes_to_the_public_log() {
        for (visibility, event, choice, expected) in [
            ("public", true, Choice::Auto, PUBLIC),
            ("public", false, Choice::Auto, PRIVATE),
            ("private", true, Choice::Auto, PRIVATE),
            ("internal", false, Choice::Auto, PRIVATE),
            ("public", true, Choice::GitHub, PRIVATE),
            ("private", false, Choice::Public, PUBLIC),
        ] {
            let claims = claims(GITHUB, visibility);
            let instance = Instance::new(&choice, None, &Server::Public, &claims, event);
            assert_eq!(
                services(&instance),
                expected,
                "{visibility} {event} {choice:?}"
            );
        }
    }

    #[test]
    fn each_server_has_its_services_and_its_issuer() {
        let of = |server: &str, iss: &str| {
            let (server, claims) = (Server::of(server), claims(iss, "public"));
            services(&Instance::new(&Choice::Auto, None, &server, &claims, true))
        };
        let tenant = "https://token.actions.acme.ghe.com";
        let expected = [
            "https://fulcio.acme.ghe.com/",
            "-",
            "https://timestamp.acme.ghe.com/",
            tenant,
        ];
        assert_eq!(of("https://acme.ghe.com", tenant), expected);
        let slug = format!("{GITHUB}/corp");
        assert_eq!(of("https://github.com", &slug)[3], slug);
        let other = format!("{GITHUB}.evil.example");
        assert_eq!(of("https://github.com", &other)[3], GITHUB);
    }

    #[test]
    fn own_services_are_used_as_given() {
        let url = |text: &str| Url::parse(text).unwrap();
        let choice = Choice::Own(Box::new(OwnUrls {
            fulcio: url("https://fulcio.example/base/"),
            rekor: None,
            timestamp: Some(url("http://tsa.example:3000")),
        }));
        let server = Server::of("https://ghes.example");
        let claims = claims("https://ghes.example/_services/token", "private");
        let instance = Instance::new(&choice, None, &server, &claims, false);
        let expected = [
            "https://fulcio.example/base/",
            "-",
            "http://tsa.example:3000/",
            "https://ghes.example/_services/token",
        ];
        assert_eq!(services(&instance), expected);
        let given = Some("https://issuer.example");
        let instance = Instance::new(&choice, given, &server, &claims, false);
        assert_eq!(instance.issuer, "https://issuer.example");
    }
}
