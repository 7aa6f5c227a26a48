//! The git checkout, asked for what `GITHUB_*` would say.

use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use crate::error::Problem;

/// What a checkout knows; each fact may be unknown, for example before the first commit.
#[derive(Debug, Default)]
pub(super) struct Checkout {
    /// `owner/name`, from the address of the remote `origin`.
    pub(super) repository: Option<String>,
    /// The scheme and host of that address, as `https://host`.
    pub(super) server_url: Option<String>,
    /// The branch of HEAD; at a detached HEAD the tag, pull request or remote branch there. A full ref.
    pub(super) full_ref: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) commit_time: Option<DateTime<Utc>>,
}

impl Checkout {
    /// The checkout that contains `dir`, if any.
    pub(super) fn find(dir: &Path) -> anyhow::Result<Option<Self>> {
        Ok(open(dir)?.as_ref().map(Self::read))
    }

    pub(super) fn read(repository: &gix::Repository) -> Self {
        let origin = repository
            .config_snapshot()
            .string("remote.origin.url")
            .map(|url| url.to_string());
        let (server_url, name) = origin.as_deref().and_then(split_remote).unzip();
        let head = repository.head_commit().ok();
        let branch = repository
            .head_name()
            .ok()
            .flatten()
            .map(|name| name.as_bstr().to_string());
        Self {
            repository: name,
            server_url,
            full_ref: branch.or_else(|| {
                let commit = head.as_ref()?.id;
                tag_at(repository, commit).or_else(|| remote_ref_at(repository, commit))
            }),
            commit: head.as_ref().map(|commit| commit.id.to_string()),
            commit_time: head
                .and_then(|commit| DateTime::from_timestamp(commit.time().ok()?.seconds, 0)),
        }
    }
}

/// The repository of the checkout that contains `dir`, if any.
///
/// Only the repository's own configuration is read and nothing in it is run, so it does not
/// matter who owns the directory (git's "dubious ownership").
pub(super) fn open(dir: &Path) -> anyhow::Result<Option<gix::Repository>> {
    let Ok((path, _trust)) = gix::discover::upwards(dir) else {
        return Ok(None);
    };
    let (git_dir, _work_tree) = path.into_repository_and_work_tree_directories();
    let options = gix::open::Options::isolated().with(gix::sec::Trust::Full);
    let repository = gix::open_opts(&git_dir, options).with_context(|| {
        Problem::new(
            format!("cannot read the git checkout at `{}`", git_dir.display()),
            "repair it, or set `GITHUB_REPOSITORY`, `GITHUB_REF` and `GITHUB_SHA`",
        )
    })?;
    Ok(Some(repository))
}

/// The last by name of the tags that point to `commit`, peeled.
fn tag_at(repository: &gix::Repository, commit: gix::ObjectId) -> Option<String> {
    let references = repository.references().ok()?;
    let tags = references.tags().ok()?.filter_map(Result::ok);
    let at_commit = tags.filter_map(|mut tag| {
        (tag.peel_to_id().ok()? == commit).then(|| tag.name().as_bstr().to_string())
    });
    at_commit.max()
}

/// What the remote has at `commit`, by the names `actions/checkout` fetches them under.
fn remote_ref_at(repository: &gix::Repository, commit: gix::ObjectId) -> Option<String> {
    let references = repository.references().ok()?;
    let remote = references.remote_branches().ok()?.filter_map(Result::ok);
    let at_commit = remote.filter_map(|mut reference| {
        let name = reference.name().as_bstr().to_string();
        (reference.peel_to_id().ok()? == commit).then(|| local_ref(&name))?
    });
    at_commit.max() // `refs/pull/…` wins over `refs/heads/…`
}

