//! The credentials for each registry: from the inputs, else from the docker configuration.

pub(crate) mod docker_config;
pub(crate) mod keep;

use crate::context::server::{Server, is_loopback};
use crate::credentials::docker_config::{DockerConfig, Helpers, key};
use crate::inputs::Inputs;
use crate::secret::Secret;
use crate::vars::Vars;
use public_suffix::{DEFAULT_PROVIDER, EffectiveTLDProvider as _};
use std::collections::BTreeMap;
use std::sync::Mutex;
/// The credentials of a run.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The credentials of the inputs, each with the registries that they may be sent to; the first count.
    own: Vec<(Audience, Login)>,
    /// The configuration of the user's docker.
    docker: Option<DockerConfig>,
    helpers: Helpers,
    /// The responses of helpers: each is asked once.
    known: Mutex<BTreeMap<String, Option<Login>>>,
}

/// The registries that credentials may be sent to.
#[derive(Clone, Debug)]
enum Audience {
    Host(String),
    /// Those of the GitHub server: anybody else could use its token.
    Server(Server),
    /// Those of the GitHub server, and those of this machine (loopback).
    ServerAndLoopback(Server),
}

/// User name and password for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// Takes the token of the environment out of `inputs` when nothing says that it is for `server`: outside Actions
/// the server is whatever host the remote `origin` names. The text says that, and what to do.
pub(crate) fn withhold_token(inputs: &mut Inputs, server: &Server, vars: &Vars) -> Option<String> {
    let Server::Enterprise { host } = server else {
        return None;
    };
    let variable = inputs.token_variable?;
    if vars.get("GITHUB_SERVER_URL").is_some() {
        return None;
    }
    inputs.github_token = None;
    Some(format!(
        "`{variable}` is not sent to {host}, which only the remote `origin` names; if the token is for it, set `GITHUB_SERVER_URL` to `https://{host}`"
    ))
}

impl Credentials {
    /// `server` is the one whose token `github-token` is. `password` is for the registry the inputs name, or for
    /// those of the server and of this machine; a token of the environment is for those of the server only.
    pub(crate) fn new(inputs: &Inputs, vars: &Vars, server: &Server) -> anyhow::Result<Self> {
        let login = |username: &str, password: &Secret| Login {
            username: username.to_owned(),
            password: password.clone(),
        };
        let listed = inputs.destination.registry_auth.iter().map(|entry| {
            let audience = Audience::Host(entry.registry.clone());
            (audience, login(&entry.username, &entry.password))
        });
        // GHCR takes any name beside a token; the actor is what its own documentation shows.
        let actor = vars.get("GITHUB_ACTOR").unwrap_or("x-access-token");
        let asked = inputs.username.as_deref().unwrap_or(actor);
        let registry = inputs.registry.clone();
        let of_input = || Audience::ServerAndLoopback(server.clone());
        let of_password = registry.map_or_else(of_input, Audience::Host);
        let password = inputs.password.as_ref();
        let password = password.map(|password| (of_password, login(asked, password)));
        let username = if password.is_some() { actor } else { asked };
        let token = inputs.github_token.as_ref();
        // Whoever sets a variable for GitHub's tools does not mean a local registry by it.
        let of_token = match inputs.token_variable {
            Some(_) => Audience::Server(server.clone()),
            None => of_input(),
        };
        let token = token.map(|token| (of_token, login(username, token)));
        Ok(Self {
            own: listed.chain(password).chain(token).collect(),
            docker: DockerConfig::read(vars)?,
            helpers: Helpers::new(vars),
            known: Mutex::default(),
        })
    }

    /// Whether there may be credentials for `registry`. A credential store counts: only asking it would tell, and that
    /// is an effect.
    pub(crate) fn cover(&self, registry: &str) -> bool {
        let docker = self.docker();
        self.own_login(registry).is_some() || docker.is_some_and(|docker| docker.covers(registry))
    }

    /// Whether `registry` is one of the GitHub server, or somebody gave credentials for it: its name is right.
    pub(crate) fn know(&self, registry: &str) -> bool {
        let names_it = |audience: &Audience| match audience {
            Audience::Host(host) => host == registry,
            Audience::Server(server) | Audience::ServerAndLoopback(server) => server.has(registry),
        };
        let docker = self.docker();
        self.own.iter().any(|(audience, _)| names_it(audience))
            || docker.is_some_and(|docker| docker.names(registry))
    }

    /// The credentials for `registry`; a credential helper is run to get them, where one keeps them.
    pub(crate) async fn login(&self, registry: &str) -> anyhow::Result<Option<Login>> {
        let own = self.own_login(registry);
        let (None, Some(docker)) = (own, &self.docker) else {
            return Ok(own.cloned());
        };
        if let Some(helper) = docker.helper(registry) {
            return self.kept_by(helper, registry).await;
        }
        match (docker.login(registry)?, docker.store(registry)) {
            (None, Some(store)) => self.kept_by(store, registry).await,
            (login, _) => Ok(login),
        }
    }

