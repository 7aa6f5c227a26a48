//! Requests and responses of the API.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const OURS: &str = "2222222222222222222222222222222222222222";
const SHOWN: &str = "1111111111111111111111111111111111111111";

/// Answers one request, and returns it.
async fn serve(listener: TcpListener, status: &str, answer: String) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 4096];
    let length = socket.read(&mut request).await.unwrap();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}", answer.len());
    let answer = format!("{head}\r\n\r\n{answer}");
    // A client that has read enough closes the connection.
    let _sent = socket.write_all(answer.as_bytes()).await;
    String::from_utf8_lossy(&request[..length]).into_owned()
}

/// How two commits compare by `answer`, and what the API was sent.
async fn compared(token: &str, answer: String) -> (Result<Relation, String>, String) {
    compared_by(token, "200 OK", answer).await
}

async fn compared_by(
    token: &str,
    status: &'static str,
    answer: String,
) -> (Result<Relation, String>, String) {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}/api/v3/", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, status, answer));
    let (token, trust) = (Secret::exact(token), Trust::default());
    let github = GitHub::new(&api, token, trust, Console::NOWHERE);
    let repository = RepositoryName {
        owner: "acme".to_owned(),
        name: "Widget".to_owned(),
    };
    let compared = github.relation(&repository, OURS, SHOWN, once()).await;
    server.abort();
    let compared = compared.map_err(|unanswered| unanswered.reason);
    (compared, server.await.unwrap_or_default())
}

#[tokio::test]
async fn a_request_goes_below_the_api_url_with_the_token_and_our_user_agent() {
    let (relation, sent) = compared("ghs_x", r#"{"status":"ahead"}"#.to_owned()).await;
    assert_eq!(relation, Ok(Relation::Ahead));
    let line = format!(
        "GET /api/v3/repos/acme/Widget/compare/{SHOWN}...{OURS}?per_page=1&page=2 HTTP/1.1\r\n"
    );
    assert!(sent.starts_with(&line), "{sent}");
    for header in [
        "authorization: Bearer ghs_x",
        concat!("user-agent: ghcr-publish/", env!("CARGO_PKG_VERSION")),
    ] {
        assert_eq!(
            sent.matches(&format!("\r\n{header}\r\n")).count(),
            1,
            "{sent}"
        );
    }
}

#[tokio::test]
async fn the_largest_answer_is_read_and_a_larger_one_refused() {
    let answer = r#"{"status":"behind"}"#;
    let padded = |length: usize| format!("{answer}{}", " ".repeat(length - answer.len()));
    let (relation, _) = compared("ghs_x", padded(MAX_BODY)).await;
    assert_eq!(relation, Ok(Relation::Behind));
    let (relation, _) = compared("ghs_x", padded(MAX_BODY + 1)).await;
    let reason = relation.unwrap_err();
    let expected = format!("its API answered more than {MAX_BODY} bytes");
    assert!(reason.ends_with(&expected), "{reason}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_an_error() {
    for (answer, expected) in [
        ("{}", "answered without the `status` of the comparison"),
        ("[1]", "answered something other than the expected JSON"),
        ("<html>", "answered something other than the expected JSON"),
    ] {
        let (relation, _) = compared("ghs_x", answer.to_owned()).await;
        let reason = relation.unwrap_err();
        assert!(reason.ends_with(&format!("its API {expected}")), "{reason}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_api_and_a_page_by_its_status() {
    for (status, answer, expected) in [
        (
            "401 Unauthorized",
            r#"{"message":"Bad credentials"}"#,
            "401 Bad credentials",
        ),
        ("502 Bad Gateway", "<html>", "502 Bad Gateway"),
        (
            "503 Service Unavailable",
            "no upstream\nx",
            "503 no upstream",
        ),
        (
            "500 Internal Server Error",
            "{}",
            "500 Internal Server Error",
        ),
        ("410 Gone", "", "410 Gone"),
    ] {
        let (relation, _) = compared_by("ghs_x", status, answer.to_owned()).await;
        let reason = relation.unwrap_err();
        assert!(
            reason.ends_with(&format!("its API answered {expected}")),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_is_not_sent() {
    let (relation, sent) = compared("ghs_\n", String::new()).await;
    let reason = relation.unwrap_err();
    assert!(reason.contains("its API cannot be asked: "), "{reason}");
    assert!(!reason.contains("ghs_"), "{reason}");
    assert_eq!(sent, "");
}
