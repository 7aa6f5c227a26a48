//! Pages of a list by number, with links to the others.
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers>

use serde_json::Value;

use crate::http::request::Request;
use crate::http::response::Response;

/// How many items a page has unless the request says so, and at most.
const PAGE: usize = 30;
const MAX_PAGE: usize = 100;

/// The page of `items` that the request asks for. `url` is the list without its query.
pub(super) fn answer<T>(
    request: &Request,
    url: &str,
    items: &[T],
    json: impl Fn(&T) -> Value,
) -> Response {
    let number = |key: &str| request.query(key)?.parse::<usize>().ok();
    let size = number("per_page").unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let page = number("page").unwrap_or(1).max(1);
    let last = items.len().div_ceil(size).max(1);
    let shown = items.iter().skip((page - 1).saturating_mul(size));
    let shown: Vec<Value> = shown.take(size).map(json).collect();
    let response = Response::json(200, &Value::Array(shown));
    match links(request, url, page, last) {
        links if links.is_empty() => response,
        links => response.header("link", links),
    }
}

fn links(request: &Request, url: &str, page: usize, last: usize) -> String {
    let kept = request.query.iter().filter(|(key, _)| key != "page");
    let kept: String = kept.map(|(key, value)| format!("{key}={value}&")).collect();
    let link =
        |page: usize, relation: &str| format!(r#"<{url}?{kept}page={page}>; rel="{relation}""#);
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    links.join(", ")
}