    async fn kept_by(&self, helper: &str, registry: &str) -> anyhow::Result<Option<Login>> {
        let known = || self.known.lock().expect("no holder panics");
        if let Some(login) = known().get(registry) {
            return Ok(login.clone());
        }
        let login = self.helpers.ask(helper, key(registry)).await?;
        known().insert(registry.to_owned(), login.clone());
        Ok(login)
    }

    /// The credentials of the inputs, if they are meant for `registry`.
    pub(crate) fn own_login(&self, registry: &str) -> Option<&Login> {
        let mut own = self.own.iter();
        let (_, login) = own.find(|(audience, _)| audience.includes(registry))?;
        Some(login)
    }

    pub(crate) fn docker(&self) -> Option<&DockerConfig> {
        self.docker.as_ref()
    }
}

impl Audience {
    fn includes(&self, registry: &str) -> bool {
        match self {
            Self::Host(host) => host == registry,
            Self::Server(server) => server.has(registry),
            Self::ServerAndLoopback(server) => server.has(registry) || is_loopback(registry),
        }
    }
}

/// Domains below which each name is another customer's, and which the public suffix list does not have.
const SHARED: &[&str] = &[
    "azurecr.cn",
    "azurecr.io",
    "azurecr.us",
    "ghe.com",
    "jfrog.io",
];

/// Credentials for `one` may be sent to `other`: they are the same host, or lie below one domain that somebody
/// has registered (`registry-1.docker.io` and `auth.docker.io`), by <https://publicsuffix.org>.
pub(crate) fn is_same_owner(one: &str, other: &str) -> bool {
    one == other || owner(one).is_some_and(|owner_of_one| owner(other) == Some(owner_of_one))
}

