//! A host that notes whatever it is sent, and tempts those who ask to say more.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<String>>,
    is_over: Arc<AtomicBool>,
}

impl Recorder {
    /// On an address of its own, which to a client is another host.
    #[expect(clippy::disallowed_methods, reason = "the server of a test")]
    pub(crate) fn start(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, is_over) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (notes, over) = (Arc::clone(&seen), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                note(&stream, &notes);
            }
        });
        Self {
            address,
            seen,
            is_over,
        }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Everything that was sent so far.
    pub(crate) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

/// Notes the head of a request, and asks for a login when there is none in it.
fn note(stream: &TcpStream, notes: &Mutex<String>) {
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while let Ok(1..) = reader.read_line(&mut head) {
        if head.ends_with("\r\n\r\n") {
            break;
        }
    }
    let address = stream.local_addr().unwrap();
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\nwww-authenticate: Bearer realm=\"http://{address}/token\"\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    let mut stream = stream;
    drop(stream.write_all(answer.as_bytes()));
    notes.lock().unwrap().push_str(&head);
}
