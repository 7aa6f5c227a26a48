//! `SystemVerifier`: checks certificates of servers against the CA certificates of the system, which are read at the first
//! handshake.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// All clients of a run share one: the certificates are parsed at most once, and not at all in a run without TLS.
#[derive(Debug)]
pub(super) struct SystemVerifier {
    /// Trusted in addition to those of the system.
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    read: OnceLock<Result<Verifier, Error>>,
}

impl SystemVerifier {
    pub(super) fn new(extra: Vec<CertificateDer<'static>>) -> Self {
        Self {
            extra,
            provider: Arc::new(ring::default_provider()),
            read: OnceLock::new(),
        }
    }

    /// Reads the certificates, unless they were read before.
    ///
    /// # Errors
    ///
    /// If one of the additional certificates is invalid, or if there are none at all.
    pub(super) fn verifier(&self) -> Result<&Verifier, Error> {
        let read = || {
            Verifier::new_with_extra_roots(self.extra.iter().cloned(), Arc::clone(&self.provider))
        };
        self.read.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }
}

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier()?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
