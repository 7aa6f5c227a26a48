//! Which caches a build reads and which it writes.
//!
//! What one build leaves in a cache, another one runs: a cache that code of a fork can write is a way
//! into every later image. So a build writes under its own name only, reads what its base and the default
//! branch left, and nothing of a pull request is ever read by anything but that pull request.

mod github;

use crate::context::facts::Facts;
use crate::context::{Context, GitRef};
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::build::BuildInputs;
use crate::inputs::cache::CacheKind;
use crate::inputs::spec::Spec;

/// The caches of a build, with notices.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) from: Vec<Spec>,
    pub(super) to: Vec<Spec>,
    pub(super) notices: Vec<String>,
}

/// Those of the input `cache`, then those of `cache-from` and `cache-to`.
pub(super) fn cache(
    build: &BuildInputs,
    context: &Context,
    facts: &Facts,
    image: Option<&ImageName>,
) -> Cache {
    let mut cache = Cache::default();
    let keep = |scope: &str| keep(build, image, scope);
    cache.from = read(context, facts)
        .iter()
        .filter_map(|scope| keep(scope).map(from))
        .collect();
    cache.to = written(context)
        .iter()
        .filter_map(|scope| keep(scope).map(to))
        .collect();
    cache.from.extend_from_slice(&build.cache_from);
    for spec in &build.cache_to {
        if context.foreign_head().is_some() && is_shared(spec) {
            let kind = spec.kind();
            cache.notices.push(format!("the cache `type={kind}` is read but not written: code of another repository must not write to it"));
        } else {
            cache.to.push(github::tolerant(spec.clone()));
        }
    }
    let left_out = github::permit(context.cache_mode, &mut cache.from, &mut cache.to);
    cache.notices.extend(left_out);
    cache
}

