//! `Trust`: the CA certificates that are trusted for registries, the GitHub API and the builder.

mod verifier;

use std::path::Path;
use std::sync::Arc;

use reqwest::{ClientBuilder, Proxy};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::Problem;
use crate::tls::verifier::SystemVerifier;
use crate::workspace::Workspace;

/// The input `ca-cert`: CA certificates that are trusted in addition to those of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaCert {
    /// The certificates themselves, in PEM form.
    Text(String),
    /// A file of the workspace.
    File(String),
}

impl CaCert {
    pub(crate) fn of(text: &str) -> Self {
        if text.contains("-----BEGIN") {
            Self::Text(text.to_owned())
        } else {
            Self::File(text.to_owned())
        }
    }
}

/// The CA certificates of the system and of the input `ca-cert`.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pem: String,
    verifier: Arc<SystemVerifier>,
    proxies: Vec<Proxy>,
}

impl Default for Trust {
    /// The CA certificates of the system.
    fn default() -> Self {
        Self {
            pem: String::new(),
            verifier: Arc::new(SystemVerifier::new(Vec::new())),
            proxies: Vec::new(),
        }
    }
}

/// How this program introduces itself to registries and APIs.
pub(crate) const USER_AGENT: &str = concat!("ghcr-publish/", env!("CARGO_PKG_VERSION"));
/// In KiB; the bundle of a whole system has a quarter of that.
const MAX_KIB: u64 = 1024;
const FIX: &str = "set it to a CA certificate in PEM format (`-----BEGIN CERTIFICATE-----`), either its text or a file in the checkout";

impl Trust {
    /// Reads the input `ca-cert`.
    pub(crate) fn read(given: Option<&CaCert>, workspace: &Path) -> Result<Self, Problem> {
        let (pem, what) = match given {
            None => return Ok(Self::default()),
            Some(CaCert::Text(text)) => (text.clone(), "the text in the input `ca-cert`".into()),
            Some(CaCert::File(path)) => {
                let bytes = Workspace(workspace).read("ca-cert", path, MAX_KIB)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                (text, format!("the file `{path}` of the input `ca-cert`"))
            }
        };
        let none = |because: &str| {
            Problem::new(format!("{what} contains no certificate"), FIX).because(because)
        };
        if pem.contains("PRIVATE KEY-----") {
            return Err(none("it contains a private key, which must stay secret"));
        }
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let certificates: Result<Vec<_>, _> = certificates.collect();
        let certificates = certificates.map_err(|error| none(&error.to_string()))?;
        if certificates.is_empty() {
            return Err(none("it does not contain `-----BEGIN CERTIFICATE-----`"));
        }
        let verifier = SystemVerifier::new(certificates);
        let usable = verifier.verifier();
        usable.map_err(|error| none(&format!("it cannot be used: {error}")))?;
        Ok(Self {
            pem,
            verifier: Arc::new(verifier),
            proxies: Vec::new(),
        })
    }

    /// The same, behind proxies.
    pub(crate) fn behind(self, proxies: Vec<Proxy>) -> Self {
        Self { proxies, ..self }
    }

    /// The builder of every HTTP client for other machines. It reads no proxy from the
    /// environment.
    pub(crate) fn client(&self) -> ClientBuilder {
        let client = ClientBuilder::new()
            .no_proxy()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(self.config());
        let proxies = self.proxies.iter().cloned();
        proxies.fold(client, ClientBuilder::proxy)
    }

    fn config(&self) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(self.verifier.provider())
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        let verifier = Arc::clone(&self.verifier);
        let config = config.dangerous();
        let config = config.with_custom_certificate_verifier(verifier);
        config.with_no_client_auth()
    }

    /// The PEM text of the input `ca-cert`, if there are any.
    pub(crate) fn pem(&self) -> Option<&str> {
        Some(self.pem.as_str()).filter(|pem| !pem.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::error::Explanation;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(given: CaCert, expected: Expect) {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let workspace = tempfile::tempdir().unwrap();
        fs::write(workspace.path().join("ca.crt"), b"\x30\x82\x01\x0a").unwrap();
        let problem = Trust::read(Some(&given), workspace.path()).unwrap_err();
        expected.assert_eq(&Explanation::of(&problem.into()).to_string());
    }

    #[test]
    fn invalid_ca_certificate_is_refused_before_any_request() {
        refused(
            CaCert::File("ca.crt".to_owned()),
            expect![[r#"
            the file `ca.crt` of the input `ca-cert` contains no certificate
              because: it does not contain `-----BEGIN CERTIFICATE-----`
              fix: set it to a CA certificate in PEM format (`-----BEGIN CERTIFICATE-----`), either its text or a file in the checkout"#]],
        );
        refused(
            CaCert::File("../ca.crt".to_owned()),
            expect![[r#"
            invalid value `../ca.crt` for the input `ca-cert`
              because: it cannot be read: No such file or directory (os error 2)
              fix: check the path; paths start at the root of the checkout"#]],
        );
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----";
        refused(
            CaCert::Text(key.to_owned()),
            expect![[r#"
            the text in the input `ca-cert` contains no certificate
              because: it contains a private key, which must stay secret
              fix: set it to a CA certificate in PEM format (`-----BEGIN CERTIFICATE-----`), either its text or a file in the checkout"#]],
        );
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
        refused(
            CaCert::Text(broken.to_owned()),
            expect![[r#"
                the text in the input `ca-cert` contains no certificate
                  because: it cannot be used: invalid peer certificate: BadEncoding
                  fix: set it to a CA certificate in PEM format (`-----BEGIN CERTIFICATE-----`), either its text or a file in the checkout"#]],
        );
    }
}
