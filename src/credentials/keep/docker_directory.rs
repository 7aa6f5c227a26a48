//! `.docker` in a home directory that later steps use, and its `config.json`.
//!
//! A step that ran before may have put a symbolic link there, so none is followed, and every path starts at a directory
//! that is open.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde_json::Value;

const DIRECTORY: &str = ".docker";
const CONFIG: &str = "config.json";
/// The new file until it is complete. The post step removes one that a killed run left.
const UNFINISHED: &str = "config.json.ghcr-publish";
/// The largest configuration that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// An open `.docker`.
#[derive(Debug)]
pub(super) struct DockerDirectory {
    home: File,
    directory: File,
    path: PathBuf,
}

impl DockerDirectory {
    /// `.docker` in `home`, if it exists; an error if it is not a directory.
    pub(super) fn open(home: &Path) -> anyhow::Result<Option<Self>> {
        let path = home.join(DIRECTORY);
        let home = File::open(home).with_context(|| format!("`{}`", home.display()))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match open_at(&home, DIRECTORY, flags) {
            Ok(directory) => Ok(Some(Self {
                home,
                directory,
                path,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => bail!("`{}` is not a directory", path.display()),
            Err(error) => Err(error).with_context(|| format!("`{}`", path.display())),
        }
    }

    /// Creates it, for the owner of `home` alone.
    pub(super) fn create(home: &Path) -> anyhow::Result<Self> {
        let path = home.join(DIRECTORY);
        let created = File::open(home)
            .map_err(anyhow::Error::from)
            .and_then(|home| {
                mkdirat(&home, DIRECTORY, Mode::RWXU)?;
                Ok(())
            });
        created.with_context(|| format!("`{}`", path.display()))?;
        let opened = Self::open(home)?;
        opened.with_context(|| format!("`{}` does not exist", path.display()))
    }

    pub(super) fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// What is in `config.json`, if it exists.
    pub(super) fn config(&self) -> anyhow::Result<Option<Value>> {
        let unread = || format!("`{}`", self.config_path().display());
        // A pipe may have no writer.
        let file = match open_at(&self.directory, CONFIG, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => bail!("{} is a symbolic link", unread()),
            Err(error) => return Err(error).with_context(unread),
        };
        let metadata = file.metadata().with_context(unread)?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            bail!("{} is not a small file", unread());
        }
        let mut text = Vec::new();
        let read = file.take(MAX_BYTES).read_to_end(&mut text);
        read.with_context(unread)?;
        // What the parser says could quote a secret.
        let config = serde_json::from_slice(&text).ok();
        let config = config.with_context(|| format!("{} is not JSON", unread()))?;
        Ok(Some(config))
    }

    /// Writes `config.json`, complete or not at all. File and directory belong to the owner of the home directory,
    /// who alone can read the file.
    pub(super) fn replace(&self, config: &Value) -> anyhow::Result<()> {
        let written = self.write_unfinished(config).and_then(|()| {
            renameat(&self.directory, UNFINISHED, &self.directory, CONFIG)?;
            Ok(())
        });
        if written.is_err() {
            drop(self.remove(UNFINISHED));
        }
        written.with_context(|| format!("`{}`", self.config_path().display()))
    }

    fn write_unfinished(&self, config: &Value) -> io::Result<()> {
        self.remove(UNFINISHED)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = open_at(&self.directory, UNFINISHED, flags)?;
        self.give_to_owner(&self.directory)?;
        self.give_to_owner(&file)?;
        let text = serde_json::to_string_pretty(config)?;
        file.write_all(text.as_bytes())
    }

    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (home, own) = (self.home.metadata()?, file.metadata()?);
        if (home.uid(), home.gid()) == (own.uid(), own.gid()) {
            return Ok(());
        }
        fchown(file, Some(home.uid()), Some(home.gid()))
    }

    pub(super) fn remove_config(&self) -> anyhow::Result<()> {
        let removed = self.remove(CONFIG);
        removed.with_context(|| format!("`{}`", self.config_path().display()))
    }

    /// Removes the directory, unless something is in it.
    pub(super) fn remove_if_empty(&self) {
        drop(self.remove(UNFINISHED));
        let _not_empty = unlinkat(&self.home, DIRECTORY, AtFlags::REMOVEDIR);
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens `name` in a directory without following a symbolic link; a new file is private.
fn open_at(directory: &File, name: &str, flags: OFlags) -> rustix::io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened: OwnedFd = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(opened.into())
}
