//! What a runner downloads of an action: the files of its commit, as `tar.gz`.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::world::command;

/// The size of the archive in bytes, without files that are missing in the checkout.
///
/// The runner asks for it as `GET /repos/{owner}/{repo}/tarball/{ref}`
/// (<https://docs.github.com/en/rest/repos/contents#download-a-repository-archive-tar>).
pub(crate) fn archive_size(directory: &Path) -> u64 {
    let mut git = command("git");
    let output = git
        .arg("-C")
        .arg(directory)
        .args(["ls-tree", "-r", "-z", "--name-only", "HEAD"])
        .output()
        .unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let encoder = GzEncoder::new(Counter(0), Compression::default());
    let mut archive = tar::Builder::new(encoder);
    archive.follow_symlinks(false);
    for name in names.split_terminator('\0') {
        let path = directory.join(name);
        if path.is_symlink() || path.is_file() {
            archive.append_path_with_name(&path, name).unwrap();
        }
    }
    let Counter(size) = archive.into_inner().unwrap().finish().unwrap();
    size
}

/// Counts bytes.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
