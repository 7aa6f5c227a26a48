//! Addresses of uploads, and registries that take their time, which passes twenty times faster for us.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{sleep, spawn};

use crate::console::Console;
use crate::context::server::RegistryKind;
use crate::deadline::{Deadline, Pace};
use crate::oci_layout::OciLayout;
use crate::registry::Registry;
use crate::registry::upload::*;
use crate::tls::Trust;

const CONSOLE: Console = Console::NOWHERE;
/// More than the buffers between two sockets hold.
const SIZE: usize = 32 << 20;

/// What a registry does with the bytes of an upload.
#[derive(Clone, Copy)]
enum Appetite {
    /// Reads all, over a time in which any other answer would be given up: 40 of our seconds.
    Slow,
    /// Reads none.
    None,
}

/// A registry that has nothing yet; gives its host.
#[expect(clippy::disallowed_methods, reason = "the server of a test")]
fn registry(appetite: Appetite) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            spawn(move || serve(stream, appetite));
        }
    });
    host
}

/// Answers until the client is gone.
fn serve(stream: TcpStream, appetite: Appetite) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.to_lowercase());
        }
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut left: usize = length
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        let answer = match head[0].split(' ').next()? {
            "head" => "404 Not Found\r\n",
            "post" => "202 Accepted\r\nlocation: /upload\r\n",
            _ => "201 Created\r\n",
        };
        let mut piece = vec![0; SIZE / 8];
        while left > 0 {
            sleep(Duration::from_millis(250));
            if matches!(appetite, Appetite::Slow) {
                let wanted = left.min(piece.len());
                stream.read_exact(&mut piece[..wanted]).ok()?;
                left -= wanted;
            }
        }
        write!(
            stream.get_mut(),
            "HTTP/1.1 {answer}content-length: 0\r\n\r\n"
        )
        .ok()?;
    }
}

/// Uploads a large blob to such a registry, with deadline for one try.
async fn upload(appetite: Appetite) -> Result<Arrival, CopyError> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![7; SIZE];
    let digest = Digest::of(&bytes);
    let layout = OciLayout::new(folder.path().to_owned(), "the image".to_owned());
    let path = folder.path().join("blobs/sha256").join(digest.hex());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    let pace = Pace::times(20);
    let registry = Registry::new(
        &registry(appetite),
        RegistryKind::Generic,
        None,
        &Trust::default(),
        pace,
        CONSOLE,
    );
    let registry = registry.unwrap();
    let repository = registry.repository("acme/widget", Deadline::after(Duration::ZERO, pace));
    let size = SIZE as u64;
    let blob = Blob { digest, size };
    repository.place(&blob, CopySource::Layout(&layout)).await
}

#[tokio::test]
async fn upload_may_outlast_response_timeout() {
    let arrival = upload(Appetite::Slow).await.unwrap();
    assert_eq!(arrival, Arrival::Sent(SIZE as u64));
}

#[tokio::test]
async fn stalled_upload_fails_as_transient() {
    let error = upload(Appetite::None).await.unwrap_err();
    assert!(error.registry_error().is_transient());
    let text = error.registry_error().to_string();
    assert!(
        text.ends_with("did not respond: it accepted no data for 60 seconds"),
        "{text}"
    );
}

#[track_caller]
fn check(location: &str, expected: Option<&str>) {
    let opened = Url::parse("https://ghcr.io/v2/acme/widget/blobs/uploads/").unwrap();
    let digest = Digest::of(b"");
    let url = with_digest(&opened, location, &digest);
    let expected = expected.map(|expected| format!("{expected}digest={digest}"));
    assert_eq!(url.map(|url| url.to_string()), expected);
}

#[test]
fn digest_is_added_to_upload_location() {
    let here = "https://ghcr.io/v2/acme/widget/blobs/";
    check(
        "/v2/acme/widget/blobs/upload/1",
        Some(&format!("{here}upload/1?")),
    );
    check(
        "../upload/1?_state=a%2Bb%3D",
        Some(&format!("{here}upload/1?_state=a%2Bb%3D&")),
    );
    check(
        "https://storage.example/u?sig=x",
        Some("https://storage.example/u?sig=x&"),
    );
    check("http://ghcr.io/v2/acme/widget/blobs/upload/1", None);
    check("https://", None);
}
