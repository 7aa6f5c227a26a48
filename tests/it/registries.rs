//! Every kind of registry: whom the names lead to, who is sent which login, what is refused before the build.

use expect_test::{Expect, expect};
use ghcr_double::{Account, Double, Endpoint, Server};

use crate::support::{Action, TOKEN};

/// A run on an Enterprise Server whose registry is named, so that nobody has to be asked.
fn enterprise() -> Action {
    Action::new()
        .event("push_tag")
        .env("GITHUB_SERVER_URL", "https://git.example.com")
        .input("github-token", TOKEN)
        .input("registry", "docker.git.example.com")
        .buildx("exit 1")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(action: Action, expected: Expect) {
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("arguments"), "", "the build was started");
    let text = run.stderr.replace("%0A", "\n");
    expected.assert_eq(text.trim_start_matches("::error title=ghcr-publish::"));
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn planned(action: Action, expected: Expect) {
    let run = action.arguments(&["plan"]).run();
    assert!(run.succeeded, "{}", run.stderr);
    expected.assert_eq(&run.stdout);
}

#[test]
fn older_docker_registry_needs_three_path_parts_and_one_manifest() {
    refused(
        enterprise().input("images", "acme/app"),
        expect![[r#"
        `docker.git.example.com/acme/app` is not a valid name for GitHub's Docker registry
          because: a name in that registry has the three parts OWNER/REPOSITORY/IMAGE, and this one has 2
          fix: write `docker.git.example.com/acme/widget/app`
    "#]],
    );
    refused(
        enterprise().input("images", "docker.git.example.com/Acme/Widget/tools/app"),
        expect![[r#"
            `docker.git.example.com/acme/widget/tools/app` is not a valid name for GitHub's Docker registry
              because: a name in that registry has the three parts OWNER/REPOSITORY/IMAGE, and this one has 4
              fix: write `docker.git.example.com/acme/widget/app`
        "#]],
    );
    refused(
        enterprise().input("platforms", "linux/amd64,linux/arm64"),
        expect![[r#"
            the input `platforms` (`linux/amd64,linux/arm64`) is not supported by `docker.git.example.com`
              because: the older Docker registry does not support indexes, so an image has one platform
              fix: set one platform, for example `platforms: linux/amd64`, or publish to `containers.git.example.com` if the server has it
        "#]],
    );
    refused(
        enterprise().input("provenance", "max"),
        expect![[r#"
        the attestation `provenance` is not supported by `docker.git.example.com`
          because: an attestation is part of an index, which the older Docker registry does not support
          fix: remove it from the inputs `provenance`, `sbom` and `attests`, or publish to `containers.git.example.com` if the server has it
    "#]],
    );
    refused(
        enterprise().input("attests", "type=sbom"),
        expect![[r#"
        the attestation `sbom` is not supported by `docker.git.example.com`
          because: an attestation is part of an index, which the older Docker registry does not support
          fix: remove it from the inputs `provenance`, `sbom` and `attests`, or publish to `containers.git.example.com` if the server has it
    "#]],
    );
    refused(
        enterprise().input("cache", "registry"),
        expect![[r#"
        a cache in the registry is not supported by `docker.git.example.com`
          because: such a cache is an index, which the older Docker registry does not support
          fix: use `cache: inline`, or set `cache-to` to another registry, or publish to `containers.git.example.com` if the server has it
    "#]],
    );
    refused(
        enterprise().input("outputs", "type=image,compression=zstd"),
        expect![[r#"
            the compression `zstd` of the input `outputs` is not supported by `docker.git.example.com`
              because: the older Docker registry accepts uncompressed and gzip layers only
              fix: remove `compression`, or publish to `containers.git.example.com` if the server has it
        "#]],
    );
    refused(
        enterprise()
            .without("INPUT_REGISTRY")
            .without("GITHUB_SERVER_URL")
            .input("images", "docker.pkg.github.com/acme/widget/app"),
        expect![[r#"
            docker.pkg.github.com was closed in 2025
              fix: publish to `ghcr.io/acme/widget/app`, where GitHub moved the images
        "#]],
    );
}

#[test]
fn bare_name_is_image_of_repository() {
    planned(
        enterprise()
            .input("images", "web\nAPI")
            .input("annotations", "a=b"),
        expect![[r#"
            ::add-mask::ghs_canary.of-the-test_0123456789
            ::notice title=ghcr-publish::`API` is published as `docker.git.example.com/acme/widget/api`: names are lowercase
            ::notice title=ghcr-publish::the image gets no annotations: the older Docker registry stores Docker manifests, which have none; labels are unchanged
            publish  docker.git.example.com/acme/widget/web:v1.2.3
                     docker.git.example.com/acme/widget/web:latest
                     docker.git.example.com/acme/widget/api:v1.2.3
                     docker.git.example.com/acme/widget/api:latest
            also     docker.git.example.com/acme/widget/web:sha-0123456789abcdef0123456789abcdef01234567 (the first push; not needed when a builder is created for the run)
                     docker.git.example.com/acme/widget/api:sha-0123456789abcdef0123456789abcdef01234567 (the first push; not needed when a builder is created for the run)
            versions v1.2.3: written once
            floating latest: move only forward
            rules    type=schedule          – the event is `push`, not `schedule`
                     type=ref,event=branch  – the ref is the tag `v1.2.3`, not a branch
                     type=ref,event=tag     → v1.2.3
                     type=ref,event=pr      – the ref is the tag `v1.2.3`, not a pull request
                     latest                 → latest
            push     yes: a token is available, and the event is trusted
            build    Dockerfile in . for the engine's platform
            labels   org.opencontainers.image.created=2026-11-20T10:00:00.000Z
                     org.opencontainers.image.description=Makes widgets
                     org.opencontainers.image.licenses=Apache-2.0
                     org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
                     org.opencontainers.image.source=https://github.com/acme/Widget
                     org.opencontainers.image.title=Widget
                     org.opencontainers.image.url=https://github.com/acme/Widget
                     org.opencontainers.image.version=v1.2.3
        "#]],
    );
    planned(
        enterprise(),
        expect![[r#"
            ::add-mask::ghs_canary.of-the-test_0123456789
            publish  docker.git.example.com/acme/widget/widget:v1.2.3
                     docker.git.example.com/acme/widget/widget:latest
            also     docker.git.example.com/acme/widget/widget:sha-0123456789abcdef0123456789abcdef01234567 (the first push; not needed when a builder is created for the run)
            versions v1.2.3: written once
            floating latest: move only forward
            rules    type=schedule          – the event is `push`, not `schedule`
                     type=ref,event=branch  – the ref is the tag `v1.2.3`, not a branch
                     type=ref,event=tag     → v1.2.3
                     type=ref,event=pr      – the ref is the tag `v1.2.3`, not a pull request
                     latest                 → latest
            push     yes: a token is available, and the event is trusted
            build    Dockerfile in . for the engine's platform
            labels   org.opencontainers.image.created=2026-11-20T10:00:00.000Z
                     org.opencontainers.image.description=Makes widgets
                     org.opencontainers.image.licenses=Apache-2.0
                     org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
                     org.opencontainers.image.source=https://github.com/acme/Widget
                     org.opencontainers.image.title=Widget
                     org.opencontainers.image.url=https://github.com/acme/Widget
                     org.opencontainers.image.version=v1.2.3
        "#]],
    );
}

#[test]
fn plan_cannot_know_registry_of_enterprise_server() {
    refused(
        enterprise().without("INPUT_REGISTRY").arguments(&["plan"]),
        expect![[r#"
            cannot tell which registry belongs to `https://git.example.com`
              because: only a request to the Enterprise Server can tell, and `plan` sends none
              fix: set the input `registry`, for example `registry: containers.git.example.com`
        "#]],
    );
}

#[test]
fn build_without_push_sends_no_request_to_enterprise_server() {
    let double = Double::builder()
        .server(Server::ghes_flat())
        .start()
        .unwrap();
    let run = Action::new()
        .event("push_tag")
        .env("GITHUB_SERVER_URL", double.server_url())
        .env("GITHUB_API_URL", double.api_url())
        .input("push", "false")
        .buildx_pushes(&format!("sha256:{}", "1".repeat(64)))
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let tag = format!("--tag={}/acme/widget/widget:v1.2.3", double.host());
    assert!(run.noted("arguments").contains(&tag));
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn plan_without_push_has_name_on_enterprise_server() {
    let run = enterprise()
        .without("INPUT_REGISTRY")
        .input("push", "false")
        .arguments(&["plan"])
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    let tags = run.output("tags");
    assert!(
        tags.starts_with("containers.git.example.com/acme/widget:v1.2.3"),
        "{tags}"
    );
}

#[test]
fn server_that_is_down_is_retried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let started = Action::new()
        .event("push_tag")
        .env("GITHUB_SERVER_URL", format!("http://{address}"))
        .input("github-token", TOKEN)
        .arguments(&["check"])
        .start()
        .says("the GitHub server did not respond; retry 1 in ");
    let double = Double::builder()
        .address(address)
        .server(Server::ghes_flat())
        .token(TOKEN, Account::workflow("acme/Widget"))
        .start();
    let run = started.end();
    drop(double);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let found = format!("the registry of http://{address} is {address}\n");
    run.assert_log(&found);
    run.assert_log(", giving up in 60 s\n");
}

#[test]
fn registry_cache_needs_registry_even_without_push() {
    for cache in ["registry", "inline"] {
        let run = enterprise()
            .without("INPUT_REGISTRY")
            .input("push", "false")
            .input("cache", cache)
            .arguments(&["plan"])
            .run();
        let said = "cannot tell which registry belongs to `https://git.example.com`";
        run.assert_error(said);
    }
}

#[test]
fn ca_cert_must_be_a_certificate() {
    let action = enterprise().input("ca-cert", "Dockerfile");
    refused(
        action,
        expect![[r#"
        the file `Dockerfile` of the input `ca-cert` contains no certificate
          because: it does not contain `-----BEGIN CERTIFICATE-----`
          fix: set it to a CA certificate in PEM format (`-----BEGIN CERTIFICATE-----`), either its text or a file in the checkout
    "#]],
    );
}

#[test]
fn tag_pushed_to_older_docker_registry_is_logged() {
    let double = Double::builder()
        .server(Server::ghes_flat())
        .token(TOKEN, Account::workflow("acme/Widget"))
        .start()
        .unwrap();
    double.put_docker_image("acme/widget/app", "ci");
    let run = Action::new()
        .event("push_branch")
        .env("GITHUB_SERVER_URL", double.server_url())
        .env("GITHUB_API_URL", double.api_url())
        .input("github-token", TOKEN)
        .input("images", "app")
        .input("floating-tags", "always")
        .input("candidate", format!("{}/acme/widget/app:ci", double.host()))
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let own = "sha-0123456789abcdef0123456789abcdef01234567";
    assert!(double.tags("acme/widget/app").contains_key(own));
    let named = format!("{}/acme/widget/app:{own}", double.host());
    assert_eq!(run.output("other-references"), named);
}

#[test]
fn older_docker_registry_promotes_without_copying_layers() {
    let double = Double::builder()
        .server(Server::ghes_flat())
        .token(TOKEN, Account::workflow("acme/Widget"))
        .start()
        .unwrap();
    let digest = double.put_docker_image("acme/widget/app", "ci");
    let run = Action::new()
        .event("push_tag")
        .env("GITHUB_SERVER_URL", double.server_url())
        .env("GITHUB_API_URL", double.api_url())
        .input("github-token", TOKEN)
        .input("images", "app")
        .input("candidate", format!("{}/acme/widget/app:ci", double.host()))
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("digest"), digest);
    let tags = double.tags("acme/widget/app");
    assert_eq!([&tags["v1.2.3"], &tags["latest"]], [&digest; 2]);
    assert_eq!(double.count(Endpoint::BlobPut), 0);
    let pull = format!("docker pull {}/acme/widget/app:v1.2.3", double.host());
    run.assert_summary(&pull);
    // An Enterprise Server keeps no attestations.
    assert!(!run.stdout.contains("attest") && !run.summary.contains("Attest"));
}