/// The domain whose owner answers for `host`; none for an address, and for a name without a dot.
fn owner(host: &str) -> Option<&str> {
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    // The first label of a host of Amazon ECR is the account.
    if is_address || host.contains(".dkr.ecr.") {
        return None;
    }
    let customer = SHARED.iter().find_map(|shared| {
        let names = host.strip_suffix(shared)?.strip_suffix('.')?;
        Some(&host[names.rfind('.').map_or(0, |dot| dot + 1)..])
    });
    customer.or_else(|| DEFAULT_PROVIDER.effective_tld_plus_one(host).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn credentials(inputs: &[(&str, &str)], docker: Option<serde_json::Value>) -> Credentials {
        let vars = Vars::of(inputs);
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let mut credentials = Credentials::new(&inputs, &vars, &Server::Public).unwrap();
        credentials.docker = docker.map(|json| DockerConfig {
            directory: std::path::PathBuf::new(),
            json,
        });
        credentials
    }

    fn login(credentials: &Credentials, registry: &str) -> Option<Login> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime
            .unwrap()
            .block_on(credentials.login(registry))
            .unwrap()
    }

    #[test]
    fn token_is_sent_only_to_its_registry() {
        let credentials = credentials(&[("GITHUB_TOKEN", "t"), ("GITHUB_ACTOR", "octocat")], None);
        assert_eq!(login(&credentials, "ghcr.io").unwrap().username, "octocat");
        assert_eq!(login(&credentials, "quay.io"), None);
        assert!(!credentials.cover("quay.io"));
    }

    #[test]
    fn environment_token_is_for_github_or_configured_server() {
        let check = |variables: &[(&str, &str)], url: &str, is_kept: bool| {
            let vars = Vars::of(variables);
            let mut inputs = Inputs::from_vars(&vars, &[]).unwrap();
            let told = withhold_token(&mut inputs, &Server::of(url), &vars);
            assert_eq!(
                (told.is_none(), inputs.github_token.is_some()),
                (is_kept, is_kept),
                "{url}"
            );
        };
        for variable in ["GITHUB_TOKEN", "GH_TOKEN"] {
            let token = (variable, "t");
            check(&[token], "https://github.com", true);
            check(&[token], "https://acme.ghe.com", true);
            for other in [
                "https://git.example.com",
                "https://github.com.example",
                "https://ghe.com",
                "https://notghe.com",
                "https://127.0.0.1:1",
            ] {
                check(&[token], other, false);
                check(&[token, ("GITHUB_SERVER_URL", other)], other, true);
                check(&[token, ("INPUT_GITHUB-TOKEN", "i")], other, true);
            }
        }
    }

    #[test]
    fn password_and_token_have_separate_registries() {
        let shown = |inputs: &[(&str, &str)], registry| {
            let login = login(&credentials(inputs, None), registry);
            login.map(|login| format!("{}:{}", login.username, login.password.expose()))
        };
        let both = [
            ("GITHUB_TOKEN", "t"),
            ("GITHUB_ACTOR", "octocat"),
            ("INPUT_REGISTRY", "Quay.io/"),
            ("INPUT_USERNAME", "bot"),
            ("INPUT_PASSWORD", "p"),
        ];
        assert_eq!(shown(&both, "quay.io").as_deref(), Some("bot:p"));
        assert_eq!(shown(&both, "ghcr.io").as_deref(), Some("octocat:t"));
        let token_only = [("GITHUB_TOKEN", "t"), ("INPUT_REGISTRY", "quay.io")];
        assert_eq!(shown(&token_only, "quay.io"), None);
        let password_only = [("GITHUB_TOKEN", "t"), ("INPUT_PASSWORD", "p")];
        assert_eq!(
            shown(&password_only, "ghcr.io").as_deref(),
            Some("x-access-token:p")
        );
    }

    #[test]
    fn loopback_registry_gets_input_token_only() {
        let check = |inputs: &[(&str, &str)], expected: Option<&str>| {
            for registry in ["127.0.0.1:5000", "localhost", "[::1]:5000"] {
                let inputs = [inputs, &[("INPUT_REGISTRY", registry)]].concat();
                let login = login(&credentials(&inputs, None), registry);
                let password = login.map(|login| login.password.expose().to_owned());
                assert_eq!(password.as_deref(), expected, "{registry} {inputs:?}");
            }
        };
        for variable in ["GITHUB_TOKEN", "GH_TOKEN"] {
            let token = (variable, "t");
            check(&[token], None);
            check(&[token, ("GITHUB_ACTIONS", "true")], None);
            check(&[token, ("INPUT_PASSWORD", "p")], Some("p"));
            check(&[token, ("INPUT_GITHUB-TOKEN", "i")], Some("i"));
        }
    }

    #[test]
    fn password_without_registry_includes_loopback() {
        let inputs = [("GITHUB_TOKEN", "t"), ("INPUT_PASSWORD", "p")];
        let login = login(&credentials(&inputs, None), "127.0.0.1:5000").unwrap();
        assert_eq!(login.password.expose(), "p");
    }

    #[test]
    fn registry_auth_wins_for_its_host() {
        let list = "- {registry: quay.io, username: joe, password: q}\n- {registry: ghcr.io, username: ann, password: g}";
        let credentials = credentials(
            &[("GITHUB_TOKEN", "t"), ("INPUT_REGISTRY-AUTH", list)],
            None,
        );
        let username = |host| login(&credentials, host).unwrap().username;
        assert_eq!([username("quay.io"), username("ghcr.io")], ["joe", "ann"]);
        assert!(!credentials.cover("docker.io"));
    }

    #[test]
    fn docker_login_is_used_without_token() {
        let credentials = credentials(
            &[],
            Some(json!({"auths": {"quay.io": {"auth": "am9lOnNlY3JldA=="}}})),
        );
        let login = login(&credentials, "quay.io").unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.expose()),
            ("joe", "secret")
        );
        assert!(credentials.cover("quay.io") && !credentials.cover("ghcr.io"));
    }

    #[test]
    fn hosts_of_a_registered_domain_share_an_owner() {
        for (one, other) in [
            ("ghcr.io", "ghcr.io"),
            ("registry-1.docker.io", "auth.docker.io"),
            ("registry.gitlab.com", "gitlab.com"),
            ("registry.a.co.uk", "auth.a.co.uk"),
            ("containers.acme.ghe.com", "acme.ghe.com"),
            ("acme.azurecr.io", "eastus.data.acme.azurecr.io"),
            ("registry.corp.internal", "sso.corp.internal"),
            ("registry", "registry"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]", "[::1]"),
        ] {
            assert!(
                is_same_owner(one, other) && is_same_owner(other, one),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn hosts_below_a_public_suffix_have_different_owners() {
        for (one, other) in [
            ("a.co.uk", "b.co.uk"),
            ("acme.ghe.com", "evil.ghe.com"),
            ("containers.acme.ghe.com", "containers.evil.ghe.com"),
            ("acme.ghe.com", "ghe.com"),
            ("acme.azurecr.io", "evil.azurecr.io"),
            ("acme.jfrog.io", "evil.jfrog.io"),
            ("acme.github.io", "evil.github.io"),
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com",
                "2.dkr.ecr.eu-west-1.amazonaws.com",
            ),
            ("a.s3.amazonaws.com", "b.s3.amazonaws.com"),
            ("s3.amazonaws.com", "ec2.amazonaws.com"),
            ("ghcr.io", "evil.io"),
            ("ghcr.io", "ghcr.io.evil.io"),
            ("acme.ghe.com", "acmexghe.com"),
            ("acme.internal", "evil.internal"),
            ("registry", "evil"),
            ("registry", "registry.evil"),
            ("9.9.0.1", "10.0.0.1"),
            ("[2001:db8::1]", "[2001:db8::2]"),
            ("ghcr.io", "ghcr.io."),
            ("io", "io."),
        ] {
            assert!(
                !is_same_owner(one, other) && !is_same_owner(other, one),
                "{one} {other}"
            );
        }
    }
}
