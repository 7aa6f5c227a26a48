//! Entry points of the fuzz targets for archives.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use crate::image::digest::{Digest, Hasher};
use crate::inputs::candidate::file::{Choice, Form};
use crate::oci_layout::expand::Scratch;
use crate::oci_layout::open::of_archive;
use crate::oci_layout::{OciLayout, Present};
use crate::vars::Vars;

/// An archive with an OCI layout: an error, or an image whose parts have their digests.
pub fn oci_archive(bytes: &[u8]) {
    archive(Form::OciArchive, bytes);
}

/// The same as `docker save` writes it.
pub fn docker_archive(bytes: &[u8]) {
    archive(Form::DockerArchive, bytes);
}

fn archive(form: Form, bytes: &[u8]) {
    let vars = Vars::new([], "/nowhere".into());
    for choice in [Choice::Only, Choice::Numbered(1)] {
        let title = "the archive".to_owned();
        let opened = of_archive(form, file(bytes), &choice, title, Scratch(&vars));
        if let Ok((layout, Present { root, left_out })) = opened {
            assert_eq!(Digest::of(&root.bytes), root.digest);
            if left_out == 0 {
                read(&layout, &root.bytes, form);
            }
        }
    }
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("there is a place for it");
    file.write_all(bytes).expect("it can be written");
    file.rewind().expect("it is a file");
    file
}

/// Reads every blob of a manifest. Those that were converted have their digest and size.
fn read(layout: &OciLayout, manifest: &[u8], form: Form) {
    let Ok(content) = serde_json::from_slice::<crate::image::manifest::Content>(manifest) else {
        return;
    };
    for blob in content.blobs() {
        let Ok(section) = blob.digest.parse().map(|digest| layout.blob(&digest)) else {
            continue;
        };
        let Ok(section) = section else { continue };
        let (mut hasher, mut piece) = (Hasher::default(), [0; 4096]);
        let (mut reader, mut size) = (section.reader(), 0);
        while let Ok(length @ 1..) = reader.read(&mut piece) {
            hasher.update(&piece[..length]);
            size += length as u64;
        }
        let is_converted = form == Form::DockerArchive && !layout.has_file("index.json");
        if is_converted {
            assert_eq!((hasher.digest().as_str(), size), (&*blob.digest, blob.size));
        }
    }
}
