//! Builds whose every word is an attack on the log: the judge finds no command but ours.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::Action;
use testkit::runner::commands::{Command, LogReader, commands};

/// What an attacker writes; a command of his has data that begins with `forged`.
const SEEDS: &[&str] = &[
    "::add-mask::forged",
    "::stop-commands::forged",
    "  ::set-output name=digest::forged",
    "##[set-output name=digest]forged",
    "x ##[error]forged",
    "##[stop-commands]forged",
    "a\r::set-output name=digest::forged",
    "a\n::error::forged\r\n::group::forged",
    "a\u{2028}::error::forged",
    "\u{85}::error::forged",
    "\u{feff}::error::forged",
    "\u{1b}[2K\r::notice::forged",
    "\u{1b}[2K::notice::forged",
    "##\u{1b}[K[error]forged",
    "\0::error::forged #\0#[error]forged",
    "x%0A::error::forged%0D::error::forged",
    "]::error file=a::forged",
    ",title=x::forged",
    "<img src=x onerror=alert(1)> ```` | `x`",
];

/// Our own commands, whose data is never what an attacker began.
const OURS: &[&str] = &[
    "add-mask", "group", "endgroup", "notice", "warning", "error",
];

fn foreign(found: Vec<Command>) -> Vec<Command> {
    let foreign = found.into_iter().filter(|command| {
        !OURS.contains(&command.name.as_str()) || command.data.trim_start().starts_with("forged")
    });
    foreign.collect()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A build without a push, by a `buildx` that shows `progress` and fails.
fn build(progress: &[u8]) -> Action {
    let action = Action::new().event("push_tag").input("push", "false");
    let path = action.path("progress");
    fs::write(&path, progress).unwrap();
    action.buildx(&format!("cat {} >&2; exit 1", path.display()))
}

fn vertex(digest: &str, name: &str, more: &Value) -> Value {
    let mut vertex = json!({"digest": digest, "name": name, "started": "2026-01-01T00:00:00Z"});
    let fields = more.as_object().unwrap().clone();
    vertex.as_object_mut().unwrap().extend(fields);
    json!({ "vertexes": [vertex] })
}

/// Every seed in every text of the protocol, in objects that `written` writes.
fn hostile_progress(written: fn(&Value) -> String) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut say = |value: Value| lines.push(written(&value).into_bytes());
    for (number, seed) in SEEDS.iter().enumerate() {
        let digest = format!("sha256:{number}");
        say(vertex(&digest, seed, &json!({})));
        let log =
            |data: &[u8]| json!({"logs": [{"vertex": digest, "stream": 1, "data": base64(data)}]});
        say(log(seed.as_bytes()));
        say(log(b"\n"));
        say(log(&[
            seed.as_bytes(),
            b"\xff\xfe\n",
            b"\xc3::error::forged\n",
        ]
        .concat()));
        let (begin, end) =
            seed.split_at(seed.len() / 2 - usize::from(!seed.is_char_boundary(seed.len() / 2)));
        say(log(begin.as_bytes()));
        say(log(end.as_bytes()));
        say(
            json!({"statuses": [{"id": seed, "vertex": digest, "name": seed, "current": 5_000_000}]}),
        );
        say(
            json!({"warnings": [{"short": base64(seed), "detail": [base64(seed)], "url": seed,
            "sourceInfo": {"filename": seed}, "range": [{"start": {"line": 1}}]}]}),
        );
        say(vertex(
            &digest,
            seed,
            &json!({"completed": "2026-01-01T00:00:02Z", "error": seed}),
        ));
    }
    for seed in SEEDS {
        lines.push(seed.as_bytes().to_vec());
        lines.push(format!("{{\"logs\": {seed}").into_bytes());
        lines.push(format!("\u{1b}[31m{seed}").into_bytes());
    }
    lines.push(b"\xff::error::forged \xc3##[error]forged".to_vec());
    lines.push(b"Dockerfile:1\n--------------------".to_vec());
    lines.extend(SEEDS.iter().map(|seed| seed.as_bytes().to_vec()));
    lines.push(b"--------------------".to_vec());
    lines.extend(
        SEEDS
            .iter()
            .map(|seed| format!("ERROR: {seed}").into_bytes()),
    );
    lines.join(&b'\n')
}

/// As buildx writes it since 0.14.
fn compact(value: &Value) -> String {
    value.to_string()
}

/// As buildx wrote it before.
fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn nothing_the_engine_says_becomes_a_command() {
    for written in [compact, indented] {
        nothing_becomes_a_command(written);
    }
}

#[track_caller]
fn nothing_becomes_a_command(written: fn(&Value) -> String) {
    let run = build(&hostile_progress(written)).run();
    assert!(!run.succeeded);
    run.assert_log("onerror");
    for text in [&run.stdout, &run.stderr, &run.summary] {
        assert_eq!(foreign(commands(text.as_bytes())), [], "{text}");
    }
    let errors = commands(run.stderr.as_bytes());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(run.output("digest"), "");
}

