//! A part of a file, read without moving the position of the file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;

/// Bytes of an image: a part of a file on disk, or bytes in memory.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    place: Place,
    offset: u64,
    size: u64,
}

#[derive(Clone, Debug)]
enum Place {
    File(Arc<File>),
    Memory(Bytes),
}

impl Section {
    /// A whole file.
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self::within(Arc::new(file), 0, size))
    }

    pub(super) fn within(file: Arc<File>, offset: u64, size: u64) -> Self {
        Self {
            place: Place::File(file),
            offset,
            size,
        }
    }

    pub(super) fn in_memory(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Self {
            place: Place::Memory(bytes),
            offset: 0,
            size,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn reader(self) -> SectionReader {
        SectionReader {
            section: self,
            read: 0,
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.place {
            Place::File(file) => file.read_at(buffer, offset),
            Place::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                bytes.get(start..).unwrap_or_default().read(buffer)
            }
        }
    }
}

/// Reads a section from its beginning. An end of the file before the end of the section is an error.
#[derive(Debug)]
pub(crate) struct SectionReader {
    section: Section,
    read: u64,
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Section { offset, size, .. } = self.section;
        let left = usize::try_from(size - self.read).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let length = self
            .section
            .read_at(&mut buffer[..wanted], offset + self.read)?;
        if length == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_ends_where_it_says_or_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let file = Arc::new(File::open(path).unwrap());
        let read = |offset, size| {
            let mut text = String::new();
            let section = Section::within(Arc::clone(&file), offset, size);
            let read = section.reader().read_to_string(&mut text);
            read.map(|_length| text).map_err(|error| error.kind())
        };
        assert_eq!(read(2, 3).unwrap(), "234");
        assert_eq!(read(10, 0).unwrap(), "");
        assert_eq!(read(8, 3), Err(io::ErrorKind::UnexpectedEof));
        let mut text = String::new();
        let memory = Section::in_memory("abc");
        memory.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
