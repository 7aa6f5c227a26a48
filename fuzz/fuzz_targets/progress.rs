#![no_main]
//! Any bytes as the progress of a build.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ghcr_publish::fuzzing::progress(bytes));