/// The scopes that are read: our own, the base branch's, the default branch's.
fn read(context: &Context, facts: &Facts) -> Vec<String> {
    let own = own_scope(context).filter(|_| context.foreign_head().is_none());
    let base = Some(facts.base_ref()).filter(|base| !base.is_empty());
    let branches = [base, facts.default_branch()].into_iter().flatten();
    let mut scopes: Vec<String> = Vec::new();
    for scope in own.into_iter().chain(branches.filter_map(branch_scope)) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// The one scope that is written. `pull_request_target`, `workflow_run` and comments have the rights of the
/// default branch and build other code.
fn written(context: &Context) -> Option<String> {
    let trusted = context.foreign_head().is_none() && !context.has_rights_of_base();
    own_scope(context).filter(|_| trusted)
}

/// Git allows no `..` in the name of a ref, so no branch can pass for a pull request. Tags have no scope:
/// nothing would ever read it.
fn own_scope(context: &Context) -> Option<String> {
    match &context.git_ref {
        GitRef::Branch(branch) => branch_scope(branch),
        GitRef::PullRequest(number) => Some(format!("pr..{number}")),
        GitRef::Tag(_) | GitRef::Other(_) => None,
    }
}

fn branch_scope(branch: &str) -> Option<String> {
    Tag::sanitized(branch).map(|tag| tag.to_string())
}

/// The cache of `scope` as the input `cache` wants it kept.
fn keep(build: &BuildInputs, image: Option<&ImageName>, scope: &str) -> Option<Kept> {
    let platforms: Vec<String> = build
        .parameters
        .platforms
        .iter()
        .map(|platform| platform.replace('/', "-"))
        .collect();
    let parts = [scope.to_owned(), platforms.join("_")];
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let scope_of_platforms = parts.join("..");
    let kept = match build.cache {
        CacheKind::None => return None,
        CacheKind::Gha => {
            let scope = match image {
                Some(image) => format!("{}..{scope_of_platforms}", image.repository()),
                None => scope_of_platforms,
            };
            Kept::Gha(scope)
        }
        CacheKind::Registry => {
            let tag = Tag::sanitized(&scope_of_platforms)?;
            Kept::Registry(format!("{}:{tag}", cache_name(image?)))
        }
        CacheKind::Inline => Kept::Inline(format!("{}:{}", image?, Tag::sanitized(scope)?)),
    };
    Some(kept)
}

/// A name of its own, so that the image's package shows images only. Docker Hub has no third level.
fn cache_name(image: &ImageName) -> String {
    match image.registry() {
        "docker.io" => format!("{image}-cache"),
        _ => format!("{image}/cache"),
    }
}

enum Kept {
    Gha(String),
    Registry(String),
    Inline(String),
}

fn from(kept: Kept) -> Spec {
    match kept {
        Kept::Gha(scope) => Spec::new("gha").with("scope", &scope),
        Kept::Registry(reference) | Kept::Inline(reference) => {
            Spec::new("registry").with("ref", &reference)
        }
    }
}

/// A cache that cannot be written costs time in the next build, and never this one.
fn to(kept: Kept) -> Spec {
    let whole = |spec: Spec| spec.with("mode", "max").with("ignore-error", "true");
    match kept {
        Kept::Gha(scope) => whole(Spec::new("gha").with("scope", &scope)),
        Kept::Registry(reference) => whole(Spec::new("registry").with("ref", &reference)),
        Kept::Inline(_) => Spec::new("inline"),
    }
}

/// Whether another run may read it: a directory of this machine and the image itself are not shared.
fn is_shared(spec: &Spec) -> bool {
    !matches!(spec.kind(), "local" | "inline")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use chrono::DateTime;
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::context::event::Event;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    fn pull(repository: &str) -> serde_json::Value {
        json!({"head": {"ref": "fix", "repo": {"full_name": repository}}, "base": {"ref": "release/1"}})
    }

    fn decide(
        event: &str,
        full_ref: &str,
        payload: serde_json::Value,
        inputs: &[(&str, &str)],
    ) -> Cache {
        let run = [
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REF", full_ref),
            ("GITHUB_SHA", "0123456789abcdef"),
        ];
        let vars = Vars::of(&[&run, inputs].concat());
        let mut payload = payload;
        payload["repository"] = json!({"name": "Widget", "default_branch": "main"});
        let parsed = Context::from_vars(&vars).unwrap();
        let git_ref = match event {
            "pull_request_target" | "issue_comment" => GitRef::PullRequest(7),
            _ => parsed.git_ref.clone(),
        };
        let context = Context {
            event: Event::from_payload(&payload),
            git_ref,
            ..parsed
        };
        let facts = Facts::new(&context, DateTime::UNIX_EPOCH, 7);
        let image = ImageName::parse("acme/widget", "ghcr.io").unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        cache(&inputs.build, &context, &facts, Some(&image))
    }

    fn shown(specs: &[Spec]) -> String {
        let shown = specs.iter().map(|spec| {
            spec.get("scope")
                .or(spec.get("ref"))
                .unwrap_or(spec.kind())
                .to_owned()
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    fn check(inputs: &[(&str, &str)], expected: Expect) {
        let (own, fork) = (pull("acme/widget"), pull("joe/widget"));
        let run_of = |repository: &str| json!({"workflow_run": {"head_repository": {"full_name": repository}}});
        let pull_request = |pull: &serde_json::Value| json!({"number": 7, "pull_request": pull});
        let events = [
            ("push", "refs/heads/main", json!({})),
            ("push", "refs/heads/feature/x", json!({})),
            ("push", "refs/tags/v1.2.3", json!({})),
            ("release", "refs/tags/v1.2.3", json!({})),
            ("schedule", "refs/heads/main", json!({})),
            ("pull_request", "refs/pull/7/merge", pull_request(&own)),
            ("pull_request", "refs/pull/7/merge", pull_request(&fork)),
            (
                "pull_request_target",
                "refs/heads/release/1",
                pull_request(&own),
            ),
            (
                "pull_request_target",
                "refs/heads/release/1",
                pull_request(&fork),
            ),
            ("workflow_run", "refs/heads/main", run_of("acme/widget")),
            ("workflow_run", "refs/heads/main", run_of("joe/widget")),
            (
                "issue_comment",
                "refs/heads/main",
                json!({"issue": {"number": 7, "pull_request": {}}}),
            ),
            (
                "merge_group",
                "refs/heads/gh-readonly-queue/main/pr-7-ab",
                json!({}),
            ),
        ];
        let mut table = String::new();
        for (event, full_ref, payload) in events {
            let fork = if payload.to_string().contains("joe") {
                " (fork)"
            } else {
                ""
            };
            let Cache { from, to, notices } = decide(event, full_ref, payload, inputs);
            let notices = if notices.is_empty() { "" } else { " (notice)" };
            writeln!(
                table,
                "{event} {full_ref}{fork}: [{}] -> [{}]{notices}",
                shown(&from),
                shown(&to)
            )
            .unwrap();
        }
        expected.assert_eq(&table);
    }

    #[test]
    fn event_reads_trusted_caches_and_writes_its_own_scope() {
        check(
            &[("INPUT_CACHE", "registry")],
            expect![[r#"
                push refs/heads/main: [ghcr.io/acme/widget/cache:main] -> [ghcr.io/acme/widget/cache:main]
                push refs/heads/feature/x: [ghcr.io/acme/widget/cache:feature-x ghcr.io/acme/widget/cache:main] -> [ghcr.io/acme/widget/cache:feature-x]
                push refs/tags/v1.2.3: [ghcr.io/acme/widget/cache:main] -> []
                release refs/tags/v1.2.3: [ghcr.io/acme/widget/cache:main] -> []
                schedule refs/heads/main: [ghcr.io/acme/widget/cache:main] -> [ghcr.io/acme/widget/cache:main]
                pull_request refs/pull/7/merge: [ghcr.io/acme/widget/cache:pr..7 ghcr.io/acme/widget/cache:release-1 ghcr.io/acme/widget/cache:main] -> [ghcr.io/acme/widget/cache:pr..7]
                pull_request refs/pull/7/merge (fork): [ghcr.io/acme/widget/cache:release-1 ghcr.io/acme/widget/cache:main] -> []
                pull_request_target refs/heads/release/1: [ghcr.io/acme/widget/cache:pr..7 ghcr.io/acme/widget/cache:release-1 ghcr.io/acme/widget/cache:main] -> []
                pull_request_target refs/heads/release/1 (fork): [ghcr.io/acme/widget/cache:release-1 ghcr.io/acme/widget/cache:main] -> []
                workflow_run refs/heads/main: [ghcr.io/acme/widget/cache:main] -> []
                workflow_run refs/heads/main (fork): [ghcr.io/acme/widget/cache:main] -> []
                issue_comment refs/heads/main: [ghcr.io/acme/widget/cache:main] -> []
                merge_group refs/heads/gh-readonly-queue/main/pr-7-ab: [ghcr.io/acme/widget/cache:pr..7 ghcr.io/acme/widget/cache:main] -> [ghcr.io/acme/widget/cache:pr..7]
            "#]],
        );
    }

    #[test]
    fn code_of_forks_does_not_write_named_caches() {
        check(
            &[
                ("INPUT_CACHE-FROM", "a/b"),
                ("INPUT_CACHE-TO", "a/b\ntype=local,dest=x"),
            ],
            expect![[r#"
                push refs/heads/main: [a/b] -> [a/b local]
                push refs/heads/feature/x: [a/b] -> [a/b local]
                push refs/tags/v1.2.3: [a/b] -> [a/b local]
                release refs/tags/v1.2.3: [a/b] -> [a/b local]
                schedule refs/heads/main: [a/b] -> [a/b local]
                pull_request refs/pull/7/merge: [a/b] -> [a/b local]
                pull_request refs/pull/7/merge (fork): [a/b] -> [local] (notice)
                pull_request_target refs/heads/release/1: [a/b] -> [a/b local]
                pull_request_target refs/heads/release/1 (fork): [a/b] -> [local] (notice)
                workflow_run refs/heads/main: [a/b] -> [a/b local]
                workflow_run refs/heads/main (fork): [a/b] -> [local] (notice)
                issue_comment refs/heads/main: [a/b] -> [local] (notice)
                merge_group refs/heads/gh-readonly-queue/main/pr-7-ab: [a/b] -> [a/b local]
            "#]],
        );
    }

    #[test]
    fn each_cache_type_has_its_own_location() {
        let platforms = ("INPUT_PLATFORMS", "linux/amd64,linux/arm/v7");
        let branch = |kind| {
            let Cache { from, to, .. } = decide(
                "push",
                "refs/heads/Fix/1",
                json!({}),
                &[("INPUT_CACHE", kind), platforms],
            );
            let shown = |spec: &Spec| format!("{} {:?}\n", spec.kind(), spec.attributes());
            from.iter()
                .map(shown)
                .chain(["->\n".to_owned()])
                .chain(to.iter().map(shown))
                .collect::<String>()
        };
        assert_eq!(branch("none"), "->\n");
        expect![[r#"
            gha [("scope", "acme/widget..Fix-1..linux-amd64_linux-arm-v7")]
            gha [("scope", "acme/widget..main..linux-amd64_linux-arm-v7")]
            ->
            gha [("scope", "acme/widget..Fix-1..linux-amd64_linux-arm-v7"), ("mode", "max"), ("ignore-error", "true")]
        "#]].assert_eq(&branch("gha"));
        expect![[r#"
            registry [("ref", "ghcr.io/acme/widget/cache:Fix-1..linux-amd64_linux-arm-v7")]
            registry [("ref", "ghcr.io/acme/widget/cache:main..linux-amd64_linux-arm-v7")]
            ->
            registry [("ref", "ghcr.io/acme/widget/cache:Fix-1..linux-amd64_linux-arm-v7"), ("mode", "max"), ("ignore-error", "true")]
        "#]].assert_eq(&branch("registry"));
        expect![[r#"
            registry [("ref", "ghcr.io/acme/widget:Fix-1")]
            registry [("ref", "ghcr.io/acme/widget:main")]
            ->
            inline []
        "#]]
        .assert_eq(&branch("inline"));
    }

    #[test]
    fn sanitized_branch_name_has_its_own_scope() {
        let written = |branch: &str| {
            let full_ref = format!("refs/heads/{branch}");
            let cache = decide("push", &full_ref, json!({}), &[("INPUT_CACHE", "gha")]);
            shown(&cache.to)
        };
        assert_eq!(written("main"), "acme/widget..main");
        assert_ne!(written("#main"), written("main"));
        assert_ne!(written("#main"), written("@main"));
    }
}
