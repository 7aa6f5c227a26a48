//! A Sigstore: Fulcio, and either the double of Rekor or a timestamp authority.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;

use ghcr_double::Sigstore;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Profile;
use crate::publication::COMMIT;
use crate::real::server::{Server, free_address};
use crate::real::world::{output_of, tool};
use crate::support::Action;

/// Running services. The double gives the job its tokens, and Fulcio its certificate authority.
pub(crate) struct Instance {
    pub(super) profile: Profile,
    pub(super) trusted_root: String,
    double: Sigstore,
    fulcio: SocketAddr,
    _fulcio: Server,
    timestamp: Option<TimestampAuthority>,
    _directory: TempDir,
}

impl Instance {
    pub(crate) fn start(profile: Profile) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let double = Sigstore::start(&claims()).unwrap();
        let fulcio = free_address();
        let timestamp = (profile == Profile::Timestamp)
            .then(|| TimestampAuthority::start(&directory.path().join("timestamp.log")));
        Self {
            profile,
            trusted_root: trusted_root(&double, timestamp.as_ref()),
            fulcio,
            _fulcio: start_fulcio(&double, fulcio, directory.path()),
            double,
            timestamp,
            _directory: directory,
        }
    }

    /// The issuer that certificates name.
    pub(super) fn issuer(&self) -> String {
        self.double.url()
    }

    /// Lets a run sign with these services.
    pub(crate) fn signs(&self, action: Action) -> Action {
        fs::write(action.path("workspace/root.json"), &self.trusted_root).unwrap();
        let action = action
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", self.double.token_url())
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", Sigstore::REQUEST_TOKEN)
            .input("fulcio-url", format!("http://{}", self.fulcio))
            .input("trusted-root", "root.json")
            .input("oidc-issuer", self.issuer());
        match &self.timestamp {
            Some(authority) => action.input("timestamp-url", authority.url()),
            None => action.input("rekor-url", self.double.url()),
        }
    }
}

/// A push of the tag `v1.2.3` to `acme/Widget`, as the recorded event tells it; the double is the issuer.
fn claims() -> Value {
    let workflow = "acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3";
    json!({
        "iss": null,
        "sub": "repo:acme/Widget:ref:refs/tags/v1.2.3",
        "repository": "acme/Widget", "repository_id": "1296269",
        "sha": COMMIT, "workflow_sha": COMMIT, "job_workflow_sha": COMMIT,
        "workflow_ref": workflow, "job_workflow_ref": workflow,
        "run_id": "42",
    })
}

fn start_fulcio(double: &Sigstore, address: SocketAddr, directory: &Path) -> Server {
    let file = |name: &str, text: &str| {
        fs::write(directory.join(name), text).unwrap();
        directory.join(name)
    };
    let (chain, key) = double.certificate_authority();
    let config = include_str!("fulcio.yaml").replace("ISSUER", &double.url());
    let port = address.port().to_string();
    let internal_port = free_address().port().to_string();
    let mut fulcio = tool("fulcio");
    fulcio
        .args(["serve", "--host=127.0.0.1", "--port", &port])
        .args(["--grpc-host=127.0.0.1", "--grpc-port", &internal_port])
        .args(["--metrics-port=0", "--ct-log-url="])
        .arg("--legacy-unix-domain-socket")
        .arg(directory.join("fulcio.sock"))
        .args(["--ca=fileca", "--fileca-watch=false"])
        .args(["--fileca-key-passwd=the key is not encrypted"])
        .arg("--fileca-cert")
        .arg(file("chain.pem", &chain))
        .arg("--fileca-key")
        .arg(file("key.pem", &key))
        .arg("--config-path")
        .arg(file("fulcio.yaml", &config));
    Server::start(fulcio, address, &directory.join("fulcio.log"))
}

struct TimestampAuthority {
    address: SocketAddr,
    _server: Server,
    /// Its metrics are always on port 2112, so only one runs at a time.
    _turn: File,
}

impl TimestampAuthority {
    fn start(log: &Path) -> Self {
        let turn = File::create(env::temp_dir().join("ghcr-publish-timestamp-server.lock"));
        let turn = turn.unwrap();
        turn.lock().unwrap();
        let address = free_address();
        let mut serve = tool("timestamp-server");
        serve
            .args(["serve", "--disable-ntp-monitoring", "--host=127.0.0.1"])
            .args(["--port", &address.port().to_string()]);
        Self {
            address,
            _server: Server::start(serve, address, log),
            _turn: turn,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its certificates from the one that signs to the root.
    fn chain(&self) -> Value {
        let url = format!("{}/api/v1/timestamp/certchain", self.url());
        let pem = output_of(tool("curl").args(["--fail", "--silent", "--show-error", &url]));
        let certificates = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
        let certificates = certificates.map(|certificate| {
            let body = certificate.split("-----").next().unwrap();
            json!({ "rawBytes": body.split_whitespace().collect::<String>() })
        });
        certificates.collect()
    }
}

/// The trusted root of the double, whose authority Fulcio has, with the chain of the timestamp authority.
fn trusted_root(double: &Sigstore, timestamp: Option<&TimestampAuthority>) -> String {
    let mut root: Value = serde_json::from_str(&double.trusted_root()).unwrap();
    if let Some(authority) = timestamp {
        let trusted = &mut root["timestampAuthorities"][0];
        trusted["uri"] = json!(authority.url());
        trusted["certChain"]["certificates"] = authority.chain();
        root["tlogs"] = json!([]);
    }
    root.to_string()
}
