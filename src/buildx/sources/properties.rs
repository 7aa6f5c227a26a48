//! No path leaves the workspace, and no read blocks.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use crate::buildx::sources::*;
use testkit::{corpus, proof, proof::Proof};

const INSIDE: &[u8] = b"of the workspace";
const OUTSIDE: &[u8] = b"hunter2";

/// A workspace with every kind of link, and files outside it.
struct Fixture {
    directory: TempDir,
    root: PathBuf,
    _socket: UnixListener,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let root = at("workspace");
        for name in [
            "workspace/app",
            "workspace/directory",
            "workspace-of-another",
            "outside",
        ] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(root.join("app/file"), INSIDE).unwrap();
        for name in ["secret", "outside/secret", "workspace-of-another/secret"] {
            fs::write(at(name), OUTSIDE).unwrap();
        }
        let links = [
            ("link-to-file", at("secret")),
            ("link-to-directory", at("outside")),
            ("link-to-sibling", at("workspace-of-another")),
            ("link-up", PathBuf::from("..")),
            ("link-twice", PathBuf::from("link-to-file")),
            ("link-to-environ", PathBuf::from("/proc/self/environ")),
            ("link-to-self", PathBuf::from("link-to-self")),
            ("link-dangling", at("outside/new")),
            ("app/link-back", PathBuf::from("../..")),
            ("link-inside", PathBuf::from("app")),
        ];
        for (name, target) in links {
            symlink(target, root.join(name)).unwrap();
        }
        let pipe = root.join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let socket = UnixListener::bind(root.join("socket")).unwrap();
        Self {
            directory,
            root,
            _socket: socket,
        }
    }

    /// Everything outside the workspace.
    fn outside(&self) -> Vec<PathBuf> {
        let directories = ["", "outside", "workspace-of-another"];
        let entries = directories
            .iter()
            .flat_map(|name| fs::read_dir(self.directory.path().join(name)).unwrap());
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// What is read lies inside, and what is written would lie inside, seen with the eyes of the kernel.
    #[expect(
        clippy::disallowed_methods,
        reason = "a read that hangs would hang the test"
    )]
    fn holds(&self, path: &str) -> Result<(), String> {
        let (sender, receiver) = mpsc::channel();
        let (root, owned) = (self.root.clone(), path.to_owned());
        thread::spawn(move || {
            let read = read_secret("x", &owned, &root);
            let context = Workspace(&root).directory("context", &owned).is_ok();
            let place = Workspace(&root).place("outputs", &owned, None).is_ok();
            sender.send((read, context, place))
        });
        let Ok((read, context, place)) = receiver.recv_timeout(Duration::from_secs(20)) else {
            return Err(format!("`{path}` is waited for"));
        };
        if read.is_ok_and(|bytes| bytes != INSIDE) {
            return Err(format!("`{path}` is read"));
        }
        let root = self.root.canonicalize().unwrap();
        let is_inside = |path: &Path| {
            path.canonicalize()
                .is_ok_and(|real| real.starts_with(&root))
        };
        if context && !is_inside(&self.root.join(path)) {
            return Err(format!("`{path}` is a context"));
        }
        let before = self.outside();
        let written = self.root.join(path);
        if place && fs::create_dir_all(&written).is_ok() && !is_inside(&written) {
            return Err(format!("`{path}` is written to"));
        }
        (self.outside() == before)
            .then_some(())
            .ok_or(format!("`{path}` leaves something outside"))
    }
}

#[test]
fn no_path_leaves_the_workspace() {
    let fixture = Fixture::new();
    let mut proof = Proof::of("paths: no way out of the workspace, and none that waits");
    let parts = vec![
        "..",
        "..",
        ".",
        "",
        "app",
        "file",
        "directory",
        "link-up",
        "link-to-directory",
        "link-inside",
        "link-back",
        "link-dangling",
        "pipe",
        "secret",
        "new",
        "workspace",
        "outside",
    ];
    let paths = vec(select(parts), 1..7).prop_map(|parts| parts.join("/"));
    proof.property(proof::cases(), &paths, |path| {
        fixture.holds(&path).map_err(TestCaseError::fail)
    });
    for path in corpus::paths().iter().filter(|path| !path.contains('\0')) {
        proof.case(fixture.holds(path));
        proof.case(fixture.holds(&format!("app/{path}")));
        proof.case(fixture.holds(&format!("{}/{path}", fixture.root.display())));
    }
    proof.end();
}

#[test]
fn a_file_that_is_swapped_for_a_link_is_not_read() {
    let fixture = Fixture::new();
    let (file, link, spare) = (
        fixture.root.join("token"),
        fixture.root.join("other"),
        fixture.root.join("spare"),
    );
    fs::write(&file, INSIDE).unwrap();
    symlink(fixture.directory.path().join("secret"), &link).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut proof = Proof::of("paths: a file swapped for a link between check and read");
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for (from, to) in [
                    (&file, &spare),
                    (&link, &file),
                    (&file, &link),
                    (&spare, &file),
                ] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        for _ in 0..10 * proof::cases() {
            let read = read_secret("x", "token", &fixture.root);
            proof.case(match read {
                Ok(bytes) if bytes != INSIDE => Err("the link was followed".to_owned()),
                Ok(_) | Err(_) => Ok(()),
            });
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    proof.end();
}
