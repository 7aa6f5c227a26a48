//! The cache of GitHub Actions, as far as the job may use it.

use crate::context::cache_mode::CacheMode;
use crate::inputs::spec::Spec;

/// Leaves out the caches of the type `gha` that the job may not read (`from`) or write (`to`); says so if there were any.
pub(super) fn permit(mode: CacheMode, from: &mut Vec<Spec>, to: &mut Vec<Spec>) -> Option<String> {
    let unread = !mode.can_read() && leave_out(from);
    let unwritten = !mode.can_write() && leave_out(to);
    let left_out = match (unread, unwritten) {
        (true, true) => "neither read nor written",
        (true, false) => "not read",
        (false, true) => "not written",
        (false, false) => return None,
    };
    let mode = mode.as_str();
    Some(format!(
        "the cache `type=gha` is {left_out}: the `cache-mode` of the job is `{mode}`"
    ))
}

fn leave_out(caches: &mut Vec<Spec>) -> bool {
    let all = caches.len();
    caches.retain(|cache| !is_github(cache));
    caches.len() < all
}

/// The service may deny a write although the mode is unset, and that is no reason to fail a build.
pub(super) fn tolerant(cache: Spec) -> Spec {
    match is_github(&cache) {
        true => cache.or_with("ignore-error", "true"),
        false => cache,
    }
}

fn is_github(cache: &Spec) -> bool {
    cache.kind() == "gha"
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::context::Context;
    use crate::vars::Vars;

    fn mode(text: &str) -> CacheMode {
        let run = [
            ("GITHUB_REPOSITORY", "acme/widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("ACTIONS_CACHE_MODE", text),
        ];
        Context::from_vars(&Vars::of(&run)).unwrap().cache_mode
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn check(from: &[&str], to: &[&str], expected: Expect) {
        let specs = |kinds: &[&str]| kinds.iter().copied().map(Spec::new).collect::<Vec<_>>();
        let kinds = |specs: &[Spec]| specs.iter().map(Spec::kind).collect::<Vec<_>>().join(" ");
        let mut table = String::new();
        for text in ["", "write", "later", "read", "write-only", "none"] {
            let (mut from, mut to) = (specs(from), specs(to));
            let notice = permit(mode(text), &mut from, &mut to).unwrap_or_default();
            let row = format!("{text}: [{}] -> [{}] {notice}", kinds(&from), kinds(&to));
            table = format!("{table}{}\n", row.trim_end());
        }
        expected.assert_eq(&table);
    }

    #[test]
    fn github_cache_is_used_as_the_job_may() {
        check(
            &["gha", "registry", "gha"],
            &["gha", "local"],
            expect![[r#"
                : [gha registry gha] -> [gha local]
                write: [gha registry gha] -> [gha local]
                later: [gha registry gha] -> [gha local]
                read: [gha registry gha] -> [local] the cache `type=gha` is not written: the `cache-mode` of the job is `read`
                write-only: [registry] -> [gha local] the cache `type=gha` is not read: the `cache-mode` of the job is `write-only`
                none: [registry] -> [local] the cache `type=gha` is neither read nor written: the `cache-mode` of the job is `none`
            "#]],
        );
    }

    #[test]
    fn notice_names_only_what_is_left_out() {
        check(
            &["gha"],
            &[],
            expect![[r#"
            : [gha] -> []
            write: [gha] -> []
            later: [gha] -> []
            read: [gha] -> []
            write-only: [] -> [] the cache `type=gha` is not read: the `cache-mode` of the job is `write-only`
            none: [] -> [] the cache `type=gha` is not read: the `cache-mode` of the job is `none`
        "#]],
        );
        check(
            &[],
            &["gha"],
            expect![[r#"
            : [] -> [gha]
            write: [] -> [gha]
            later: [] -> [gha]
            read: [] -> [] the cache `type=gha` is not written: the `cache-mode` of the job is `read`
            write-only: [] -> [gha]
            none: [] -> [] the cache `type=gha` is not written: the `cache-mode` of the job is `none`
        "#]],
        );
        check(
            &["registry"],
            &["registry", "s3"],
            expect![[r#"
            : [registry] -> [registry s3]
            write: [registry] -> [registry s3]
            later: [registry] -> [registry s3]
            read: [registry] -> [registry s3]
            write-only: [registry] -> [registry s3]
            none: [registry] -> [registry s3]
        "#]],
        );
    }

    #[test]
    fn denied_write_fails_the_build_only_if_the_input_says_so() {
        let github = Spec::new("gha");
        let strict = github.clone().with("ignore-error", "false");
        assert_eq!(tolerant(strict.clone()), strict);
        assert_eq!(
            tolerant(github.clone()),
            github.with("ignore-error", "true")
        );
        let registry = Spec::new("registry").with("ref", "a/b");
        assert_eq!(tolerant(registry.clone()), registry);
    }
}
