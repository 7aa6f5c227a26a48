//! `Signer`: signs the statements of a run, with one certificate as long as it is valid.

use crate::deadline::Deadline;
use crate::sigstore::bundle::{Bundle, envelope, signed_bytes};
use crate::sigstore::certificate::Certificate;
use crate::sigstore::error::ServiceError;
use crate::sigstore::evidence;
use crate::sigstore::http::Http;
use crate::sigstore::instance::Instance;
use crate::sigstore::oidc::{IdToken, TokenRequest};
use crate::sigstore::statement::Statement;

/// Signs with the services of one instance.
pub(crate) struct Signer {
    http: Http,
    request: TokenRequest,
    instance: Instance,
    token: Option<IdToken>,
    certificate: Option<Certificate>,
}

impl Signer {
    /// `token` is for the first certificate, if it is still valid then.
    pub(crate) fn new(
        http: Http,
        request: TokenRequest,
        token: IdToken,
        instance: Instance,
    ) -> Self {
        Self {
            http,
            request,
            instance,
            token: Some(token),
            certificate: None,
        }
    }

    /// Signs a statement. Retries each service until the deadline passes, with a new certificate before the old one
    /// expires.
    ///
    /// # Errors
    ///
    /// A `Problem`, with a `ServiceError` below it.
    pub(crate) async fn sign(
        &mut self,
        statement: &Statement,
        deadline: Deadline,
    ) -> anyhow::Result<Bundle> {
        let payload = statement.to_json();
        loop {
            let certificate = self.certificate(deadline).await?;
            let attempt = deadline.at_most(certificate.left(deadline.pace()));
            match self.bundle(&certificate, &payload, attempt).await {
                Ok(bundle) => {
                    self.certificate = Some(certificate);
                    return Ok(bundle);
                }
                Err(error) => self.again(error, deadline).await.map_err(|error| {
                    let fix = "check the inputs `sigstore`, `rekor-url` and `timestamp-url`";
                    error.explained("cannot record when the attestation was signed", fix)
                })?,
            }
        }
    }

    /// The certificate that is still valid, or a new one with a new key.
    async fn certificate(&mut self, deadline: Deadline) -> anyhow::Result<Certificate> {
        let valid = self.certificate.take();
        let valid = valid.filter(|certificate| !certificate.left(deadline.pace()).is_zero());
        if let Some(certificate) = valid {
            return Ok(certificate);
        }
        loop {
            let token = self.token(deadline).await?;
            let attempt = deadline.at_most(token.left(deadline.pace()));
            let fulcio = &self.instance.fulcio;
            match Certificate::request(&self.http, fulcio, &token, attempt).await {
                Ok(certificate) => return Ok(certificate),
                Err(error) => self.again(error, deadline).await.map_err(|error| {
                    let fix = format!("check the inputs `sigstore` and `fulcio-url`: the instance must accept tokens of {}", token.claims.iss);
                    error.explained("cannot get a signing certificate", &fix)
                })?,
            }
        }
    }

    /// The first token if it is still valid, or a new one.
    async fn token(&mut self, deadline: Deadline) -> anyhow::Result<IdToken> {
        let valid = self.token.take();
        match valid.filter(|token| !token.left(deadline.pace()).is_zero()) {
            Some(token) => Ok(token),
            None => self.request.send(&self.http, deadline).await,
        }
    }

    /// Waits for another attempt with a new token or certificate, if the deadline allows one.
    async fn again(&self, error: ServiceError, deadline: Deadline) -> Result<(), ServiceError> {
        let retry = deadline.retry(1, error.retry_after);
        let Some(retry) = retry.filter(|_| error.is_transient()) else {
            return Err(error);
        };
        let line = format!("{error}; {retry}, with a new token and certificate");
        self.http.console.say(&line);
        retry.wait().await;
        Ok(())
    }

    async fn bundle(
        &self,
        certificate: &Certificate,
        payload: &str,
        deadline: Deadline,
    ) -> Result<Bundle, ServiceError> {
        let (http, instance) = (&self.http, &self.instance);
        let signature = certificate.key.sign(&signed_bytes(payload));
        let envelope = envelope(payload, &signature);
        let mut entry = None;
        if let Some(rekor) = &instance.log {
            let pem = certificate.leaf_pem();
            entry = Some(evidence::log_entry(http, rekor, &envelope, &pem, deadline).await?);
        }
        let mut timestamp = None;
        if let Some(authority) = &instance.timestamp {
            let stamped = evidence::timestamp(http, authority, &signature, deadline);
            timestamp = Some(stamped.await?);
        }
        Ok(Bundle::new(certificate, &envelope, entry, timestamp))
    }
}
