#![no_main]
//! Any text as a template and as a date format.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::template(text));
