//! Bodies that are too large, too deep or too odd: an error in time, and no memory for them.

use std::fs;
use std::time::Duration;

use ghcr_double::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::publication::PUSHED;
use crate::publication::registry_with_image;
use crate::support::{Action, Run, TOKEN};
use testkit::corpus;
use testkit::proof::{self, Proof};

const ENDPOINTS: &[Endpoint] = &[
    Endpoint::Token,
    Endpoint::BlobPost,
    Endpoint::TagList,
    Endpoint::ManifestRead,
    Endpoint::BlobGet,
    Endpoint::TagPut,
    Endpoint::Api,
];
/// In KiB, above a run with short answers: what the program itself takes depends on how it is built.
const MAX_MEMORY: u64 = 16 * 1024;

/// Head, as often as it takes the same, tail.
fn body(fault: &Value) -> Option<String> {
    let text = |name: &str| fault[name].as_str().unwrap_or_default();
    let piece = match text("body") {
        "zeros" => "\0",
        piece => piece,
    };
    let size = usize::try_from(fault["size"].as_u64()?).unwrap();
    let times = size / piece.len().max(1);
    Some([text("head"), &piece.repeat(times), text("tail")].concat())
}

fn publish(endpoint: Endpoint, status: u16, body: &str) -> (Run, u64, Duration) {
    let (double, digest) = registry_with_image(PUSHED);
    let fault = Fault::on(endpoint)
        .answer(status)
        .body("application/json", body);
    double.script(fault.always());
    let action = Action::new().event("push_tag").buildx_pushes(&digest);
    let action = action
        .input("github-token", TOKEN)
        .input("push-timeout", "1s");
    let action = action.input("registry", double.host());
    action
        .env("GITHUB_API_URL", double.api_url())
        .run_measured()
}

/// Ended in time, in little more memory than `usual`, with a report.
fn is_orderly(run: &Run, peak: u64, usual: u64, time: Duration) -> Result<(), String> {
    let panicked = run.stderr.contains("panicked") || run.outputs.is_empty();
    let is_large = usual == 0 || peak >= usual + MAX_MEMORY;
    if panicked || is_large || time > Duration::from_secs(60) {
        let text = format!("{peak} KiB, usually {usual}, {time:?}: {}", run.stderr);
        return Err(text);
    }
    Ok(())
}

#[test]
fn no_body_takes_memory_or_time() {
    let mut proof = Proof::of("bodies: each answer is an error in time, within 16 MiB");
    let bodies = corpus::faults().iter().filter_map(body).collect::<Vec<_>>();
    let step = (5_000 / proof::cases() as usize).clamp(1, 5);
    let cases = ENDPOINTS
        .iter()
        .flat_map(|endpoint| [200, 401, 403].map(|status| (*endpoint, status)));
    let (_run, usual, _time) = publish(Endpoint::TagList, 200, "{}");
    // A write that is confirmed and never made is a lie, not a body; the tests of stale reads tell it.
    let cases = cases.filter(|case| *case != (Endpoint::TagPut, 200));
    let cases = cases
        .flat_map(|(endpoint, status)| bodies.iter().map(move |body| (endpoint, status, body)));
    for (endpoint, status, body) in cases.step_by(step) {
        let (run, peak, time) = publish(endpoint, status, body);
        let shown: String = body.chars().take(40).collect();
        let outcome = is_orderly(&run, peak, usual, time);
        proof.case(outcome.map_err(|error| format!("{endpoint:?} {status} {shown:?}: {error}")));
    }
    proof.end();
}

/// A payload of 25 MB, which is the most that GitHub sends.
#[test]
fn no_payload_takes_memory_or_time() {
    let mut proof = Proof::of("payloads: 25 MB, or deep, within 16 MiB");
    let commit = json!({"id": "0123456789", "message": "x".repeat(100), "added": ["a", "b"]});
    let payloads = [
        json!({"commits": vec![commit; 150_000], "repository": {"name": "w"}}).to_string(),
        format!("{{\"a\":{}", "[".repeat(25_000_000)),
        format!("{{\"a\":\"{}\"}}", "x".repeat(25_000_000)),
        format!("[{}0]", "0,".repeat(12_000_000)),
        format!("{{{}\"b\":0}}", "\"a\":0,".repeat(4_000_000)),
        format!("{{\"repository\":{}0{}}}", "[".repeat(100), "]".repeat(100)),
        format!(
            "{{\"repository\":{{\"name\":\"w\",\"description\":\"{}\"}}}}",
            "\\u0000".repeat(4_000_000)
        ),
    ];
    let plan = || Action::new().event("push_tag").arguments(&["plan"]);
    // A plan can end before the first look at its memory; of twenty, the largest is what it takes.
    let peaks = (0..20).map(|_| plan().run_measured().1);
    let usual = peaks.max().unwrap();
    for payload in payloads {
        let action = plan();
        let path = action.path("payload");
        fs::write(&path, &payload).unwrap();
        let (run, peak, time) = action
            .env("GITHUB_EVENT_PATH", path.display().to_string())
            .run_measured();
        let outcome = is_orderly(&run, peak, usual, time);
        proof.case(outcome.map_err(|error| format!("{}: {error}", &payload[..40])));
    }
    proof.end();
}
