//! The cache of GitHub Actions, where the job or the service restricts it.

use expect_test::expect;

use super::{action, arguments, succeeded};

#[test]
fn the_cache_of_actions_is_used_as_the_job_may() {
    let mode = |mode: &str| {
        let action = action("").event("push_branch").input("cache", "gha");
        let action = action.input("cache-to", "type=gha,scope=x\ntype=registry,ref=a/b");
        let run = succeeded(action.env("ACTIONS_CACHE_MODE", mode));
        let notices = run
            .stdout
            .lines()
            .filter(|line| line.contains("type=gha` is"));
        let notices: Vec<&str> = notices.collect();
        format!("{}\n{}", arguments(&run, &["--cache"]), notices.join("\n"))
    };
    expect![[r#"
        --cache-from=type=gha,scope=acme/widget..main
        --cache-to=type=registry,ref=a/b
        ::notice title=ghcr-publish::the cache `type=gha` is not written: the `cache-mode` of the job is `read`"#]].assert_eq(&mode("read"));
    expect![[r#"
        --cache-to=type=gha,scope=acme/widget..main,mode=max,ignore-error=true
        --cache-to=type=gha,scope=x,ignore-error=true
        --cache-to=type=registry,ref=a/b
        ::notice title=ghcr-publish::the cache `type=gha` is not read: the `cache-mode` of the job is `write-only`"#]].assert_eq(&mode("write-only"));
    expect![[r#"
        --cache-to=type=registry,ref=a/b
        ::notice title=ghcr-publish::the cache `type=gha` is neither read nor written: the `cache-mode` of the job is `none`"#]].assert_eq(&mode("none"));
}

/// The service denies what it will, whether the runner said so or not. BuildKit goes on without the cache that it cannot read,
/// and, with `ignore-error=true`, without the one that it cannot write.
#[test]
fn a_denial_of_the_cache_service_fails_no_build() {
    let denied = r#"
case "$*" in *type=gha,scope=x,ignore-error=true*) ;; *) exit 1 ;; esac
cat >&2 <<'END'
{"vertexes":[{"digest":"sha256:1","name":"importing cache manifest from gha:1","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"cache read denied: the cache mode of the job is none"}]}
{"vertexes":[{"digest":"sha256:2","name":"exporting to GitHub Actions Cache","started":"2026-01-01T00:00:02Z","completed":"2026-01-01T00:00:03Z","error":"error writing layer blob: cache write denied: the cache mode of the job is none"}]}
END"#;
    let action = action(denied)
        .event("push_branch")
        .input("cache-from", "type=gha,scope=x");
    let run = succeeded(action.input("cache-to", "type=gha,scope=x"));
    assert!(run.output("digest").starts_with("sha256:"));
    let said = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("::notice"));
    expect![[r#"
        ::notice title=ghcr-publish::a cache was not read: cache read denied: the cache mode of the job is none
        ::notice title=ghcr-publish::a cache was not written: error writing layer blob: cache write denied: the cache mode of the job is none"#]].assert_eq(&said.collect::<Vec<_>>().join("\n"));
}
