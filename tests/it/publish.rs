//! Publications that go well, against the GHCR double.

mod other_references;

use expect_test::expect;
use ghcr_double::{Double, Endpoint, Fault};
use serde_json::json;

use crate::publication::PUSHED;
use crate::publication::{registry, registry_with_image};
use crate::support::{Action, TOKEN};

fn publish(event: &str, double: &Double, digest: &str) -> Action {
    Action::publishing(event, double).buildx_pushes(digest)
}

#[test]
fn release_is_pushed_verified_and_moves_latest() {
    let (double, digest) = registry_with_image(PUSHED);
    let run = publish("push_tag", &double, &digest).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(double.tags("acme/widget").get("latest"), Some(&digest));
    expect![[r#"
        ::add-mask::ghs_canary.of-the-test_0123456789
        ::add-mask::b2N0b2NhdDpnaHNfY2FuYXJ5Lm9mLXRoZS10ZXN0XzAxMjM0NTY3ODk=
        ::add-mask::djE6b3BhcXVlLWJlYXJlcjowMDAwMDAwMDAwMDAwMDAx
        Push access to <registry>/acme/widget: OK
        image    <registry>/acme/widget
        digest   sha256:648b05c46064d38fe28808d89005a6b60b9cd3f47430745672f7c9609facb503
        tag      <registry>/acme/widget:v1.2.3 (created)
        tag      <registry>/acme/widget:latest (created)
        also     <registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
    "#]]
    .assert_eq(&run.stable(&run.stdout, double.host()));
    let outputs: String = run
        .outputs
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    expect![[r#"
        annotations=manifest:org.opencontainers.image.created=2026-11-20T10:00:00.000Z
        manifest:org.opencontainers.image.description=Makes widgets
        manifest:org.opencontainers.image.licenses=Apache-2.0
        manifest:org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        manifest:org.opencontainers.image.source=https://github.com/acme/Widget
        manifest:org.opencontainers.image.title=Widget
        manifest:org.opencontainers.image.url=https://github.com/acme/Widget
        manifest:org.opencontainers.image.version=v1.2.3
        attestation-id=
        attestation-url=
        bake-file=
        bake-file-annotations=
        bake-file-labels=
        bake-file-tags=
        bundle-path=
        changes=
        complete=true
        deleted=
        digest=<digest>
        digests=["<digest>"]
        failed=
        image=<registry>/acme/widget
        imageid=sha256:277a86d5d1a6983dd0f8c45442ddec4188dd31d58693bede97b63004e4706d31
        json={"tags":["<registry>/acme/widget:v1.2.3","<registry>/acme/widget:latest"],"tag-names":["v1.2.3","latest"],"labels":{"org.opencontainers.image.created":"2026-11-20T10:00:00.000Z","org.opencontainers.image.description":"Makes widgets","org.opencontainers.image.licenses":"Apache-2.0","org.opencontainers.image.revision":"0123456789abcdef0123456789abcdef01234567","org.opencontainers.image.source":"https://github.com/acme/Widget","org.opencontainers.image.title":"Widget","org.opencontainers.image.url":"https://github.com/acme/Widget","org.opencontainers.image.version":"v1.2.3"},"annotations":["manifest:org.opencontainers.image.created=2026-11-20T10:00:00.000Z","manifest:org.opencontainers.image.description=Makes widgets","manifest:org.opencontainers.image.licenses=Apache-2.0","manifest:org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567","manifest:org.opencontainers.image.source=https://github.com/acme/Widget","manifest:org.opencontainers.image.title=Widget","manifest:org.opencontainers.image.url=https://github.com/acme/Widget","manifest:org.opencontainers.image.version=v1.2.3"]}
        kept=
        labels=org.opencontainers.image.created=2026-11-20T10:00:00.000Z
        org.opencontainers.image.description=Makes widgets
        org.opencontainers.image.licenses=Apache-2.0
        org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        org.opencontainers.image.source=https://github.com/acme/Widget
        org.opencontainers.image.title=Widget
        org.opencontainers.image.url=https://github.com/acme/Widget
        org.opencontainers.image.version=v1.2.3
        metadata={"containerimage.digest":"<digest>"}
        other-references=<registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
        part-digest=
        platform-digests={"linux/amd64":"<digest>"}
        pushed=true
        ref=<registry>/acme/widget@<digest>
        retained=
        reused=false
        skipped-tags=[]
        staged=
        subjects=[{"name":"<registry>/acme/widget","digest":"<digest>"}]
        tag-changes=[{"name":"<registry>/acme/widget","tag":"v1.2.3","change":"created","from":null,"reason":null},{"name":"<registry>/acme/widget","tag":"latest","change":"created","from":null,"reason":null}]
        tag-names=v1.2.3
        latest
        tags=<registry>/acme/widget:v1.2.3
        <registry>/acme/widget:latest
        version=v1.2.3
    "#]].assert_eq(
        &run.stable(&outputs, double.host())
            .replace(&digest, "<digest>"),
    );
    expect![[r#"
        ### 📦 `<registry>/acme/widget` is published

        | | |
        |---|---|
        | Image | `<registry>/acme/widget` |
        | Digest | `<digest>` |
        | Tags | `v1.2.3` created<br>`latest` created |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `<digest>` |

        ```sh
        docker pull <registry>/acme/widget@<digest>
        ```

        Also written: `<registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567`.

    "#]]
    .assert_eq(
        &run.stable(&run.summary, double.host())
            .replace(&digest, "<digest>"),
    );
}

#[test]
fn summary_covers_several_images() {
    let double = registry()
        .package("acme/tool", ghcr_double::Package::of("acme/Widget"))
        .start()
        .unwrap();
    let digest = double.put_image("acme/widget", PUSHED, &[]);
    assert_eq!(double.put_image("acme/tool", PUSHED, &[]), digest);
    let run = publish("push_tag", &double, &digest)
        .input("images", "acme/widget\nacme/tool")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    expect![[r#"
        ### 📦 `<registry>/acme/widget` and `<registry>/acme/tool` are published

        | | |
        |---|---|
        | Image | `<registry>/acme/widget` |
        | Digest | `<digest>` |
        | Tags | `v1.2.3` created<br>`latest` created |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `<digest>` |

        | | |
        |---|---|
        | Image | `<registry>/acme/tool` |
        | Digest | `<digest>` |
        | Tags | `v1.2.3` created<br>`latest` created |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `<digest>` |

        ```sh
        docker pull <registry>/acme/widget@<digest>
        docker pull <registry>/acme/tool@<digest>
        ```

        Also written: `<registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567`, `<registry>/acme/tool:sha-0123456789abcdef0123456789abcdef01234567`.

    "#]]
    .assert_eq(
        &run.stable(&run.summary, double.host())
            .replace(&digest, "<digest>"),
    );
    run.assert_log(format!("image    {}/acme/tool\n", double.host()));
}

#[test]
fn buildx_gets_exact_arguments() {
    let (double, digest) = registry_with_image(PUSHED);
    let action = publish("push_tag", &double, &digest)
        .input("build-args", "A=1")
        .input("platforms", "linux/amd64")
        .input("no-cache", "true");
    let run = action.env("SECRET_OF_ANOTHER_STEP", "x").run();
    assert!(run.succeeded, "{}", run.stderr);
    let arguments = run.stable(&run.noted("arguments"), double.host());
    let private = arguments
        .lines()
        .find_map(|line| line.strip_prefix("--metadata-file="))
        .unwrap()
        .trim_end_matches("/metadata.json")
        .to_owned();
    expect![[r#"
        build
        --progress=rawjson
        --file=Dockerfile
        --platform=linux/amd64
        --build-arg=A=1
        --no-cache
        --metadata-file=<private>/metadata.json
        --label=org.opencontainers.image.created=2026-11-20T10:00:00.000Z
        --label=org.opencontainers.image.description=Makes widgets
        --label=org.opencontainers.image.licenses=Apache-2.0
        --label=org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        --label=org.opencontainers.image.source=https://github.com/acme/Widget
        --label=org.opencontainers.image.title=Widget
        --label=org.opencontainers.image.url=https://github.com/acme/Widget
        --label=org.opencontainers.image.version=v1.2.3
        --annotation=manifest:org.opencontainers.image.created=2026-11-20T10:00:00.000Z
        --annotation=manifest:org.opencontainers.image.description=Makes widgets
        --annotation=manifest:org.opencontainers.image.licenses=Apache-2.0
        --annotation=manifest:org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        --annotation=manifest:org.opencontainers.image.source=https://github.com/acme/Widget
        --annotation=manifest:org.opencontainers.image.title=Widget
        --annotation=manifest:org.opencontainers.image.url=https://github.com/acme/Widget
        --annotation=manifest:org.opencontainers.image.version=v1.2.3
        --tag=<registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
        --output=type=image,oci-mediatypes=true,push=true
        --
        .
    "#]].assert_eq(&arguments.replace(&private, "<private>"));
    expect![[r#"
        BUILDX_CONFIG=<private>/buildx
        BUILDX_GIT_INFO=false
        BUILDX_METADATA_PROVENANCE=disabled
        BUILDX_NO_DEFAULT_ATTESTATIONS=1
        DOCKER_CONFIG=<private>
        DOCKER_HOST=unix://<directory>/docker.sock
        HOME=<directory>/home
        PATH=<directory>/bin:/usr/bin:/bin
        PWD=<directory>/workspace
        SOURCE_DATE_EPOCH=1795168800
    "#]]
    .assert_eq(
        &run.stable(&run.noted("environment"), double.host())
            .replace(&private, "<private>"),
    );
    assert!(
        !std::path::Path::new(&private).exists(),
        "the private configuration is left behind"
    );
    let login = json!({"auths": {double.host(): {"auth": "b2N0b2NhdDpnaHNfY2FuYXJ5Lm9mLXRoZS10ZXN0XzAxMjM0NTY3ODk="}}});
    assert_eq!(run.noted("docker-config"), login.to_string());
}

#[test]
fn token_is_masked_first_and_never_shown() {
    let (double, digest) = registry_with_image(PUSHED);
    let run = publish("push_tag", &double, &digest).run();
    assert!(
        run.stdout.starts_with(&format!("::add-mask::{TOKEN}\n")),
        "{}",
        run.stdout
    );
    let unmasked = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"))
        .collect::<String>();
    assert!(!(unmasked + &run.stderr + &run.summary).contains(TOKEN));
    assert!(!run.noted("arguments").contains(TOKEN) && !run.noted("environment").contains(TOKEN));
}

#[test]
fn commit_tag_is_written_before_branch_moves() {
    let own = "sha-0123456789abcdef0123456789abcdef01234567";
    let (double, digest) = registry_with_image(own);
    let run = publish("push_branch", &double, &digest).run();
    assert!(run.succeeded, "{}", run.stderr);
    assert!(
        run.noted("arguments")
            .contains(&format!("--tag={}/acme/widget:{own}\n", double.host()))
    );
    assert_eq!(
        run.output("tags"),
        format!("{}/acme/widget:main", double.host())
    );
    assert_eq!(double.tags("acme/widget").get("main"), Some(&digest));
}

#[test]
fn unpushed_build_logs_why() {
    let (double, digest) = registry_with_image("pr-3");
    let run = publish("pull_request_fork", &double, &digest).run();
    assert!(run.succeeded, "{}", run.stderr);
    assert_eq!(
        (
            run.output("pushed"),
            run.output("tags"),
            run.output("digest")
        ),
        ("false", "", digest.as_str())
    );
    assert!(run.noted("arguments").contains("push=false"));
    assert_eq!(double.requests().len(), 0);
    expect![[r#"
        ### 🔨 `<registry>/acme/widget` was built, not pushed

        Reason: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages.

        | | |
        |---|---|
        | Digest | `sha256:648b05c46064d38fe28808d89005a6b60b9cd3f47430745672f7c9609facb503` |

    "#]].assert_eq(&run.summary.replace(&double.host(), "<registry>"));
}

#[test]
fn transient_registry_error_is_retried() {
    let (double, digest) = registry_with_image(PUSHED);
    double.script(Fault::on(Endpoint::TagPut).answer(503));
    double.script(Fault::on(Endpoint::ManifestRead).reset());
    double.script(Fault::on(Endpoint::ManifestRead).stale());
    let run = publish("push_tag", &double, &digest).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("tags").lines().count(), 2);
}

#[test]
fn manifest_that_cannot_be_read_yet_is_read_again() {
    let (double, digest) = registry_with_image(PUSHED);
    let unknown = Fault::on(Endpoint::ManifestRead).path(&digest).times(2);
    double.script(unknown.error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
    let run = publish("push_tag", &double, &digest).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run.assert_log("MANIFEST_UNKNOWN: manifest unknown; retry 1 in");
    assert_eq!(double.tags("acme/widget").get("latest"), Some(&digest));
}

#[test]
fn missing_repository_facts_come_from_api() {
    let repository = ghcr_double::Repository::new("acme/Widget")
        .description("From the API")
        .license("MIT");
    let double = registry().repository(repository).start().unwrap();
    let digest = double.put_image("acme/widget", PUSHED, &[]);
    let run = publish("push_tag", &double, &digest)
        .without("GITHUB_EVENT_PATH")
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    assert!(
        run.output("labels")
            .contains("org.opencontainers.image.description=From the API\n"),
        "{}",
        run.output("labels")
    );
}

#[test]
fn check_only_asks_registry() {
    let (double, digest) = registry_with_image(PUSHED);
    let run = publish("push_tag", &double, &digest)
        .arguments(&["check"])
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    assert_eq!(run.noted("arguments"), "");
    run.assert_log("/acme/widget: OK");
}
