#![no_main]
//! Any bytes as an archive with an OCI layout, plain or gzip.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ghcr_publish::fuzzing::oci_archive(bytes));
