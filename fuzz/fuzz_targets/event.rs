#![no_main]
//! Any text as an event payload.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::event(text));
