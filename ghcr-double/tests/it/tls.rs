//! HTTPS with a private CA.

use crate::client::{NAME, Reply, TOKEN, basic, connect, exchange};
use ghcr_double::{Account, Authority, Double, Endpoint, Fault, Isolation, Package, Server};
use std::io;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn double(authority: &Authority) -> Double {
    let names = ["ghes.test", "containers.ghes.test", "docker.ghes.test"];
    Double::builder()
        .server(Server::ghes("ghes.test", Isolation::On))
        .tls(authority, &names)
        .token(TOKEN, Account::workflow("acme/widget"))
        .package(NAME, Package::of("acme/widget"))
        .start()
        .unwrap()
}

/// Sends a GET as a client that trusts only this CA.
fn get(
    double: &Double,
    trusted: &Authority,
    name: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), server).unwrap();
    let stream = StreamOwned::new(client, connect(double)?);
    exchange(stream, &double.at(name), "GET", target, headers, b"")
}

#[test]
fn links_use_tls_and_the_requested_host() {
    let authority = Authority::generate().unwrap();
    let double = double(&authority);
    let digest = double.put_blob(NAME, "layer");
    for host in ["containers.ghes.test", "docker.ghes.test"] {
        let ping = get(&double, &authority, host, "/v2/", &[]).unwrap();
        let challenge = ping.header("www-authenticate").unwrap();
        let realm = format!(r#"Bearer realm="https://{}/token","#, double.at(host));
        assert_eq!(ping.status, 401);
        assert!(challenge.starts_with(&realm), "{challenge}");
    }
    let host = "containers.ghes.test";
    let credentials = basic(TOKEN);
    let headers = [("authorization", credentials.as_str())];
    let target = format!("/token?scope=repository:{NAME}:pull");
    let reply = get(&double, &authority, host, &target, &headers).unwrap();
    let bearer = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let target = format!("/v2/{NAME}/blobs/{digest}");
    let reply = get(&double, &authority, host, &target, &headers).unwrap();
    let storage = format!("https://{}/storage/{digest}?", double.at("localhost"));
    assert_eq!(reply.status, 307);
    assert!(reply.header("location").unwrap().starts_with(&storage));
    let target = reply.location();
    let reply = get(&double, &authority, "localhost", &target, &[]).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "layer"));
}

#[test]
fn certificate_is_valid_for_its_names_and_clients_that_trust_its_ca() {
    let authority = Authority::generate().unwrap();
    let double = double(&authority);
    let status = |trusted: &Authority, name: &str| {
        get(&double, trusted, name, "/login", &[]).map(|reply| reply.status)
    };
    for name in ["ghes.test", "127.0.0.1", "localhost"] {
        assert_eq!(status(&authority, name).unwrap(), 200, "{name}");
    }
    let other_name = status(&authority, "other.test").unwrap_err().to_string();
    assert!(other_name.contains("certificate"), "{other_name}");
    let other_ca = Authority::generate().unwrap();
    let unknown = status(&other_ca, "ghes.test").unwrap_err().to_string();
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    assert_eq!(status(&authority, "ghes.test").unwrap(), 200);
}

#[test]
fn urls_use_https_and_the_host_names_of_the_server() {
    let authority = Authority::generate().unwrap();
    let double = double(&authority);
    assert_eq!(double.url(), format!("https://{}", double.host()));
    let web = format!("https://{}", double.at("ghes.test"));
    assert_eq!(double.server_url(), web);
    assert_eq!(double.api_url(), format!("{web}/api/v3"));
}

#[test]
fn plain_http_gets_no_response_and_faults_reset_the_connection() {
    let authority = Authority::generate().unwrap();
    let double = double(&authority);
    let stream = connect(&double).unwrap();
    let plain = exchange(stream, &double.host(), "GET", "/v2/", &[], b"");
    assert!(plain.is_err());
    double.script(Fault::on(Endpoint::Ping).reset());
    let host = "containers.ghes.test";
    let reset = get(&double, &authority, host, "/v2/", &[]).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    let after = get(&double, &authority, host, "/v2/", &[]).unwrap();
    assert_eq!(after.status, 401);
}
