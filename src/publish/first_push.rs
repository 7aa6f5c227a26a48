//! Says once, after the first push of a package, what keeps people from finding it.

use std::time::Duration;

use crate::context::server::RegistryKind;
use crate::deadline::{Deadline, Pace};
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::Published;
use crate::publish::preflight::{Registries, subject};
use crate::registry::manifests::TagList;
use crate::session::Session;

/// A remark is not worth a longer wait.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether GitHub can tell something about the package.
pub(super) fn is_asked(session: &Session, name: &ImageName) -> bool {
    let server = &session.context.server;
    let host = name.registry();
    let shows_packages = server.has(host) && server.kind(host) == RegistryKind::Container;
    shows_packages && session.inputs.github_token.is_some()
}

/// Says what is to be changed in the settings of a new package. `list` has the tags that the repository had before the
/// tags of the plan, if they were listed.
pub(super) async fn say_how_to_find(
    session: &Session,
    registries: &Registries,
    published: &Published,
    list: Option<TagList>,
) {
    if !is_asked(session, &published.name) || !is_first(session, registries, published, list).await
    {
        return;
    }
    let subject = subject(session, &published.name);
    let package = session.github.package(subject.package()).await;
    let Some(package) = package else { return };
    let settings = subject.settings();
    let name = &published.name;
    let context = &session.context;
    let own = context.repository.to_string();
    let linked = package.repository;
    let is_linked = linked.is_some_and(|linked| linked.full_name.eq_ignore_ascii_case(&own));
    let repository = context.event.repository.as_ref();
    let is_public = repository.is_some_and(|facts| facts.is_public);
    if !is_linked {
        session.console.notice(&format!("`{name}` is not linked to `{own}`, whose page does not show it: open {settings} → Connect repository"));
    }
    if package.visibility == "private" && is_public {
        session.console.notice(&format!("`{name}` is private while `{own}` is public, so nobody can pull it without credentials: open {settings} → Change visibility"));
    }
}

/// Whether the package holds nothing but what this run pushed.
async fn is_first(
    session: &Session,
    registries: &Registries,
    published: &Published,
    list: Option<TagList>,
) -> bool {
    let plan = &session.plan;
    let planned = plan.tags.iter().map(|planned| planned.tag.clone());
    let others = published.others.iter().cloned();
    let others = others.chain([plan.primary.clone()]);
    let ours: Vec<Tag> = planned.chain(others).collect();
    if let Some(list) = list {
        let mut names = list.names.iter();
        return names.all(|name| ours.iter().any(|own| own.as_str() == name));
    }
    let name = &published.name;
    let deadline = Deadline::after(NOTICE_TIMEOUT, Pace::REAL);
    let repository = registries[name.registry()].repository(name.repository(), deadline);
    let others = repository.has_tags_beside(&ours).await;
    others.is_ok_and(|others| !others)
}