/// The commit of a full ref, and its time: of the ref itself, else of what was fetched from the remote `origin`.
pub(super) fn commit_of(
    repository: &gix::Repository,
    full_ref: &str,
) -> Option<(String, Option<DateTime<Utc>>)> {
    let remote = match full_ref.split_once("refs/heads/") {
        Some(("", branch)) => format!("refs/remotes/origin/{branch}"),
        _ => full_ref.replacen("refs/", "refs/remotes/", 1),
    };
    let mut found = [full_ref, &remote].into_iter().filter_map(|name| {
        let mut reference = repository.try_find_reference(name).ok()??;
        reference.peel_to_commit().ok()
    });
    let commit = found.next()?;
    let time = commit.time().ok();
    let time = time.and_then(|time| DateTime::from_timestamp(time.seconds, 0));
    Some((commit.id.to_string(), time))
}

/// The branch that `origin/HEAD` names.
pub(super) fn default_branch(repository: &gix::Repository) -> Option<String> {
    let head = repository.try_find_reference("refs/remotes/origin/HEAD");
    let target = head.ok()??.target().try_name()?.as_bstr().to_string();
    target
        .strip_prefix("refs/remotes/origin/")
        .map(str::to_owned)
}

/// `refs/remotes/pull/2/merge` is `refs/pull/2/merge`, `refs/remotes/origin/main` is `refs/heads/main`.
fn local_ref(remote_ref: &str) -> Option<String> {
    match remote_ref.strip_prefix("refs/remotes/")?.split_once('/')? {
        ("pull", rest) => Some(format!("refs/pull/{rest}")),
        (_, "HEAD") => None,
        (_remote, branch) => Some(format!("refs/heads/{branch}")),
    }
}

/// `https://host` and `owner/name` out of a remote's address, in the forms git takes:
/// `https://[user@]host/owner/name[.git]`, `ssh://git@host[:port]/owner/name`, `git@host:owner/name`.
fn split_remote(url: &str) -> Option<(String, String)> {
    let (host, path) = match url.split_once("://") {
        Some(("https" | "http", rest)) => rest.split_once('/')?,
        Some(("ssh" | "git", rest)) => {
            let (host, path) = rest.split_once('/')?;
            (
                host.rsplit_once(':').map_or(host, |(name, _port)| name),
                path,
            )
        }
        Some(_) => return None,
        None => url.split_once(':')?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_user, host)| host);
    let path = path.trim_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    // What follows from the host must still be on it: `evil.example#.ghe.com` is no host.
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let known =
        !host.is_empty() && host.chars().all(is_host) && !name.is_empty() && !owner.is_empty();
    known.then(|| (format!("https://{host}"), format!("{owner}/{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, &str)>) {
        let split = split_remote(url);
        assert_eq!(
            split
                .as_ref()
                .map(|(server, name)| (server.as_str(), name.as_str())),
            expected
        );
    }

    #[test]
    fn every_form_of_a_remote_names_server_and_repository() {
        let widget = Some(("https://github.com", "Acme/Widget"));
        check("https://github.com/Acme/Widget.git", widget);
        check(
            "https://x-access-token:secret@github.com/Acme/Widget",
            widget,
        );
        check("git@github.com:Acme/Widget.git", widget);
        check("ssh://git@github.com:22/Acme/Widget.git", widget);
        for host in [
            "evil.example#",
            "evil.example?",
            "evil.example\\",
            "evil.example%2f",
        ] {
            check(&format!("https://{host}.ghe.com/Acme/Widget"), None);
            check(&format!("git@{host}.ghe.com:Acme/Widget"), None);
        }
        check("/srv/git/widget.git", None);
        check("file:///srv/acme/widget", None);
    }

    #[test]
    fn remote_refs_map_to_their_source() {
        let local = |name| local_ref(name).unwrap_or_default();
        assert_eq!(local("refs/remotes/pull/2/merge"), "refs/pull/2/merge");
        assert_eq!(local("refs/remotes/origin/a/b"), "refs/heads/a/b");
        assert_eq!(local("refs/remotes/origin/HEAD"), "");
    }
}
