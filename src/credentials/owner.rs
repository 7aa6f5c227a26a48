//! Whether two hosts belong to the same owner.

use public_suffix::{DEFAULT_PROVIDER, EffectiveTLDProvider as _};

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
pub(crate) fn is_same(one: &str, other: &str) -> bool {
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
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
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
                !is_same(one, other) && !is_same(other, one),
                "{one} {other}"
            );
        }
    }
}
