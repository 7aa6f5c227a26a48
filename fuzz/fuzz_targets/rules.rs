#![no_main]
//! Any text as rules, flavor, images and labels.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::rules(text));
