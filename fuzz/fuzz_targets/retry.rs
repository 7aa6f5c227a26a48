#![no_main]
//! Any text as `Retry-After` and as the hint in a message.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::retry(text));
