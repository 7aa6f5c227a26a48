//! The next page of a list, in the header `Link` (<https://www.rfc-editor.org/rfc/rfc8288>).

use std::sync::LazyLock;

use regex::Regex;
use reqwest::header::{HeaderMap, LINK};

/// The query of the next page in `</v2/…/tags/list?last=b&n=1000>; rel="next"`. Host and path are not
/// followed: the next page is at the same path.
pub(crate) fn next_page(headers: &HeaderMap) -> Option<&str> {
    query(headers.get(LINK)?.to_str().ok()?)
}

fn query(link: &str) -> Option<&str> {
    static NEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"<[!-;=@-~]*\?([!-;=?-~]*)>[ -;=-~]*; *rel="?next(?:"|$|[ ;,])"#)
            .expect("a link")
    });
    let query = NEXT.captures(link)?.get(1)?;
    Some(query.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_at_the_same_path() {
        let link = r#"</v2/acme/widget/tags/list?last=b&n=2>; rel="next""#;
        assert_eq!(query(link), Some("last=b&n=2"));
        let elsewhere = r#"<https://evil.example/x?last=b>; rel="next""#;
        assert_eq!(query(elsewhere), Some("last=b"));
        assert_eq!(query("</v2/x/tags/list>; rel=\"next\""), None);
        assert_eq!(query("nonsense"), None);
        let pages = r#"</x?last=a>; rel="first", </x?last=c>; title="next"; rel="next""#;
        assert_eq!(query(pages), Some("last=c"));
        assert_eq!(query("</x?last=c>; rel=next"), Some("last=c"));
        assert_eq!(query("</x?last=c>; rel=nextish"), None);
    }
}
