//! The web interface, as far as somebody meets it who looks for a registry: pages, and a redirect to the login.

use crate::answer::Answer;
use crate::server::Pages;

pub(crate) fn page(pages: Pages, path: &str) -> Answer {
    if pages == Pages::Login && path != "/login" {
        return Answer::new(302).header("location", "/login");
    }
    Answer::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .body("<!DOCTYPE html>\n<title>Sign in to your account</title>\n")
}
