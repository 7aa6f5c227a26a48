#![no_main]
//! Any text as every input.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::inputs(text));
