//! `Server`: the GitHub server of a run, and which registries belong to it (pure).
//!
//! <https://docs.github.com/en/enterprise-server@3.20/packages/working-with-a-github-packages-registry/working-with-the-container-registry>,
//! <https://docs.github.com/en/enterprise-server@3.20/packages/working-with-a-github-packages-registry/working-with-the-docker-registry>.

/// A GitHub server, known by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// github.com
    Public,
    /// `SUB.ghe.com`: GitHub Enterprise Cloud with data residency.
    DataResidency { host: String },
    /// GitHub Enterprise Server, with its port if that is not the usual one.
    Enterprise { host: String },
}

/// What a registry can do, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistryKind {
    /// GitHub's container registry.
    Container,
    /// The older Docker registry of GitHub Enterprise Server: `OWNER/REPO/IMAGE`, one platform, Docker
    /// media types, tags only.
    Docker,
    /// Somebody else's.
    Generic,
}

impl Server {
    /// `url` is `GITHUB_SERVER_URL`, for example `https://github.com`.
    pub(crate) fn of(url: &str) -> Self {
        let host = url.split_once("://").map_or(url, |(_scheme, host)| host);
        let host = host.trim_end_matches('/').to_lowercase();
        let name = host_name(&host);
        if name == "github.com" {
            Self::Public
        } else if name.ends_with(".ghe.com") {
            Self::DataResidency { host }
        } else {
            Self::Enterprise { host }
        }
    }

    /// The registry of the server, if its address determines it.
    pub(crate) fn registry(&self) -> Option<String> {
        match self {
            Self::Public => Some("ghcr.io".to_owned()),
            Self::DataResidency { host } => Some(format!("containers.{host}")),
            Self::Enterprise { .. } => None,
        }
    }

    /// The registries the server may have, the best first. Whether subdomains are isolated, and whether
    /// the container registry is enabled, only a request can tell.
    pub(crate) fn possible_registries(&self) -> Vec<String> {
        match self {
            Self::Enterprise { host } if is_address(host) => vec![host.clone()],
            Self::Enterprise { host } => vec![
                format!("containers.{host}"),
                format!("docker.{host}"),
                host.clone(),
            ],
            Self::Public | Self::DataResidency { .. } => self.registry().into_iter().collect(),
        }
    }

    /// What the registry at `registry` is.
    pub(crate) fn kind(&self, registry: &str) -> RegistryKind {
        match self {
            _ if registry == "ghcr.io" => RegistryKind::Container,
            Self::Enterprise { host } if registry == host => RegistryKind::Docker,
            Self::Enterprise { host } if registry.strip_prefix("docker.") == Some(host) => {
                RegistryKind::Docker
            }
            _ if self.has(registry) => RegistryKind::Container,
            _ => RegistryKind::Generic,
        }
    }

    /// Whether the registry belongs to the server, so that the server's token is for it.
    pub(crate) fn has(&self, registry: &str) -> bool {
        self.possible_registries().iter().any(|own| own == registry)
    }
}

/// Whether `host`, which may have a port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host_name(host);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether `host` is a number, which no name can be put before.
fn is_address(host: &str) -> bool {
    let name = host_name(host);
    name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &[(&str, RegistryKind)]) {
        let server = Server::of(url);
        let registries = server.possible_registries();
        let found: Vec<(&str, RegistryKind)> = registries
            .iter()
            .map(|registry| (registry.as_str(), server.kind(registry)))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(server.kind("quay.io"), RegistryKind::Generic);
        assert_eq!(server.kind("ghcr.io"), RegistryKind::Container);
    }

    #[test]
    fn each_server_has_its_registries() {
        check(
            "https://github.com",
            &[("ghcr.io", RegistryKind::Container)],
        );
        check(
            "https://Acme.ghe.com/",
            &[("containers.acme.ghe.com", RegistryKind::Container)],
        );
        check(
            "https://git.example.com:8443",
            &[
                ("containers.git.example.com:8443", RegistryKind::Container),
                ("docker.git.example.com:8443", RegistryKind::Docker),
                ("git.example.com:8443", RegistryKind::Docker),
            ],
        );
        check(
            "http://127.0.0.1:5000",
            &[("127.0.0.1:5000", RegistryKind::Docker)],
        );
        check("http://[::1]:5000", &[("[::1]:5000", RegistryKind::Docker)]);
    }

    #[test]
    fn a_token_is_for_the_registries_of_its_server() {
        let enterprise = Server::of("https://git.example.com");
        assert!(enterprise.has("docker.git.example.com"));
        assert!(!enterprise.has("ghcr.io"));
        assert!(!Server::Public.has("quay.io"));
        assert!(!Server::of("https://acme.ghe.com").has("containers.evil.ghe.com"));
    }

    #[test]
    fn loopback_hosts_are_recognized() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.9:1",
            "[::1]:5000",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1:5000", "ghcr.io"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
