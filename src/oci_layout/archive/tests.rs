//! Tar files that lie, leave things out or lead elsewhere.

use std::io::{Seek as _, Write as _};

use super::*;
use tar::{Builder, Header};

/// An entry to be written as it is.
pub(crate) struct Item<'a> {
    name: String,
    kind: EntryType,
    target: &'a str,
    content: &'a [u8],
}

impl<'a> Item<'a> {
    pub(crate) fn new(name: &str, kind: EntryType, target: &'a str, content: &'a [u8]) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            target,
            content,
        }
    }

    pub(crate) fn file(name: &str, content: &'a [u8]) -> Self {
        Self::new(name, EntryType::Regular, "", content)
    }

    pub(crate) fn directory(name: &str) -> Self {
        Self::new(name, EntryType::Directory, "", b"")
    }

    pub(crate) fn symlink(name: &str, target: &'a str) -> Self {
        Self::new(name, EntryType::Symlink, target, b"")
    }

    pub(crate) fn link(name: &str, target: &'a str) -> Self {
        Self::new(name, EntryType::Link, target, b"")
    }

    fn header(&self) -> Header {
        let mut header = Header::new_gnu();
        // As they are: the writer of the crate refuses some names.
        let fields = header.as_gnu_mut().unwrap();
        fields.name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        fields.linkname[..self.target.len()].copy_from_slice(self.target.as_bytes());
        header.set_entry_type(self.kind);
        header.set_size(self.content.len() as u64);
        header.set_cksum();
        header
    }
}

pub(crate) fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for item in items {
        builder.append(&item.header(), item.content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn read(archive: &Archive, name: &str) -> Result<Option<String>, String> {
    let section = archive.section(name)?;
    Ok(section.map(|section| {
        let mut text = String::new();
        section.reader().read_to_string(&mut text).unwrap();
        text
    }))
}

fn index(bytes: &[u8]) -> Result<Archive, String> {
    Archive::index(file(bytes))
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    assert_eq!(index(bytes).unwrap_err(), expected);
}

#[test]
fn entries_are_read_in_place_through_links() {
    let archive = index(&tar(&[
        Item::directory("./"),
        Item::file("./a/one", b"1"),
        Item::symlink("b/two", "../a/one"),
        Item::link("three", "a/./one"),
        Item::symlink("out", "../etc/passwd"),
        Item::symlink("absolute", "/etc/passwd"),
        Item::symlink("chain", "b/two"),
        Item::file("empty", b""),
    ]))
    .unwrap();
    for name in ["a/one", "b/two", "three"] {
        assert_eq!(
            read(&archive, name).unwrap().as_deref(),
            Some("1"),
            "{name}"
        );
    }
    assert_eq!(read(&archive, "empty").unwrap().as_deref(), Some(""));
    assert_eq!(read(&archive, "missing").unwrap(), None);
    for name in ["out", "absolute", "chain"] {
        let expected = format!("has the link `{name}`, which leads to no file of the archive");
        assert_eq!(read(&archive, name).unwrap_err(), expected);
    }
}

#[test]
fn names_that_lead_out_and_repeated_names_are_errors() {
    let outside = |name: &str| format!("has the entry `{name}`, which leads out of the archive");
    for name in ["../x", "a/../../x", "/etc/passwd", "a/.."] {
        refused(&tar(&[Item::file(name, b"")]), &outside(name));
    }
    let twice = [Item::file("a", b"1"), Item::symlink("./a", "b")];
    refused(&tar(&twice), "has the entry `./a` twice");
}

#[test]
fn incomplete_archive_is_an_error() {
    let whole = tar(&[Item::file("a", &[7; 2000])]);
    refused(&whole[..1500], "is incomplete: it ends within `a`");
    refused(b"", "has no entries");
    refused(&[0; 1024], "has no entries");
    let error = index(&[7; 600]).unwrap_err();
    assert!(
        error.starts_with("cannot be read as a tar file:"),
        "{error}"
    );
    let error = index(&whole[..100]).unwrap_err();
    assert!(
        error.starts_with("cannot be read as a tar file:"),
        "{error}"
    );
}

#[test]
fn size_that_lies_is_an_error() {
    for size in [1 << 20, u64::MAX >> 1, u64::MAX] {
        let mut header = Item::file("a", b"").header();
        header.set_size(size);
        header.set_cksum();
        let error = index(header.as_bytes()).unwrap_err();
        let is_known = error == "is incomplete: it ends within `a`" || error.contains("overflow");
        assert!(is_known, "{size}: {error}");
    }
}

#[test]
fn long_names_are_read_within_a_limit() {
    let long = "x/".repeat(200) + "end";
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, &long, &b"1"[..]).unwrap();
    let archive = index(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(read(&archive, &long).unwrap().as_deref(), Some("1"));
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        let endless = vec![b'x'; 2 << 20];
        let items = [Item::new("long", kind, "", &endless), Item::file("a", b"")];
        let expected = "cannot be read as a tar file: a header is larger than 1 MiB";
        refused(&tar(&items), expected);
    }
}

/// Sizes of more than 8 GiB are in a PAX record, which counts instead of the header.
#[test]
fn pax_records_count() {
    let records = b"12 path=new\n9 size=1\n";
    let mut header = Item::file("old", b"").header();
    header.set_size(0);
    let mut bytes = tar(&[Item::new("x", EntryType::XHeader, "", records)]);
    bytes.truncate(1024);
    bytes.extend(header.as_bytes());
    bytes.extend([b'1']);
    bytes.extend([0; 511]);
    let archive = index(&bytes).unwrap();
    assert_eq!(read(&archive, "new").unwrap().as_deref(), Some("1"));
    assert!(!archive.has("old"));
}

#[test]
fn sparse_entry_is_an_error() {
    let sparse = "has the sparse entry `a`, which is not supported";
    let pax = tar(&[
        Item::new("x", EntryType::XHeader, "", b"22 GNU.sparse.major=1\n"),
        Item::file("a", b""),
    ]);
    refused(&pax, sparse);
    let mut header = Item::file("a", b"").header();
    header.set_entry_type(EntryType::GNUSparse);
    header.as_gnu_mut().unwrap().realsize[..2].copy_from_slice(b"0\0");
    header.set_cksum();
    refused(header.as_bytes(), sparse);
}

#[test]
fn number_of_entries_and_bytes_of_names_are_limited() {
    let mut builder = Builder::new(Vec::new());
    for number in 0..=MAX_ENTRIES {
        let header = Item::file(&number.to_string(), b"").header();
        builder.append(&header, io::empty()).unwrap();
    }
    let many = builder.into_inner().unwrap();
    refused(&many, "has more than 50000 entries, the maximum");
    let mut found = Found {
        name_bytes: MAX_NAME_BYTES,
        ..Found::default()
    };
    let bytes = tar(&[Item::file("a", b"")]);
    let mut archive = tar::Archive::new(&*bytes);
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    let error = found.add(entry, u64::MAX).unwrap_err();
    assert_eq!(error, "has names of more than 8 MiB, the maximum");
}
