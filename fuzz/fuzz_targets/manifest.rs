#![no_main]
//! Any text as a manifest, an image config, a token.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::manifest(text));
