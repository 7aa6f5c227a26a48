//! The services on each host name of each server.

use crate::client::{NAME, Reply, TOKEN, basic, connect, exchange};
use ghcr_double::{
    Account, Double, Endpoint, Fault, Isolation, Login, Package, Repository, Server,
};

fn double(server: Server) -> Double {
    Double::builder()
        .server(server)
        .token(TOKEN, Account::workflow("acme/widget"))
        .package(NAME, Package::of("acme/widget"))
        .repository(Repository::new("acme/widget"))
        .start()
        .unwrap()
}

fn get(double: &Double, host: &str, target: &str, authorization: &str) -> Reply {
    let stream = connect(double).unwrap();
    let headers = [("authorization", authorization)];
    exchange(stream, &double.at(host), "GET", target, &headers, b"").unwrap()
}

/// Checks the status of `/v2/`, and whether a registry responds.
#[track_caller]
fn check_ping(double: &Double, host: &str, status: u16, is_registry: bool) {
    let reply = get(double, host, "/v2/", "");
    let version = reply.header("docker-distribution-api-version").is_some();
    let realm = format!(r#"Bearer realm="http://{}/token""#, double.at(host));
    let challenged = reply
        .header("www-authenticate")
        .is_some_and(|challenge| challenge.starts_with(&realm));
    assert_eq!(
        (reply.status, version, challenged),
        (status, is_registry, is_registry),
        "{host}"
    );
}

/// Checks the links in the responses of the API below this path.
#[track_caller]
fn check_api(double: &Double, host: &str, base: &str, expected: Option<(&str, &str)>) {
    let target = format!("{base}/repos/acme/widget");
    let reply = get(double, host, &target, &format!("Bearer {TOKEN}"));
    let Some((web, api)) = expected else {
        assert_ne!(reply.status, 200);
        return;
    };
    let repository = reply.json();
    let (web, api) = (double.at(web), format!("{}{api}", double.at(host)));
    assert_eq!(repository["html_url"], format!("http://{web}/acme/widget"));
    assert_eq!(repository["url"], format!("http://{api}/repos/acme/widget"));
}

#[test]
fn ghes_with_isolation() {
    let double = double(Server::ghes("ghes.test", Isolation::On));
    check_ping(&double, "containers.ghes.test", 401, true);
    check_ping(&double, "docker.ghes.test", 401, true);
    check_ping(&double, "ghes.test", 302, false);
    check_ping(&double, "other.ghes.test", 200, false);
    check_api(
        &double,
        "ghes.test",
        "/api/v3",
        Some(("ghes.test", "/api/v3")),
    );
    check_api(&double, "containers.ghes.test", "/api/v3", None);
}

#[test]
fn ghes_without_isolation() {
    let double = double(Server::ghes("flat.test", Isolation::Off));
    check_ping(&double, "flat.test", 401, true);
    check_ping(&double, "containers.flat.test", 200, false);
    check_ping(&double, "docker.flat.test", 200, false);
    check_api(
        &double,
        "flat.test",
        "/api/v3",
        Some(("flat.test", "/api/v3")),
    );
}

#[test]
fn ghes_under_any_name() {
    let double = double(Server::ghes_flat());
    check_ping(&double, "127.0.0.1", 401, true);
    check_api(
        &double,
        "127.0.0.1",
        "/api/v3",
        Some(("127.0.0.1", "/api/v3")),
    );
    assert_eq!(double.api_url(), format!("{}/api/v3", double.url()));
}

#[test]
fn ghe_com() {
    let double = double(Server::ghe_com("octocorp.ghe.com"));
    check_ping(&double, "containers.octocorp.ghe.com", 401, true);
    check_ping(&double, "octocorp.ghe.com", 302, false);
    check_ping(&double, "docker.octocorp.ghe.com", 200, false);
    let links = Some(("octocorp.ghe.com", ""));
    check_api(&double, "api.octocorp.ghe.com", "", links);
    check_api(&double, "octocorp.ghe.com", "/api/v3", None);
    let api = double.at("api.octocorp.ghe.com");
    assert_eq!(double.api_url(), format!("http://{api}"));
}

#[test]
fn pages_are_html() {
    let double = double(Server::ghes("ghes.test", Isolation::On));
    let page = get(&double, "ghes.test", "/v2/", "");
    assert_eq!(page.header("location"), Some("/login"));
    for host in ["ghes.test", "other.test"] {
        let page = get(&double, host, "/login", "");
        let kind = page.header("content-type").unwrap();
        assert_eq!((page.status, kind), (200, "text/html; charset=utf-8"));
    }
}

#[test]
fn requests_are_recorded_and_faults_apply_by_host() {
    let double = double(Server::ghes("ghes.test", Isolation::On));
    double.script(
        Fault::on(Endpoint::Ping)
            .host("containers.ghes.test")
            .always()
            .answer(503),
    );
    let status = |host: &str| get(&double, host, "/v2/", "").status;
    assert_eq!(status("docker.ghes.test"), 401);
    assert_eq!(status("containers.ghes.test"), 503);
    let hosts: Vec<String> = double
        .requests()
        .into_iter()
        .map(|seen| seen.host)
        .collect();
    let asked = ["docker.ghes.test", "containers.ghes.test"].map(|host| double.at(host));
    assert_eq!(hosts, asked);
    assert_eq!(double.count(Endpoint::Ping), 2);
}

#[test]
fn older_registry_may_require_basic_on_every_request() {
    let double = Double::builder()
        .server(Server::ghes_flat())
        .login(Login::Basic)
        .token(TOKEN, Account::workflow("acme/widget"))
        .start()
        .unwrap();
    double.put_docker_image("acme/widget/app", "v1");
    let list = "/v2/acme/widget/app/tags/list";
    let refused = get(&double, "127.0.0.1", list, "");
    let challenge = r#"Basic realm="GitHub Package Registry""#;
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    let wrong = get(&double, "127.0.0.1", list, &basic("wrong"));
    assert_eq!((refused.status, wrong.status), (401, 401));
    let listed = get(&double, "127.0.0.1", list, &basic(TOKEN));
    assert_eq!(
        (listed.status, &listed.json()["tags"][0]),
        (200, &"v1".into())
    );
    let token = get(&double, "127.0.0.1", "/token", &basic(TOKEN));
    assert_eq!(token.status, 404);
}
