#![no_main]
//! Any text as a docker configuration.

libfuzzer_sys::fuzz_target!(|text: &str| ghcr_publish::fuzzing::docker_config(text));
