#![no_main]
//! Any text as a challenge: no login leaves its host.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::challenge(text));
