//! Notices after the first push of a package: it is private, or not linked to its repository.

use std::time::Duration;

use crate::context::server::RegistryKind;
use crate::deadline::{Deadline, Pace};
use crate::image::tag::Tag;
use crate::publish::{Published, subject};
use crate::registry::{Registry, Repository};
use crate::session::Session;

/// A remark is not worth a longer wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Says once, after the first push of a package, what keeps people from finding it.
pub(super) async fn remark(session: &Session, registry: &Registry, published: &Published) {
    let context = &session.context;
    let server = &context.server;
    let host = published.name.registry();
    let shows_packages = server.has(host) && server.kind(host) == RegistryKind::Container;
    if !shows_packages || session.inputs.github_token.is_none() {
        return;
    }
    let deadline = Deadline::after(TIMEOUT, Pace::REAL);
    let repository = registry.repository(published.name.repository(), deadline);
    if !is_first(session, repository).await {
        return;
    }
    let subject = subject(session, &published.name);
    let (owner, name) = subject.owner_and_package();
    let Ok(package) = session.github.package(owner, subject.owner, name).await else {
        return;
    };
    let settings = subject.settings();
    let name = &published.name;
    let own = context.repository.to_string();
    let is_linked = package
        .repository
        .is_some_and(|linked| linked.eq_ignore_ascii_case(&own));
    let is_public = context
        .event
        .repository
        .as_ref()
        .is_some_and(|facts| facts.is_public);
    if !is_linked {
        session.console.notice(&format!("`{name}` is not linked to `{own}`, whose page does not show it: open {settings} → Connect repository"));
    }
    if package.is_private && is_public {
        session.console.notice(&format!("`{name}` is private while `{own}` is public, so nobody can pull it without a login: open {settings} → Change visibility"));
    }
}

/// Whether the package holds nothing but what this run pushed.
async fn is_first(session: &Session, repository: Repository<'_>) -> bool {
    let plan = &session.plan;
    let planned = plan.tags.iter().map(|planned| planned.tag.clone());
    let ours: Vec<Tag> = planned.chain([plan.primary.clone()]).collect();
    repository
        .has_tags_beside(&ours)
        .await
        .is_ok_and(|others| !others)
}
