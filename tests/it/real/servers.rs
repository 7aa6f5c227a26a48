//! The real engine publishes to every server of GitHub: behind TLS of a private authority, to the older
//! Docker registry, from a candidate.

use std::collections::BTreeSet;

use expect_test::expect;
use ghcr_double::{Account, Authority, Double, Isolation, Login, Repository, Server, Visibility};
use serde_json::Value;

use super::world::{Crane, graph_engine, output_of, publication};
use crate::support::{Action, Run, TOKEN, process};

fn flat(login: Login) -> Double {
    let builder = Double::builder().server(Server::ghes_flat()).login(login);
    builder
        .token(TOKEN, Account::workflow("acme/Widget"))
        .start()
        .unwrap()
}

/// A server behind a certificate of its own; the names lead to this machine (`testbed/names`).
fn behind_tls(authority: &Authority, server: Server, names: &[&str]) -> Double {
    let builder = Double::builder().server(server).tls(authority, names);
    builder
        .repository(Repository::new("acme/Widget").visibility(Visibility::Public))
        .organization("acme")
        .token(TOKEN, Account::workflow("acme/Widget"))
        .start()
        .unwrap()
}

fn on(double: &Double, engine: Option<&str>) -> Action {
    publication(engine)
        .event("push_tag")
        .env("GITHUB_SERVER_URL", double.server_url())
        .env("GITHUB_API_URL", double.api_url())
}

#[track_caller]
fn succeeded(run: &Run) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}

/// Every tag shows one Docker manifest whose digest is the one that is reported.
#[track_caller]
fn check_docker(double: &Double, run: &Run, image: &str, tags: &[&str]) {
    let held: BTreeSet<String> = double.tags(image).into_keys().collect();
    assert_eq!(held, tags.iter().map(|&tag| tag.to_owned()).collect());
    let crane = Crane::new(&double.host());
    for tag in tags {
        let reference = format!("{}/{image}:{tag}", double.host());
        assert_eq!(crane.digest(&reference), run.output("digest"), "{tag}");
        let manifest = crane.manifest(&reference);
        let media_type = "application/vnd.docker.distribution.manifest.v2+json";
        assert_eq!(manifest["mediaType"], media_type);
        assert_eq!(manifest["annotations"], Value::Null);
    }
}

#[test]
fn an_older_registry_gets_what_it_takes_from_either_store() {
    for (engine, login) in [(None, Login::Token), (Some(graph_engine()), Login::Basic)] {
        let double = flat(login);
        let run = on(&double, engine.as_deref())
            .input(
                "driver-opts",
                if engine.is_some() { "network=host" } else { "" },
            )
            .input(
                "tags",
                "type=ref,event=tag\ntype=sha,prefix=\ntype=raw,value=latest",
            )
            .run();
        succeeded(&run);
        run.assert_log(format!("the registry of {} is", double.server_url()));
        check_docker(
            &double,
            &run,
            "acme/widget/widget",
            &["0123456", "latest", "v1.2.3"],
        );
        let name = format!("{}/acme/widget/widget", double.host());
        assert_eq!(run.output("image"), name);
    }
}

/// One image, tagged with the short revision, `latest` and a version, pushed to `OWNER/REPO/IMAGE` from what
/// an earlier step built.
#[test]
fn a_candidate_of_an_earlier_step_goes_to_the_older_registry() {
    for engine in [None, Some(graph_engine())] {
        let double = flat(Login::Token);
        let local = "localhost/real-engine/candidate:ci";
        let docker = |arguments: &[&str]| {
            let mut docker = process("docker");
            docker.envs(engine.as_deref().map(|host| ("DOCKER_HOST", host)));
            output_of(docker.args(arguments))
        };
        let context = super::world::repository_file("examples/hello");
        docker(&[
            "build",
            "--quiet",
            "--tag",
            local,
            context.to_str().unwrap(),
        ]);
        let run = on(&double, engine.as_deref())
            .input("images", "app")
            .input("candidate", format!("docker-daemon:{local}"))
            .input(
                "tags",
                "type=sha,prefix=\ntype=raw,value=latest\ntype=raw,value=2.0.0",
            )
            .run();
        docker(&["image", "rm", local]);
        succeeded(&run);
        check_docker(
            &double,
            &run,
            "acme/widget/app",
            &["0123456", "2.0.0", "latest"],
        );
    }
}

