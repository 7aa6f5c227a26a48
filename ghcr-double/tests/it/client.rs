//! A minimal HTTP client: one request per connection, no redirects, no retries.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Account, Double, Package};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The token and the package that most tests use.
pub(crate) const TOKEN: &str = "ghs_token";
pub(crate) const NAME: &str = "acme/widget";

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code and the message of the first error.
    pub(crate) fn error(&self) -> (String, String) {
        let first = self.json()["errors"][0].clone();
        let text = |key: &str| first[key].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    /// The part of `Location` after `scheme://host`, or all of it.
    pub(crate) fn location(&self) -> String {
        let location = self.header("location").unwrap();
        match location.split_once("://") {
            Some((_, rest)) => rest[rest.find('/').unwrap()..].to_owned(),
            None => location.to_owned(),
        }
    }
}

/// A double with one workflow token, and the package of its repository.
pub(crate) fn double() -> Double {
    Double::builder()
        .token(TOKEN, Account::workflow("acme/widget"))
        .package(NAME, Package::of("acme/widget"))
        .start()
        .unwrap()
}

pub(crate) fn send(
    double: &Double,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let stream = connect(double)?;
    exchange(stream, &double.host(), method, target, headers, body)
}

pub(crate) fn connect(double: &Double) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(double.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Sends one request on this stream, with this host name.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer, method == "HEAD")
}

fn parse(answer: &[u8], bodyless: bool) -> io::Result<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or(ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let reply = Reply {
        status: status.parse().unwrap(),
        headers,
        body: answer[end + 4..].to_vec(),
    };
    let announced = reply.header("content-length").unwrap_or("0");
    let complete = reply.body.len() == announced.parse::<usize>().unwrap();
    if complete || bodyless || reply.status == 204 {
        return Ok(reply);
    }
    Err(ErrorKind::UnexpectedEof.into())
}

pub(crate) fn basic(token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("anyone:{token}")))
}

/// A bearer token to pull and push one name.
pub(crate) fn bearer(double: &Double, token: &str, name: &str) -> String {
    let target = format!("/token?service=x&scope=repository:{name}:pull,push");
    let authorization = basic(token);
    let headers = [("authorization", authorization.as_str())];
    let reply = send(double, "GET", &target, &headers, b"").unwrap();
    format!("Bearer {}", reply.json()["token"].as_str().unwrap())
}

/// Sends a request for `NAME` with a new bearer token; `rest` is the path after the name.
pub(crate) fn ask(double: &Double, method: &str, rest: &str, body: &[u8]) -> io::Result<Reply> {
    let target = format!("/v2/{NAME}/{rest}");
    let authorization = bearer(double, TOKEN, NAME);
    send(
        double,
        method,
        &target,
        &[("authorization", &authorization)],
        body,
    )
}
