//! `Authority`: a private certificate authority (CA), and the server certificates that it issues.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::reference::digest_of;

/// A CA that no client trusts by default. It can issue certificates for several doubles; its name contains a hash of
/// its key.
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
    pem: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Authority")
    }
}

impl Authority {
    /// A new CA with its own key.
    ///
    /// # Errors
    ///
    /// When the key or the certificate cannot be generated.
    pub fn generate() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::default();
        let subject = format!("ghcr-double {:.19}", digest_of(key.public_key_raw()));
        params.distinguished_name.push(DnType::CommonName, subject);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let pem = issuer.pem();
        let issuer = Arc::new(issuer);
        Ok(Self { issuer, pem })
    }

    /// Its certificate, for the clients that have to trust it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The server side of TLS, with a certificate for these names, `localhost` and `127.0.0.1`.
    pub(crate) fn acceptor(&self, names: &[String]) -> io::Result<TlsAcceptor> {
        let local = ["127.0.0.1", "localhost"].map(str::to_owned);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params =
            CertificateParams::new([names, &local].concat()).map_err(io::Error::other)?;
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params
            .signed_by(&key, &*self.issuer)
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![leaf.der().clone()], key)
            })
            .map_err(io::Error::other)?;
        Ok(Arc::new(config).into())
    }
}
