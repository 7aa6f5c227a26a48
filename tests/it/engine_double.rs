//! A Docker engine that answers what a test wrote down, on a socket.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// Method with path, and body; what fits none is not found.
pub(crate) type Answers = &'static [(&'static str, &'static str)];

/// An engine with the containerd store.
pub(crate) const CONTAINERD: (&str, &str) = (
    "GET /info",
    r#"{"Architecture":"x86_64","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#,
);

/// Answers on `socket` until the tests are over, and appends each request to `notes`.
#[expect(clippy::disallowed_methods, reason = "the server of a test")]
pub(crate) fn start(socket: &Path, notes: PathBuf, answers: Answers) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A connection without a request asks whether anybody is here.
            if let Some((stream, request)) = read(stream.unwrap()) {
                let mut file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&notes)
                    .unwrap();
                writeln!(file, "{request}").unwrap();
                answer(stream, &request, answers);
            }
        }
    });
}

/// The request on one line: method, path, body.
fn read(stream: UnixStream) -> Option<(UnixStream, String)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && line != "\r\n" {
        head.push(std::mem::take(&mut line));
    }
    let request = head.first()?.rsplit_once(' ')?.0.to_owned();
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    Some((
        reader.into_inner(),
        format!("{request} {body}").trim().to_owned(),
    ))
}

fn answer(mut stream: UnixStream, request: &str, answers: Answers) {
    let found = answers.iter().find(|(start, _)| request.starts_with(start));
    let (status, body) = match found {
        Some((_, body)) => ("200 OK", *body),
        None => ("404 Not Found", r#"{"message":"there is no such thing"}"#),
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A client that has gone is the test's to judge.
    drop(stream.write_all(text.as_bytes()));
}
