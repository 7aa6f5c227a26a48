#![no_main]
//! Any bytes as an archive of `docker save`, plain or gzip.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ghcr_publish::fuzzing::docker_archive(bytes));
