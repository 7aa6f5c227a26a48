//! The references that a run writes in addition to the tags of the rules.

use crate::context::Context;
use crate::image::Tagged;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::inputs::builder::BuilderInputs;
use crate::inputs::candidate::Candidate;
use crate::plan::tags::PlannedTag;
use crate::plan::{Plan, docker};

/// The names that may be pushed as `primary` although no rule gives that tag. A builder that the run creates
/// pushes by digest; whether one is created on its own account, only the engine knows.
pub(super) fn carriers(
    images: &[ImageName],
    tags: &[PlannedTag],
    primary: &Tag,
    inputs: &Inputs,
    context: &Context,
) -> Vec<Tagged> {
    let is_a_rules = tags.iter().any(|planned| planned.tag == *primary);
    let has_older = docker::is_among(images, context);
    let is_promotion = inputs.candidate.as_ref().is_some_and(Candidate::is_image);
    let by_digest = is_promotion || matches!(inputs.builder, BuilderInputs::Made(_));
    let names = images.iter().filter(|name| match has_older {
        // This program pushes all of them; only the older registry accepts no manifest by its digest.
        true => docker::is_older(name, context),
        false => !by_digest,
    });
    let carriers = names.filter(|_| !is_a_rules).map(|name| Tagged {
        name: name.clone(),
        tag: primary.clone(),
    });
    carriers.collect()
}

impl Plan {
    /// The primary tag, when no rule gives it.
    pub(crate) fn carrier(&self) -> Option<&Tag> {
        let is_a_rules = self.tags.iter().any(|planned| planned.tag == self.primary);
        (!is_a_rules).then_some(&self.primary)
    }

    /// The references in registries that the build exports its cache to.
    pub(crate) fn caches(&self) -> impl Iterator<Item = &str> {
        self.build
            .cache_to
            .iter()
            .filter_map(|cache| cache.get("ref"))
    }

    /// Everything that the run may write in addition to [`Plan::references`].
    pub(crate) fn other_references(&self) -> Vec<String> {
        let carriers = self.carriers.iter().map(ToString::to_string);
        carriers.chain(self.caches().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    /// The references in addition to the tags on a push to `main`.
    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[&str]) {
        let run = [
            ("GITHUB_REPOSITORY", "acme/app"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let context = Context::from_vars(&vars).unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let now = chrono::DateTime::UNIX_EPOCH;
        let plan = Plan::new(&inputs, &context, |_| true, now).unwrap();
        let shown: Vec<String> = plan
            .other_references()
            .iter()
            .map(|reference| reference.replace("123456789abcdef0123456789abcdef01234567", "…"))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_tag_of_the_first_push_is_named_when_no_rule_gives_it() {
        check(&[], &["ghcr.io/acme/app:sha-0…"]);
        let two = ("INPUT_IMAGES", "acme/app\nquay.io/acme/app");
        check(
            &[two],
            &["ghcr.io/acme/app:sha-0…", "quay.io/acme/app:sha-0…"],
        );
        check(&[("INPUT_TAGS", "type=sha\nmain")], &[]);
        check(&[("INPUT_TAGS", "type=sha,format=long")], &[]);
    }

    #[test]
    fn engine_writes_no_version_that_is_written_once() {
        let release = ("GITHUB_REF", "refs/tags/v1.2.3");
        check(&[release], &["ghcr.io/acme/app:sha-0…"]);
        check(&[release, ("INPUT_FIXED-TAGS", "replace")], &[]);
        let semver = "type=semver,pattern={{version}}\ntype=sha";
        check(&[release, ("INPUT_TAGS", semver)], &[]);
        let raw = ("INPUT_TAGS", "type=raw,value={{tag}}");
        check(&[release, raw], &[]);
    }

    #[test]
    fn push_by_digest_and_no_push_need_no_such_tag() {
        check(&[("INPUT_PUSH", "false")], &[]);
        check(&[("INPUT_DRIVER", "docker-container")], &[]);
        check(&[("INPUT_CANDIDATE", "ghcr.io/acme/app:tested")], &[]);
        check(&[("INPUT_CANDIDATE", "sha")], &["ghcr.io/acme/app:sha-0…"]);
    }

    #[test]
    fn only_the_older_docker_registry_always_needs_such_a_tag() {
        let server = ("GITHUB_SERVER_URL", "https://git.example.com");
        let images = (
            "INPUT_IMAGES",
            "docker.git.example.com/acme/app/web\nquay.io/acme/app",
        );
        let only = ["docker.git.example.com/acme/app/web:sha-0…"];
        check(&[server, images], &only);
        let tested = ("INPUT_CANDIDATE", "quay.io/acme/app:tested");
        check(&[server, images, tested], &only);
    }

    #[test]
    fn caches_in_a_registry_are_named() {
        let sha = ("INPUT_TAGS", "type=sha");
        check(
            &[sha, ("INPUT_CACHE", "registry")],
            &["ghcr.io/acme/app/cache:main"],
        );
        let others = "type=registry,ref=quay.io/acme/Cache:x\ntype=gha\ntype=inline";
        check(
            &[sha, ("INPUT_CACHE-TO", others)],
            &["quay.io/acme/cache:x"],
        );
        let tested = ("INPUT_CANDIDATE", "ghcr.io/acme/app:tested");
        check(&[sha, ("INPUT_CACHE", "registry"), tested], &[]);
    }
}
