//! Unpacks a tar stream into a directory, and nothing outside of it.

use std::io::{self, Read};

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes};
use reqwest::Response;
use tar::{Archive, EntryType};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::docker::api::EXPORT_IDLE_TIMEOUT;
use crate::private_directory::PrivateDirectory;

/// Unpacks the body into `folder`, which comes back when everything is there.
pub(crate) async fn unpack(
    mut body: Response,
    folder: PrivateDirectory,
) -> anyhow::Result<PrivateDirectory> {
    let (feed, pieces) = mpsc::channel(4);
    // The folder goes with whoever writes into it, also when nobody waits any more.
    let unpacked = tokio::task::spawn_blocking(move || {
        let pipe = Pipe {
            pieces,
            rest: Bytes::new(),
        };
        write_all(pipe, folder)
    });
    let fed = async {
        loop {
            let piece = timeout(EXPORT_IDLE_TIMEOUT, body.chunk()).await;
            let piece = piece.context("the engine stopped responding")??;
            let Some(piece) = piece else { return Ok(()) };
            if feed.send(piece).await.is_err() {
                return Ok(()); // The other end says why.
            }
        }
    };
    let fed: anyhow::Result<()> = fed.await;
    drop(feed);
    let folder = unpacked.await?;
    fed?;
    folder
}

fn write_all(pipe: impl Read, folder: PrivateDirectory) -> anyhow::Result<PrivateDirectory> {
    let mut archive = Archive::new(pipe);
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        let mut entry = entry.context("the engine's export is incomplete")?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link => {}
            _ => continue,
        }
        let name = entry.path()?.display().to_string();
        let inside = entry.unpack_in(folder.path())?;
        ensure!(
            inside,
            "the engine's export names `{name}`, which is outside of it"
        );
    }
    Ok(folder)
}

/// A channel as something to read from.
struct Pipe {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;
    use std::fs;
    use tar::{Builder, Header};

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            // As it stands: the writer of the crate refuses such names.
            let field = &mut header.as_gnu_mut().unwrap().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if *kind == EntryType::Symlink {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn unpacking_stays_inside_the_directory() {
        let unpacked = |entries: &[(&str, EntryType, &str)]| {
            let outer = tempfile::tempdir().unwrap();
            let vars = Vars::of(&[("TMPDIR", outer.path().to_str().unwrap())]);
            let folder = PrivateDirectory::for_images(&vars).unwrap();
            (write_all(archive(entries).as_slice(), folder), outer)
        };
        let good = [
            ("blobs/sha256/a", EntryType::Regular, "x"),
            ("link", EntryType::Symlink, "blobs/sha256/a"),
        ];
        let (folder, _outer) = unpacked(&good);
        let folder = folder.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("link")).unwrap(), "x");
        let (refused, outer) = unpacked(&[("../escaped", EntryType::Regular, "x")]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the engine's export names `../escaped`, which is outside of it"
        );
        assert!(!outer.path().join("escaped").exists());
        let through = [
            ("out", EntryType::Symlink, ".."),
            ("out/escaped", EntryType::Regular, "x"),
        ];
        let (refused, outer) = unpacked(&through);
        assert!(refused.is_err() && !outer.path().join("escaped").exists());
    }
}
