//! The index of a tar file: where the bytes of each entry are. Nothing is unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tar::{Entry, EntryType};

use crate::oci_layout::section::Section;

/// A tar file whose entries are read in place.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Arc<File>,
    entries: BTreeMap<String, Content>,
}

/// What an entry holds.
#[derive(Debug)]
enum Content {
    File {
        offset: u64,
        size: u64,
    },
    /// A link to another entry, by its name from the root of the archive; nothing if it leads out of it.
    Link(Option<String>),
}

/// More entries than any image has: an image has at most 127 layers, each with up to three entries.
const MAX_ENTRIES: usize = 50_000;
/// Bytes of all names and link targets together, which are held in memory.
const MAX_NAME_BYTES: usize = 8 << 20;
/// Bytes of one header with its long names and extensions.
const MAX_HEADER_BYTES: u64 = 1 << 20;

impl Archive {
    /// Reads every header of `file`. An error completes the sentence "the archive ...".
    pub(crate) fn index(file: File) -> Result<Self, String> {
        let unread = |error: io::Error| format!("cannot be read as a tar file: {error}");
        let length = file.metadata().map_err(unread)?.len();
        let (headers, left) = Headers::of(&file);
        let mut reader = tar::Archive::new(headers);
        let mut entries = reader.entries_with_seek().map_err(unread)?;
        let mut found = Found::default();
        loop {
            left.store(MAX_HEADER_BYTES, Ordering::Relaxed);
            let Some(entry) = entries.next() else { break };
            found.add(entry.map_err(unread)?, length)?;
        }
        if found.count == 0 {
            return Err("has no entries".to_owned());
        }
        let entries = found.entries;
        let file = Arc::new(file);
        Ok(Self { file, entries })
    }

    /// The bytes of an entry, or of the one that it links to; nothing if there is no such entry.
    pub(super) fn section(&self, name: &str) -> Result<Option<Section>, String> {
        let Some(found) = self.entries.get(name) else {
            return Ok(None);
        };
        let target = match found {
            Content::Link(Some(target)) => self.entries.get(target),
            Content::Link(None) | Content::File { .. } => Some(found),
        };
        match target {
            Some(Content::File { offset, size }) => {
                let file = Arc::clone(&self.file);
                Ok(Some(Section::within(file, *offset, *size)))
            }
            Some(Content::Link(_)) | None => Err(format!(
                "has the link `{name}`, which leads to no file of the archive"
            )),
        }
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// Whether a file or link of this name exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }
}

#[derive(Default)]
struct Found {
    entries: BTreeMap<String, Content>,
    count: usize,
    name_bytes: usize,
}

impl Found {
    fn add<R: Read>(&mut self, mut entry: Entry<'_, R>, length: u64) -> Result<(), String> {
        self.count += 1;
        if self.count > MAX_ENTRIES {
            return Err(format!("has more than {MAX_ENTRIES} entries, the maximum"));
        }
        let name = text(&entry.path_bytes());
        let target = entry.link_name_bytes().map(|target| text(&target));
        let target = target.unwrap_or_default();
        self.name_bytes += name.len() + target.len();
        if self.name_bytes > MAX_NAME_BYTES {
            let mebibytes = MAX_NAME_BYTES >> 20;
            return Err(format!(
                "has names of more than {mebibytes} MiB, the maximum"
            ));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let inside = inside("", &name);
        let inside = inside
            .ok_or_else(|| format!("has the entry `{name}`, which leads out of the archive"))?;
        let content = match kind {
            EntryType::Regular | EntryType::Continuous if !is_sparse(&mut entry) => {
                let (offset, size) = (entry.raw_file_position(), entry.size());
                if offset.checked_add(size).is_none_or(|end| end > length) {
                    return Err(format!("is incomplete: it ends within `{name}`"));
                }
                Content::File { offset, size }
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                return Err(format!(
                    "has the sparse entry `{name}`, which is not supported"
                ));
            }
            EntryType::Link => Content::Link(self::inside("", &target)),
            EntryType::Symlink => Content::Link(self::inside(parent(&inside), &target)),
            // Directories and devices hold no part of an image.
            _ => return Ok(()),
        };
        if self.entries.insert(inside, content).is_some() {
            return Err(format!("has the entry `{name}` twice"));
        }
        Ok(())
    }
}

/// Whether an entry is in one of the sparse formats that GNU tar writes as PAX extensions
/// (<https://www.gnu.org/software/tar/manual/html_node/PAX-0.html>).
fn is_sparse<R: Read>(entry: &mut Entry<'_, R>) -> bool {
    let Ok(Some(extensions)) = entry.pax_extensions() else {
        return false;
    };
    let mut extensions = extensions.flatten();
    extensions.any(|extension| extension.key_bytes().starts_with(b"GNU.sparse."))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// `name` as seen from `directory`, without `.` and `..`; nothing for what is absolute or leads out of the archive.
pub(super) fn inside(directory: &str, name: &str) -> Option<String> {
    if name.starts_with('/') {
        return None;
    }
    let may_go_up = !directory.is_empty();
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if may_go_up => {
                parts.pop()?;
            }
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Reads headers and skips all else: what is read for one header has a limit, whatever sizes it claims.
struct Headers<'a> {
    file: &'a File,
    left: Arc<AtomicU64>,
}

impl<'a> Headers<'a> {
    /// Also the number of bytes that may be read until it is set again.
    fn of(file: &'a File) -> (Self, Arc<AtomicU64>) {
        let left = Arc::new(AtomicU64::new(0));
        let headers = Self {
            file,
            left: Arc::clone(&left),
        };
        (headers, left)
    }
}

impl Read for Headers<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = wanted.min(buffer.len());
        if wanted == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a header is larger than 1 MiB"));
        }
        let length = self.file.read(&mut buffer[..wanted])?;
        self.left.store(left - length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

impl Seek for Headers<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

#[cfg(test)]
pub(super) mod tests;
