//! A login stays with its registry, whatever the registry answers.

use ghcr_double::{Endpoint, Fault};

use super::encodings;
use super::recorder::Recorder;
use crate::publication::PUSHED;
use crate::publication::registry_with_image;
use crate::support::{Action, TOKEN};
use testkit::corpus;
use testkit::proof::{self, Proof};

const ENDPOINTS: &[Endpoint] = &[
    Endpoint::BlobPost,
    Endpoint::Token,
    Endpoint::TagList,
    Endpoint::TagPut,
    Endpoint::ManifestRead,
    Endpoint::BlobGet,
    Endpoint::BlobHead,
    Endpoint::Api,
];

/// Addresses of the other host, as a header may spell them.
const TARGETS: &[&str] = &[
    "http://HOST/v2/x",
    "//HOST/v2/x",
    "http://joe:x@HOST/token",
    "HTTP://HOST/?x=http://ghcr.io",
];

/// Challenges that name the other host.
const CHALLENGES: &[&str] = &[
    "Bearer realm=\"http://HOST/token\",service=\"x\"",
    "Bearer realm=\"https://HOST/token\"",
    "Bearer realm=\"//HOST/token\"",
    "Bearer realm=\"http://127.0.0.1@HOST/token\"",
    "Bearer realm=\"http://127.0.0.1%40HOST/token\"",
    "Bearer realm=\"http://HOST\\\\@127.0.0.1/token\"",
    "Bearer service=\"x\",realm=http://HOST/token",
    "Bearer realm=\"x\", realm=\"http://HOST/token\"",
];

/// What goes wrong, when the other host is `host`.
fn faults(host: &str) -> Vec<Fault> {
    let statuses: Vec<u16> = corpus::faults()
        .iter()
        .filter_map(|fault| u16::try_from(fault["redirect"].as_u64()?).ok())
        .collect();
    let mut faults = Vec::new();
    for endpoint in ENDPOINTS {
        for target in TARGETS.iter().map(|target| target.replace("HOST", host)) {
            for status in &statuses {
                faults.push(
                    Fault::on(*endpoint)
                        .answer(*status)
                        .header("location", &target),
                );
            }
            let link = format!("<{target}?last=a>; rel=\"next\"");
            faults.push(
                Fault::on(*endpoint)
                    .header("link", &link)
                    .header("location", &target),
            );
        }
        for challenge in CHALLENGES
            .iter()
            .map(|challenge| challenge.replace("HOST", host))
        {
            faults.push(
                Fault::on(*endpoint)
                    .answer(401)
                    .header("www-authenticate", &challenge),
            );
        }
    }
    faults
}

/// A publication to a registry with this fault.
fn publish(fault: Fault) {
    let (double, digest) = registry_with_image(PUSHED);
    double.script(fault.always());
    let action = Action::new().event("push_tag").buildx_pushes(&digest);
    let action = action
        .input("github-token", TOKEN)
        .input("push-timeout", "1s");
    let run = action
        .input("registry", double.host())
        .env("GITHUB_API_URL", double.api_url())
        .run();
    drop(run);
}

#[test]
fn a_login_never_reaches_a_second_host() {
    let mut proof = Proof::of("hosts: no login reaches a second one by redirect, realm or link");
    // Each starts the program: all of them only when there is time for thousands of cheap cases.
    let step = (5_000 / proof::cases() as usize).clamp(1, 8);
    let mut reached = 0;
    for number in (0..faults("x").len()).step_by(step) {
        let other = Recorder::start("127.0.0.2");
        let fault = faults(&other.host()).swap_remove(number);
        publish(fault.clone());
        let text = other.seen();
        reached += usize::from(!text.is_empty());
        let lower = text.to_ascii_lowercase();
        let bearer = "v1:opaque-bearer";
        let secrets = [TOKEN, bearer].into_iter().flat_map(encodings);
        let leaked = lower.contains("authorization:")
            || secrets
                .into_iter()
                .any(|form| memchr::memmem::find(text.as_bytes(), &form).is_some());
        proof.case(if leaked {
            Err(format!("{fault:?}: {text}"))
        } else {
            Ok(())
        });
    }
    assert!(reached > 0, "no fault led to the second host");
    proof.end();
}
