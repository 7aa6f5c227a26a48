#![no_main]
//! Any text as the body of an error.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::refused(text));