#[test]
fn an_isolated_server_behind_a_private_authority_is_found_and_published_to() {
    let authority = Authority::generate().unwrap();
    let names = ["ghes.test", "containers.ghes.test", "docker.ghes.test"];
    let double = behind_tls(&authority, Server::ghes("ghes.test", Isolation::On), &names);
    let run = on(&double, None)
        .input("ca-cert", authority.pem())
        .input("driver-opts", "network=host")
        .run();
    succeeded(&run);
    let name = format!("{}/acme/widget", double.at("containers.ghes.test"));
    assert_eq!(run.output("image"), name);
    assert_eq!(run.output("tags"), format!("{name}:v1.2.3\n{name}:latest"));
    assert_eq!(double.tags("acme/widget")["latest"], run.output("digest"));
    // The API is asked behind the same certificate, and says that nobody would find the package.
    double.set_package(
        "acme/widget",
        ghcr_double::Package::of("acme/other").writer("acme/Widget"),
    );
    let run = on(&double, None)
        .input("fixed-tags", "replace")
        .input("ca-cert", authority.pem())
        .input("driver-opts", "network=host")
        .run();
    succeeded(&run);
    let notices: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("::notice"))
        .collect();
    let host = double.at("ghes.test");
    let shown = notices
        .join("\n")
        .replace(&host, "ghes.test")
        .replace(&name, "<image>");
    expect![[r#"
        ::notice title=ghcr-publish::`containers.ghes.test/acme/widget` is not linked to `acme/Widget`, whose page does not show it: open https://ghes.test/orgs/acme/packages/container/widget/settings → Connect repository
        ::notice title=ghcr-publish::`containers.ghes.test/acme/widget` is private while `acme/Widget` is public, so nobody can pull it without credentials: open https://ghes.test/orgs/acme/packages/container/widget/settings → Change visibility"#]].assert_eq(&shown);
}

#[test]
fn without_its_authority_a_private_certificate_is_named_as_the_cause() {
    let authority = Authority::generate().unwrap();
    let server = Server::ghes("flat.test", Isolation::Off);
    let names = ["flat.test", "containers.flat.test", "docker.flat.test"];
    let double = behind_tls(&authority, server, &names);
    let run = on(&double, None).run();
    assert!(!run.succeeded);
    let shown = run.stderr.replace("%0A", "\n").replace(&double.at(""), "");
    let port = double.address().port().to_string();
    expect![[r#"
        ::error title=ghcr-publish::no container registry found for this GitHub server
          because: `containers.flat.test`: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer
          `docker.flat.test`: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer
          `flat.test`: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer
          fix: set the input `registry`, for example `registry: containers.flat.test`; if its certificate is from a private CA, also set `ca-cert`
    "#]].assert_eq(&shown.replace(&format!(":{port}"), ":PORT"));
}

#[test]
fn a_server_without_isolation_is_found_among_wildcard_names() {
    let authority = Authority::generate().unwrap();
    let server = Server::ghes("flat.test", Isolation::Off);
    let names = ["flat.test", "containers.flat.test", "docker.flat.test"];
    let double = behind_tls(&authority, server, &names);
    let run = on(&double, None)
        .input("ca-cert", authority.pem())
        .input("driver-opts", "network=host")
        .run();
    succeeded(&run);
    let name = format!("{}/acme/widget/widget", double.at("flat.test"));
    assert_eq!(run.output("image"), name);
    assert_eq!(
        double.tags("acme/widget/widget")["latest"],
        run.output("digest")
    );
}

#[test]
fn a_tenant_of_ghe_com_has_its_own_registry() {
    let authority = Authority::generate().unwrap();
    let host = "publish-double.ghe.com";
    let names = [
        host,
        "containers.publish-double.ghe.com",
        "api.publish-double.ghe.com",
    ];
    let double = behind_tls(&authority, Server::ghe_com(host), &names);
    let run = on(&double, None)
        .input("ca-cert", authority.pem())
        .input("driver-opts", "network=host")
        .input("tags", "type=raw,value=edge")
        .run();
    succeeded(&run);
    let name = format!(
        "{}/acme/widget",
        double.at("containers.publish-double.ghe.com")
    );
    assert_eq!(
        run.output("ref"),
        format!("{name}@{}", run.output("digest"))
    );
    assert_eq!(double.tags("acme/widget")["edge"], run.output("digest"));
}
