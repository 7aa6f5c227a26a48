//! Candidates that cannot be published, in the words the user reads.

use expect_test::{Expect, expect};
use ghcr_double::{Account, Double, Package};

use super::images::Image;
use super::{action, double};
use crate::support::{Action, TOKEN};

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(action: Action, double: &Double, expected: Expect) {
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("arguments"), "", "the build was started");
    assert!(double.tags("acme/widget").is_empty());
    let text = run.stable(&run.stderr.replace("%0A", "\n"), double.host());
    expected.assert_eq(text.trim_start_matches("::error title=ghcr-publish::"));
}

#[test]
fn what_names_no_image_is_refused_before_anything_is_asked() {
    let double = double();
    refused(
        action(&double, "ghcr.io/acme/app:a b"),
        &double,
        expect![[r#"
        the input `candidate` is `ghcr.io/acme/app:a b`
          because: `a b` is no tag
          fix: write `sha`, a reference with a registry (`ghcr.io/acme/app:1.2.3`, `ghcr.io/acme/app@sha256:…`), or an image of the engine (`app:test`, `docker-daemon:app:test`)
    "#]],
    );
    refused(
        action(&double, "sha256:0123"),
        &double,
        expect![[r#"
        the input `candidate` is `sha256:0123`
          because: `sha256:0123` is not a sha256 digest
          fix: write `sha`, a reference with a registry (`ghcr.io/acme/app:1.2.3`, `ghcr.io/acme/app@sha256:…`), or an image of the engine (`app:test`, `docker-daemon:app:test`)
    "#]],
    );
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn a_mistyped_host_is_refused_here_too() {
    let double = double();
    refused(
        action(&double, "ghrc.io/acme/app"),
        &double,
        expect![[r#"
        `ghrc.io` is not a registry of GitHub; did you mean `ghcr.io`?
          because: a token that is sent to a mistyped host is given away
          fix: write `ghcr.io/acme/app`
    "#]],
    );
}

#[test]
fn an_image_that_is_nowhere_is_said_to_be_in_neither_place() {
    let double = double();
    let candidate = format!("{}/acme/tested:gone", double.host());
    refused(
        action(&double, &candidate),
        &double,
        expect![[r#"
        there is no image `<registry>/acme/tested:gone`
          because: <registry> answered 404 MANIFEST_UNKNOWN: manifest unknown
          fix: check the name and the tag, or write `docker-daemon:` before it for an image that only the local engine has
    "#]],
    );
    refused(
        action(&double, "widget:test"),
        &double,
        expect![[r#"
        the engine has no image `widget:test`
          fix: let an earlier step of the same job make it (`docker build --tag`, or `load: true`), or name a registry: `candidate: ghcr.io/acme/app:1.2.3`
    "#]],
    );
}

#[test]
fn an_engine_out_of_reach_is_said_to_be() {
    let double = double();
    let action = action(&double, "widget:test").env("DOCKER_HOST", "ssh://me@far");
    refused(
        action,
        &double,
        expect![[r#"
        cannot get the image `widget:test` from the engine
          because: the engine is behind ssh, TLS or a docker context, where only buildx reaches it
          fix: let `DOCKER_HOST` name a socket or a `tcp://` address without TLS, or push the image to a registry and name it there
    "#]],
    );
}

#[test]
fn a_platform_the_image_lacks_is_named_with_those_it_has() {
    let double = double();
    let image = Image::small("amd64", "one").put(&double, "acme/tested");
    let candidate = format!("{}/acme/tested@{}", double.host(), image.digest);
    let action = action(&double, &candidate).input("platforms", "linux/amd64,linux/arm64");
    refused(
        action,
        &double,
        expect![[r#"
        `<registry>/acme/tested@sha256:e077af3c12f60b0084de1bf1e18cf29a7b7c9dd72cc0656f21f52240d533eb7d` is not for linux/arm64
          because: it is for linux/amd64
          fix: take that out of the input `platforms`, or publish an image that was built for it
    "#]],
    );
}

#[test]
fn a_source_that_may_not_be_read_says_who_can_change_that() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/Widget"))
        .package("acme/widget", Package::of("acme/Widget"))
        .package("acme/hidden", Package::unlinked())
        .start()
        .unwrap();
    double.put_image("acme/hidden", "good", &[]);
    let candidate = format!("{}/acme/hidden:good", double.host());
    refused(
        action(&double, &candidate),
        &double,
        expect![[r#"
        cannot read `<registry>/acme/hidden:good`
          because: <registry> answered 403 DENIED: installation not allowed to Read organization package
          fix: add `packages: read` to the job's `permissions:`, and open https://github.com/orgs/acme/packages/container/hidden/settings → Manage Actions access → add acme/Widget with role Read; for another registry give a login that may read
    "#]],
    );
}
