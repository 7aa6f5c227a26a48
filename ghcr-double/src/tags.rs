//! `GET …/tags/list`, with GHCR's pages of 100, or up to 1000 on request.

use serde_json::json;

use crate::answer::Answer;
use crate::grant::Want;
use crate::state::{Call, State};
use crate::token::authorize;

pub(crate) fn list(state: &State, call: &Call, name: &str) -> Answer {
    if call.method != hyper::Method::GET {
        return Answer::unsupported();
    }
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    let contents = state.store.names.get(name);
    let Some(contents) = contents.filter(|_| state.is_known(call, name)) else {
        return Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let asked = call.query("n").and_then(|n| n.parse().ok());
    let size = asked.unwrap_or(100).clamp(1, 1000);
    let last = call.query("last").unwrap_or_default();
    let rest: Vec<&String> = contents
        .tags
        .keys()
        .filter(|tag| tag.as_str() > last)
        .collect();
    let page = rest.get(..size).unwrap_or(&rest);
    let answer = Answer::json(200, &json!({ "name": name, "tags": page }));
    match page.last() {
        Some(last) if page.len() < rest.len() => {
            let link = format!(r#"</v2/{name}/tags/list?last={last}&n={size}>; rel="next""#);
            answer.header("link", link)
        }
        _ => answer,
    }
}
