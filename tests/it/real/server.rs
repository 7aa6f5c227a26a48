//! A program that listens on a port until the test ends.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running server; it is killed when dropped.
pub(crate) struct Server {
    process: Child,
}

impl Server {
    /// Starts the program and waits until it listens. It writes its log to a file.
    pub(crate) fn start(mut command: Command, address: SocketAddr, log: &Path) -> Self {
        let file = fs::File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let process = command.spawn().unwrap();
        let mut server = Self { process };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "a program of the testbed does not listen (testbed/up installs all of them): {command:?}: {ended:?}\n{}",
                fs::read_to_string(log).unwrap()
            );
            sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        self.process.wait().unwrap();
    }
}

/// An address of this machine where nothing listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
