//! `Issuer`: a token server for a real registry, that of the distribution project with `auth: token`.
//!
//! Token requests: <https://distribution.github.io/distribution/spec/auth/token/>;
//! tokens: <https://distribution.github.io/distribution/spec/auth/jwt/>.

pub(crate) mod jwt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::github::account::{Access, Account, Scope};
use crate::http::request::pairs;
use crate::http::response::Response;
use crate::http::{Dropped, Listener, Outcome};
use jwt::Signer;

const NAME: &str = "ghcr-double";

/// A running token server; it stops when dropped.
#[derive(Debug)]
pub struct Issuer {
    server: Listener,
    service: String,
    certificate: PathBuf,
}

/// The settings of an issuer.
#[derive(Debug)]
pub struct IssuerBuilder {
    service: String,
    life: Duration,
    accounts: HashMap<String, Account>,
}

impl IssuerBuilder {
    /// Adds a token and its holder, who gets the access `packages` to the names of its owners.
    #[must_use]
    pub fn token(mut self, token: &str, account: Account) -> Self {
        self.accounts.insert(token.to_owned(), account);
        self
    }

    /// Sets how long a bearer token is valid. Default: five minutes. The registry accepts it for another minute.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Generates a key, writes its certificate into the directory, and serves on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If it cannot generate or write the certificate, or listen on a port.
    pub fn start(self, directory: &Path) -> io::Result<Issuer> {
        let signer = Signer::generate()?;
        let certificate = directory.join("issuer.pem");
        fs::write(&certificate, signer.certificate_pem())?;
        let service = self.service.clone();
        let server = Arc::new(TokenServer {
            settings: self,
            signer,
        });
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let server = Listener::start(address, None, move |request| {
            respond(request, Arc::clone(&server))
        })?;
        Ok(Issuer {
            server,
            service,
            certificate,
        })
    }
}

impl Issuer {
    /// A token server for the registry with this service name.
    #[must_use]
    pub fn builder(service: &str) -> IssuerBuilder {
        IssuerBuilder {
            service: service.to_owned(),
            life: Duration::from_secs(300),
            accounts: HashMap::new(),
        }
    }

    /// The URL of the token endpoint. Its host is a name, since cosign asks no token server at a private address
    /// (<https://github.com/google/go-containerregistry/blob/v0.21.7/pkg/v1/remote/transport/bearer.go>).
    #[must_use]
    pub fn realm(&self) -> String {
        format!("http://localhost:{}/token", self.server.address.port())
    }

    /// A configuration for `docker-registry serve` that trusts this issuer.
    #[must_use]
    pub fn registry_config(&self, address: SocketAddr, storage: &Path) -> String {
        format!(
            "version: 0.1\n\
             log: {{ level: warn, accesslog: {{ disabled: true }} }}\n\
             storage:\n\
             \x20 filesystem: {{ rootdirectory: \"{storage}\" }}\n\
             \x20 delete: {{ enabled: true }}\n\
             http: {{ addr: \"{address}\", secret: {NAME} }}\n\
             auth:\n\
             \x20 token:\n\
             \x20   realm: {realm}\n\
             \x20   service: {service}\n\
             \x20   issuer: {NAME}\n\
             \x20   rootcertbundle: \"{certificate}\"\n",
            storage = storage.display(),
            realm = self.realm(),
            service = self.service,
            certificate = self.certificate.display(),
        )
    }
}

/// The data of the serving thread.
#[derive(Debug)]
struct TokenServer {
    settings: IssuerBuilder,
    signer: Signer,
}

async fn respond(request: Request<Incoming>, server: Arc<TokenServer>) -> Outcome {
    let (parts, body) = request.into_parts();
    body.collect().await.map_err(|_gone| Dropped::Close)?;
    let response = match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/token") => {
            let query = pairs(parts.uri.query().unwrap_or_default());
            exchange(&server, &parts.headers, &query)
        }
        (_, "/token") => Response::unsupported(),
        _ => Response::new(404),
    };
    Ok(response.into_response(false))
}

fn exchange(server: &TokenServer, headers: &HeaderMap, query: &[(String, String)]) -> Response {
    let account = match password(headers) {
        None => None,
        Some(token) => match server.settings.accounts.get(&token) {
            Some(account) => Some(account),
            None => return Response::error(401, "UNAUTHORIZED", "unknown token"),
        },
    };
    let access: Vec<Value> = query
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(|scope| granted(account?, scope))
        .collect();
    let settings = &server.settings;
    match server
        .signer
        .token(NAME, &settings.service, settings.life, &access)
    {
        Ok(token) => Response::json(
            200,
            &json!({ "token": token, "expires_in": settings.life.as_secs() }),
        ),
        Err(error) => Response::error(500, "UNKNOWN", &error.to_string()),
    }
}

/// The password in the `Basic` credentials.
fn password(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let encoded = header.strip_prefix("Basic ")?;
    let credentials = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (_, token) = credentials.split_once(':')?;
    Some(token.to_owned())
}

/// The actions of a scope that the account may perform.
fn granted(account: &Account, scope: &str) -> Option<Value> {
    let Scope { name, actions } = Scope::parse(scope)?;
    let owner = name.split('/').next()?;
    let allowed: Vec<String> = actions
        .into_iter()
        .filter(|action| match action.as_str() {
            "pull" => account.packages >= Access::Read,
            "push" | "delete" => account.packages >= Access::Write,
            _ => false,
        })
        .collect();
    account
        .acts_for(owner)
        .then(|| json!({ "type": "repository", "name": name, "actions": allowed }))
}

#[cfg(test)]
mod tests {
    use super::{Access, Account, granted};

    #[track_caller]
    fn check(account: &Account, scope: &str, expected: Option<&str>) {
        let actions = granted(account, scope).map(|access| access["actions"].to_string());
        assert_eq!(actions.as_deref(), expected);
    }

    #[test]
    fn scopes_are_limited_to_what_the_account_may_do() {
        let scope = "repository:acme/widget:pull,push";
        check(&Account::classic("acme"), scope, Some(r#"["pull","push"]"#));
        let reader = Account::classic("acme").packages(Access::Read);
        check(&reader, scope, Some(r#"["pull"]"#));
        check(&Account::classic("other"), scope, None);
        check(&Account::classic("acme"), "registry:catalog:*", None);
    }
}
