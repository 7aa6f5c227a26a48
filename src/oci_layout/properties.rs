//! What holds for every archive, whatever bytes are changed: it is an error, or what is read of it has its digest.

use std::io;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::prop_assert_eq;
use proptest::test_runner::TestCaseError;
use serde_json::json;
use tar::{EntryType, Header};

use crate::image::digest::Digest;
use crate::inputs::candidate::file::{Choice, Form};
use crate::oci_layout::archive::Archive;
use crate::oci_layout::archive::tests::{Item, file, tar};
use crate::oci_layout::expand::Scratch;
use crate::oci_layout::open::of_archive;
use crate::vars::Vars;
use testkit::{proof, proof::Proof};

/// The size of a header and the unit of all sizes.
const BLOCK: usize = 512;

/// `good` with some bytes changed, some of them in a header whose checksum is then right, and maybe cut.
fn damaged(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    let changes = vec((0..length, any::<u8>(), any::<bool>()), 1..6);
    let end = length / 2..=length * 2;
    (changes, end).prop_map(move |(changes, end)| {
        let mut bytes = good.clone();
        for (position, byte, is_header) in changes {
            bytes[position] = byte;
            if is_header {
                fix_checksum(&mut bytes[position / BLOCK * BLOCK..][..BLOCK]);
            }
        }
        bytes.truncate(end);
        bytes
    })
}

fn fix_checksum(block: &mut [u8]) {
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    header.set_cksum();
    block.copy_from_slice(header.as_bytes());
}

#[test]
fn no_archive_leads_out_of_its_file() {
    let good = tar(&[
        Item::file("index.json", b"{}"),
        Item::symlink("blobs/a", "../index.json"),
        Item::new("long", EntryType::GNULongName, "", &[b'x'; 600]),
        Item::file("x", &[7; 700]),
        Item::new("pax", EntryType::XHeader, "", b"12 path=new\n9 size=1\n"),
        Item::file("old", b"1"),
    ]);
    let mut proof = Proof::of("archives: any tar file is an error, or read within its length");
    proof.property(proof::cases(), &damaged(good), |bytes| {
        let Ok(archive) = Archive::index(file(&bytes)) else {
            return Ok(());
        };
        for name in archive.names() {
            if let Ok(Some(section)) = archive.section(name) {
                let size = section.size();
                let read = io::copy(&mut section.reader(), &mut io::sink());
                prop_assert_eq!(read.unwrap(), size);
            }
        }
        Ok(())
    });
    proof.end();
}

/// What `docker save` writes: with a layout, and without.
fn saved(form: Form) -> Vec<u8> {
    let layer = [7; 700];
    let diff_id = Digest::of(&layer);
    let config = json!({ "os": "linux", "rootfs": { "diff_ids": [diff_id.as_str()] } }).to_string();
    let id = Digest::of(config.as_bytes());
    let image = json!({
        "config": { "digest": id.as_str(), "size": config.len() },
        "layers": [{ "digest": diff_id.as_str(), "size": layer.len() }],
    });
    let image = image.to_string();
    let digest = Digest::of(image.as_bytes());
    let index = json!({ "manifests": [{ "digest": digest.as_str() }] }).to_string();
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let manifest =
        json!([{ "Config": blob(&id), "Layers": [blob(&diff_id)], "RepoTags": ["a:1"] }]);
    let manifest = manifest.to_string();
    let root = match form {
        Form::DockerArchive => Item::file("manifest.json", manifest.as_bytes()),
        Form::OciArchive | Form::OciLayout => Item::file("index.json", index.as_bytes()),
    };
    tar(&[
        root,
        Item::file(&blob(&digest), image.as_bytes()),
        Item::file(&blob(&id), config.as_bytes()),
        Item::file(&blob(&diff_id), &layer),
    ])
}

/// Opens an archive and compares all that it vouches for.
fn is_sound(form: Form, bytes: &[u8]) -> Result<(), TestCaseError> {
    let vars = Vars::of(&[]);
    let opened = of_archive(
        form,
        file(bytes),
        &Choice::Only,
        "the archive".to_owned(),
        Scratch(&vars),
    );
    let Ok((layout, present)) = opened else {
        return Ok(());
    };
    prop_assert_eq!(Digest::of(&present.root.bytes), present.root.digest.clone());
    let Some(config) = present.root.config_digest() else {
        return Ok(());
    };
    if let Ok(bytes) = layout.small_blob(&config) {
        prop_assert_eq!(Digest::of(&bytes), config);
    }
    Ok(())
}

#[test]
fn no_archive_passes_other_bytes_off_as_an_image() {
    let mut proof = Proof::of("archives: what is read of an image has its digest");
    for form in [Form::OciArchive, Form::DockerArchive] {
        let good = saved(form);
        assert!(is_sound(form, &good).is_ok());
        let cases = proof::cases() / 2;
        proof.property(cases, &damaged(good), |bytes| is_sound(form, &bytes));
    }
    proof.end();
}
