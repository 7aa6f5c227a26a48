//! What later steps and people read about attestations: outputs, the bundle file, rows of the summary.

use std::fmt::Write as _;

use crate::inputs::attest::Choice;
use crate::publish::attest::Attestation;
use crate::publish::{Done, Published};
use crate::report::github_output::append_text;
use crate::report::markdown::{block, code};
use crate::report::metadata::{Output, OutputFile};
use crate::report::{Report, attestation_url};
use crate::session::Session;
use crate::vars::Vars;

/// The output with the path of the file of bundles.
pub(super) const BUNDLE_PATH: &str = "bundle-path";
/// Where `actions/attest` lists the files of a job
/// (<https://github.com/actions/attest/blob/main/src/main.ts>).
pub(super) const PATHS_FILE: &str = "created_attestation_paths.txt";

/// `attestation-id` and `attestation-url`: one line for each attestation that this run stored on GitHub.
pub(super) fn outputs(report: &Report) -> [Output; 2] {
    let stored = || all(&report.done).filter_map(|one| Some((one.id?, one)));
    let ids: Vec<String> = stored().map(|(id, _)| id.to_string()).collect();
    let session = report.session.as_ref();
    let urls = stored().filter_map(|(_, one)| attestation_url(session?, one));
    [
        ("attestation-id", ids.join("\n")),
        ("attestation-url", urls.collect::<Vec<_>>().join("\n")),
    ]
}

/// The bundles, one JSON document per line; none if nothing is attested.
pub(super) fn bundle_file(done: &Done) -> Option<OutputFile> {
    let lines: String = all(done).map(|one| format!("{}\n", one.bundle)).collect();
    (!lines.is_empty()).then_some(OutputFile {
        output: BUNDLE_PATH,
        file_name: "attestation.jsonl",
        text: lines,
    })
}

/// The rows of one image in the summary.
pub(super) fn rows(published: &Published, report: &Report) -> String {
    let mut text = String::new();
    for one in &published.attestations {
        let page = report
            .session
            .as_ref()
            .and_then(|session| attestation_url(session, one));
        let kind = one.predicate_type.trim_start_matches("https://");
        let kind = match page {
            Some(url) => format!("[{kind}]({url})"),
            None => code(kind),
        };
        let _infallible = writeln!(
            text,
            "| Attestation | {kind}, signed by {} |",
            code(&one.signer)
        );
    }
    text
}

/// The commands that verify each image; empty if none is attested.
pub(super) fn commands(report: &Report) -> String {
    let Some(session) = &report.session else {
        return String::new();
    };
    let published = report.done.published.iter();
    let attested = published.filter(|published| !published.attestations.is_empty());
    let commands = attested.filter_map(|published| {
        let digest = &published.verified.as_ref()?.manifest.digest;
        let reference = format!("{}@{digest}", published.name);
        Some(command(session, &reference))
    });
    let commands: Vec<String> = commands.collect();
    match commands.is_empty() {
        true => String::new(),
        false => block("sh", &commands.join("\n")),
    }
}

/// `gh` knows the public-good instance and that of GitHub.
fn command(session: &Session, reference: &str) -> String {
    let repository = &session.context.repository;
    match (&session.inputs.attest.sigstore, session.plan.attest) {
        (Choice::Own(_), _) => {
            let root = session.inputs.attest.trusted_root.as_deref();
            let root = root.unwrap_or_default();
            format!(
                "ghcr-publish verify {reference} --repository {repository} --trusted-root {root}"
            )
        }
        (_, Some(stores)) if !stores.has_github() => {
            format!("gh attestation verify oci://{reference} --repo {repository} --bundle-from-oci")
        }
        _ => format!("gh attestation verify oci://{reference} --repo {repository}"),
    }
}

fn all(done: &Done) -> impl Iterator<Item = &Attestation> {
    let published = done.published.iter();
    published.flat_map(|published| &published.attestations)
}

/// Adds the path of the bundle file to the list that later steps may read.
pub(super) fn list_path(vars: &Vars, files: &[Output]) -> anyhow::Result<()> {
    let path = files.iter().find(|(output, _)| *output == BUNDLE_PATH);
    let (Some((_, path)), Some(temporary)) = (path, vars.path("RUNNER_TEMP")) else {
        return Ok(());
    };
    let fix = "set `RUNNER_TEMP` to a writable directory, or unset it";
    let line = format!("{path}\n");
    append_text(
        &temporary.join(PATHS_FILE),
        &line,
        "the list of attestations",
        fix,
    )
}
