//! `Issuer`: a token server for a real registry, the one of the distribution project with `auth: token`.
//!
//! The exchange: <https://distribution.github.io/distribution/spec/auth/token/>;
//! the tokens: <https://distribution.github.io/distribution/spec/auth/jwt/>.

mod jwt;

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

use crate::github::account::{Access, Account};
use crate::http::request::pairs;
use crate::http::response::Answer;
use crate::http::{Background, Dropped, Outcome};
use jwt::Signer;

const NAME: &str = "ghcr-double";

/// A running token server; it stops when dropped.
#[derive(Debug)]
pub struct Issuer {
    server: Background,
    service: String,
    certificate: PathBuf,
}

/// Whom the issuer will know.
#[derive(Debug)]
pub struct IssuerBuilder {
    service: String,
    life: Duration,
    accounts: HashMap<String, Account>,
}

impl IssuerBuilder {
    /// A token and its holder, who gets what `packages` says under the owners it acts for.
    #[must_use]
    pub fn token(mut self, token: &str, account: Account) -> Self {
        self.accounts.insert(token.to_owned(), account);
        self
    }

    /// How long a bearer is good; five minutes otherwise. The registry adds a minute of its own.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Makes a key, writes its certificate into the folder, and serves on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be made or written, or no port can be listened on.
    pub fn start(self, folder: &Path) -> io::Result<Issuer> {
        let signer = Signer::generate()?;
        let certificate = folder.join("issuer.pem");
        fs::write(&certificate, signer.certificate_pem())?;
        let service = self.service.clone();
        let desk = Arc::new(Desk {
            settings: self,
            signer,
        });
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let server = Background::start(address, None, move |request| {
            respond(request, Arc::clone(&desk))
        })?;
        Ok(Issuer {
            server,
            service,
            certificate,
        })
    }
}

impl Issuer {
    /// A token server for the registry that calls itself `service`.
    #[must_use]
    pub fn builder(service: &str) -> IssuerBuilder {
        IssuerBuilder {
            service: service.to_owned(),
            life: Duration::from_secs(300),
            accounts: HashMap::new(),
        }
    }

    /// The address of the token endpoint.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.server.address)
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

/// What the serving thread holds.
#[derive(Debug)]
struct Desk {
    settings: IssuerBuilder,
    signer: Signer,
}

async fn respond(request: Request<Incoming>, desk: Arc<Desk>) -> Outcome {
    let (parts, body) = request.into_parts();
    body.collect().await.map_err(|_gone| Dropped::Close)?;
    let answer = match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/token") => {
            let query = pairs(parts.uri.query().unwrap_or_default());
            exchange(&desk, &parts.headers, &query)
        }
        (_, "/token") => Answer::unsupported(),
        _ => Answer::new(404),
    };
    Ok(answer.into_response(false))
}

fn exchange(desk: &Desk, headers: &HeaderMap, query: &[(String, String)]) -> Answer {
    let account = match presented(headers) {
        None => None,
        Some(token) => match desk.settings.accounts.get(&token) {
            Some(account) => Some(account),
            None => return Answer::error(401, "UNAUTHORIZED", "unknown token"),
        },
    };
    let access: Vec<Value> = query
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(|scope| granted(account?, scope))
        .collect();
    let settings = &desk.settings;
    match desk
        .signer
        .token(NAME, &settings.service, settings.life, &access)
    {
        Ok(token) => Answer::json(
            200,
            &json!({ "token": token, "expires_in": settings.life.as_secs() }),
        ),
        Err(error) => Answer::error(500, "UNKNOWN", &error.to_string()),
    }
}

/// The password of `Basic`.
fn presented(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let encoded = header.strip_prefix("Basic ")?;
    let credentials = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (_, token) = credentials.split_once(':')?;
    Some(token.to_owned())
}

/// The part of a scope that the account may have.
fn granted(account: &Account, scope: &str) -> Option<Value> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    let owner = name.split('/').next()?;
    let allowed: Vec<&str> = actions
        .split(',')
        .filter(|action| match *action {
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
    fn scopes_shrink_to_what_the_account_may_do() {
        let scope = "repository:acme/widget:pull,push";
        check(&Account::classic("acme"), scope, Some(r#"["pull","push"]"#));
        let reader = Account::classic("acme").packages(Access::Read);
        check(&reader, scope, Some(r#"["pull"]"#));
        check(&Account::classic("other"), scope, None);
        check(&Account::classic("acme"), "registry:catalog:*", None);
    }
}
