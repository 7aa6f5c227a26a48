//! `Server`: the GitHub server that the double imitates, and what each of its host names serves (pure).

pub(crate) mod account;
pub(crate) mod attestation;
pub(crate) mod comment;
pub(crate) mod denial;
pub(crate) mod package;
pub(crate) mod permissions;
pub(crate) mod rate;
pub(crate) mod repository;

/// Whether a GHES has subdomain isolation: a host name for each service.
///
/// <https://docs.github.com/en/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// `containers.HOST` and `docker.HOST` are registries; `HOST` is not a registry.
    On,
    /// `HOST` is the older Docker registry, and there is no container registry.
    Off,
}

/// The GitHub servers that the double can imitate. Host names have no port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// GHCR, and the API under `/api/v3`, on every host name.
    Github,
    /// GHE.com: `containers.<host>` is a container registry, `api.<host>` serves the API at its root.
    GheCom {
        /// For example `octocorp.ghe.com`.
        host: String,
    },
    /// GitHub Enterprise Server, with the API under `<host>/api/v3`.
    Ghes {
        /// For example `github.example.com`.
        host: String,
        /// Whether its registries have their own host names.
        isolation: Isolation,
    },
    /// A GHES without subdomain isolation, on every host name.
    GhesFlat,
}

/// The two kinds of registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    /// ghcr.io, `containers.HOST`.
    Container,
    /// The older Docker registry: `docker.HOST`, or `HOST` without subdomain isolation.
    Docker,
}

/// Where the API is on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Absent,
    /// Under `/api/v3`.
    Prefixed,
    Root,
}

/// What one host name serves: pages where it has neither registry nor API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) registry: Option<Registry>,
    pub(crate) api: Api,
    pub(crate) pages: Pages,
}

/// The response where there is neither registry nor API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// The web interface: a client that is not logged in is redirected to `/login`.
    Login,
    /// A page with status 200, as behind a DNS wildcard.
    Anything,
}

impl Site {
    const fn new(registry: Option<Registry>, api: Api, pages: Pages) -> Self {
        Self {
            registry,
            api,
            pages,
        }
    }
}

impl Server {
    /// GHE.com under this host name.
    #[must_use]
    pub fn ghe_com(host: &str) -> Self {
        let host = host.to_owned();
        Self::GheCom { host }
    }

    /// GHES under this host name.
    #[must_use]
    pub fn ghes(host: &str, isolation: Isolation) -> Self {
        let host = host.to_owned();
        Self::Ghes { host, isolation }
    }

    /// GHES without subdomain isolation, for tests that have no host name but `127.0.0.1:<port>`.
    #[must_use]
    pub fn ghes_flat() -> Self {
        Self::GhesFlat
    }

    /// What the host in a `Host` header serves.
    pub(crate) fn site(&self, host: &str) -> Site {
        let asked = without_port(host).to_ascii_lowercase();
        let part = |host: &str| match asked.strip_suffix(&host.to_ascii_lowercase()) {
            Some("") => Some(String::new()),
            Some(service) => service.strip_suffix('.').map(str::to_owned),
            None => None,
        };
        let pages = |pages| Site::new(None, Api::Absent, pages);
        let registry = |registry| Site::new(Some(registry), Api::Absent, Pages::Login);
        let flat = Site::new(Some(Registry::Docker), Api::Prefixed, Pages::Login);
        match self {
            Self::Github => Site::new(Some(Registry::Container), Api::Prefixed, Pages::Login),
            Self::GhesFlat => flat,
            Self::GheCom { host } => match part(host).as_deref() {
                Some("containers") => registry(Registry::Container),
                Some("api") => Site::new(None, Api::Root, Pages::Login),
                Some("") => pages(Pages::Login),
                _ => pages(Pages::Anything),
            },
            Self::Ghes { host, isolation } => match (part(host).as_deref(), isolation) {
                (Some(""), Isolation::Off) => flat,
                (Some(""), Isolation::On) => Site::new(None, Api::Prefixed, Pages::Login),
                (Some("containers"), Isolation::On) => registry(Registry::Container),
                (Some("docker"), Isolation::On) => registry(Registry::Docker),
                _ => pages(Pages::Anything),
            },
        }
    }

