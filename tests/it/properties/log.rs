//! Anything an engine may say, through the whole program: the runner finds our commands and no other.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::support::Action;
use testkit::corpus;
use testkit::proof::{self, Proof};
use testkit::runner::commands::commands;

/// Lines a run of the program is given at once.
const LINES: u32 = 64;

/// A line of the protocol with hostile text in one place, or hostile bytes.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let text = || select(corpus::bytes());
    let digest = || select(vec!["a", "b", "c"]);
    let place = (0_u8..7, digest(), text()).prop_map(|(place, digest, bytes)| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let encoded = STANDARD.encode(&bytes);
        let time = "2026-01-01T00:00:00Z";
        let line: Value = match place {
            0 => json!({"vertexes": [{"digest": digest, "name": text, "started": time}]}),
            1 => json!({"vertexes": [{"digest": digest, "name": text, "started": time, "completed": time, "error": text}]}),
            2 | 3 => json!({"logs": [{"vertex": digest, "stream": 1, "data": encoded, "timestamp": time}]}),
            4 => json!({"statuses": [{"id": text, "vertex": digest, "name": text, "current": 5}]}),
            5 => json!({"warnings": [{"short": encoded, "detail": [encoded], "url": text, "sourceInfo": {"filename": text}, "range": [{"start": {"line": 1}}]}]}),
            _ => json!({"vertexes": [{"digest": text, "name": text, "inputs": [text], "started": text}]}),
        };
        line.to_string().into_bytes()
    });
    prop_oneof![
        6 => place,
        1 => text(),
        1 => text().prop_map(|text| [b"ERROR: ".to_vec(), text].concat()),
        1 => vec(any::<u8>(), 0..80),
    ]
}

/// What our own commands begin with: their data is ours to the first foreign word.
const OURS: &[(&str, &str)] = &[
    ("group", ""),
    ("endgroup", ""),
    ("warning", ""),
    ("error", "the build failed"),
];

fn is_tame(lines: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let action = Action::new().event("push_tag").input("push", "false");
    let path = action.path("progress");
    fs::write(&path, lines.join(&b'\n')).unwrap();
    let action = action.buildx(&format!("cat {} >&2; exit 1", path.display()));
    let run = action.run();
    for stream in [&run.stdout, &run.stderr, &run.summary] {
        for command in commands(stream.as_bytes()) {
            let is_ours = OURS
                .iter()
                .any(|(name, begin)| command.name == *name && command.data.starts_with(begin));
            proptest::prop_assert!(is_ours, "{command:?} in {stream}");
        }
    }
    proptest::prop_assert_eq!(commands(run.stderr.as_bytes()).len(), 1, "{}", run.stderr);
    proptest::prop_assert!(run.summary.len() <= 256 * 1024);
    Ok(())
}

#[test]
fn no_engine_output_becomes_a_command() {
    let mut proof = Proof::of("log: whole builds of hostile lines, 64 at a time");
    let lines = vec(line(), LINES as usize);
    proof.property(proof::cases().div_ceil(LINES), &lines, |lines| {
        is_tame(&lines)
    });
    proof.end();
}