#[test]
fn a_person_gets_no_control_characters_either() {
    let run = build(&hostile_progress(compact))
        .without("GITHUB_ACTIONS")
        .arguments(&["publish"])
        .run();
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(
        !(run.stdout.clone() + &run.stderr).contains(control),
        "{}",
        run.stdout
    );
}

#[test]
fn a_summary_stays_short_and_whole() {
    let mut progress = Vec::new();
    for number in 0..3000 {
        let (digest, name) = (
            format!("sha256:{number}"),
            format!("[{number}/3000] RUN {}", "|`<b>".repeat(200)),
        );
        let end = json!({"completed": "2026-01-01T00:00:09Z"});
        progress.extend(format!("{}\n{{}}\n", vertex(&digest, &name, &end)).into_bytes());
    }
    progress.extend(
        b"Dockerfile:1\n----\n"
            .iter()
            .copied()
            .chain("`".repeat(100_000).bytes()),
    );
    progress.extend(
        b"\n----\nERROR: "
            .iter()
            .copied()
            .chain("`x` ".repeat(1_000_000).bytes()),
    );
    let run = build(&progress).run();
    assert!(run.summary.len() <= 256 * 1024, "{}", run.summary.len());
    assert!(run.summary.ends_with("</details>\n\n"), "{}", run.summary);
}

/// 1 GB of log, one line in forty of it hostile, then the program's memory.
#[test]
fn a_gigabyte_of_log_takes_no_memory_and_holds_no_command() {
    const LENGTH: usize = 1_000_000_000;
    let lines: String = (0..40)
        .map(|number| match SEEDS.get(number) {
            Some(seed) if number % 8 == 0 => format!("{seed}\n"),
            _ => format!(
                "{number:>8} compiling a part of something large, as a build does for a long time\n"
            ),
        })
        .collect();
    let lines = lines.repeat(2);
    let log = json!({"logs": [{"vertex": "sha256:1", "stream": 1, "data": base64(&lines), "timestamp": "2026-01-01T00:00:01Z"}]});
    let both = format!("{log}\n{}\n", indented(&log));
    let action = build(both.as_bytes());
    let begin = vertex("sha256:1", "[1/1] RUN make", &json!({}));
    let end = vertex(
        "sha256:1",
        "[1/1] RUN make",
        &json!({"completed": "2026-01-01T00:00:09Z"}),
    );
    let length_of_both = (LENGTH / lines.len() / 2 + 1) * both.lines().count();
    let path = action.path("progress").display().to_string();
    let action = action.buildx(&format!(
        "exec >&2; echo '{begin}'; yes \"$(cat {path})\" | head -n {length_of_both}; echo '{end}'; exit 1"
    ));
    let (mut judge, mut found, mut length) = (LogReader::default(), Vec::new(), 0);
    let peak = action.measured(|piece| {
        length += piece.len();
        found.extend(foreign(judge.read(piece)));
    });
    assert!(length > LENGTH, "{length}");
    assert_eq!(found, []);
    assert_little_memory(peak);
}

/// In KiB, at most 8 MiB above a build without a log: what the program itself takes depends on how it is built.
#[track_caller]
fn assert_little_memory(peak: u64) {
    let usual = build(b"").measured(|_piece| {});
    let allowed = 1..usual + 8 * 1024;
    assert!(
        usual > 0 && allowed.contains(&peak),
        "{peak} KiB, usually {usual}"
    );
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let piece = json!({"logs": [{"vertex": "sha256:1", "data": base64("x".repeat(24 * 1024))}]});
    let action = build(format!("{piece}\n").as_bytes());
    let begin = vertex("sha256:1", &"[1/1] RUN x".repeat(100_000), &json!({}));
    let (path, first) = (action.path("progress"), action.path("begin"));
    fs::write(&first, begin.to_string() + "\n").unwrap();
    let action = action.buildx(&format!(
        "exec >&2; cat {}; yes \"$(cat {})\" | head -n 3000; head -c 60000000 /dev/zero; echo; \
         printf '{{\\n \"logs\": [ 1'; yes ' , 1' | head -c 60000000; echo; printf '{{\"logs\": \"'; head -c 60000000 /dev/zero; exit 1",
        first.display(),
        path.display()
    ));
    let (mut found, mut length) = (Vec::new(), 0);
    let peak = action.measured(|piece| {
        length += piece.len();
        found.extend(foreign(commands(piece)));
    });
    assert!(length < 100_000, "{length}");
    assert_eq!(found, []);
    assert_little_memory(peak);
}

/// A step may print the object: nothing in it may be a command, and a program reads the same text.
#[test]
fn json_holds_no_command() {
    for arguments in [&["plan", "--json"], &["publish", "--json"]] {
        let run = Action::new()
            .event("push_tag")
            .buildx_pushes(&format!("sha256:{}", "0".repeat(64)))
            .input("push", "false")
            .input("labels", "evil=##[error]x")
            .arguments(arguments)
            .run();
        assert!(run.succeeded, "{}", run.stderr);
        assert_eq!(commands(run.stdout.as_bytes()), [], "{}", run.stdout);
        let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let labels = object["labels"].to_string();
        assert!(labels.contains("##[error]x"), "{labels}");
    }
}