    /// The host of the web interface, for links; `authority` is the `Host` header of the request.
    pub(crate) fn web_host(&self, authority: &str) -> String {
        match self {
            Self::Github => "github.com".to_owned(),
            Self::GhesFlat => authority.to_owned(),
            Self::GheCom { host } | Self::Ghes { host, .. } => match authority.rsplit_once(':') {
                Some((_, port)) => format!("{host}:{port}"),
                None => host.clone(),
            },
        }
    }

    /// The `owner/name` in a URL of a repository on this server.
    pub(crate) fn repository_of(&self, url: &str, authority: &str) -> Option<String> {
        let (_, rest) = url.split_once("://")?;
        let (host, full_name) = rest.split_once('/')?;
        let web_host = self.web_host(authority);
        (without_port(host) == without_port(&web_host))
            .then(|| full_name.trim_end_matches(".git").to_owned())
    }
}

fn without_port(authority: &str) -> &str {
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::{Api, Isolation, Pages, Registry, Server};

    #[track_caller]
    fn check(server: &Server, host: &str, registry: Option<Registry>, api: Api, pages: Pages) {
        let site = server.site(host);
        assert_eq!(
            (site.registry, site.api, site.pages),
            (registry, api, pages)
        );
    }

    const CONTAINER: Option<Registry> = Some(Registry::Container);
    const DOCKER: Option<Registry> = Some(Registry::Docker);

    #[test]
    fn isolation_gives_each_registry_a_host_name() {
        let ghes = Server::ghes("ghes.test", Isolation::On);
        check(
            &ghes,
            "Containers.ghes.test:8443",
            CONTAINER,
            Api::Absent,
            Pages::Login,
        );
        check(&ghes, "docker.ghes.test", DOCKER, Api::Absent, Pages::Login);
        check(&ghes, "ghes.test:8443", None, Api::Prefixed, Pages::Login);
        check(&ghes, "api.ghes.test", None, Api::Absent, Pages::Anything);
        check(&ghes, "dockerghes.test", None, Api::Absent, Pages::Anything);
    }

    #[test]
    fn without_isolation_the_server_is_the_registry() {
        let ghes = Server::ghes("flat.test", Isolation::Off);
        check(&ghes, "flat.test:1", DOCKER, Api::Prefixed, Pages::Login);
        for other in ["containers.flat.test", "docker.flat.test", "127.0.0.1:1"] {
            check(&ghes, other, None, Api::Absent, Pages::Anything);
        }
        check(
            &Server::ghes_flat(),
            "127.0.0.1:1",
            DOCKER,
            Api::Prefixed,
            Pages::Login,
        );
    }

    #[test]
    fn ghe_com_has_an_api_host() {
        let ghe = Server::ghe_com("octocorp.ghe.com");
        check(
            &ghe,
            "containers.octocorp.ghe.com",
            CONTAINER,
            Api::Absent,
            Pages::Login,
        );
        check(&ghe, "api.octocorp.ghe.com", None, Api::Root, Pages::Login);
        check(&ghe, "octocorp.ghe.com", None, Api::Absent, Pages::Login);
        check(
            &ghe,
            "docker.octocorp.ghe.com",
            None,
            Api::Absent,
            Pages::Anything,
        );
    }

    #[track_caller]
    fn check_source(server: &Server, url: &str, expected: Option<&str>) {
        let found = server.repository_of(url, "containers.ghes.test:8443");
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn repositories_are_linked_on_their_own_server() {
        let ghes = Server::ghes("ghes.test", Isolation::On);
        check_source(
            &ghes,
            "https://ghes.test/acme/widget.git",
            Some("acme/widget"),
        );
        check_source(&ghes, "https://github.com/acme/widget", None);
        check_source(
            &Server::Github,
            "https://github.com/acme/widget",
            Some("acme/widget"),
        );
    }
}
