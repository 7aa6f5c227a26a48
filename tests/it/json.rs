//! `--json` of every mode: one object, which `docs/schema.json` describes, also when the run fails.

mod schema;

use ghcr_double::{Double, Endpoint, Fault};
use serde_json::{Value, json};

use self::schema::violation;
use crate::attest::{Profile, attesting, doubles};
use crate::changes::images::{Image, put};
use crate::publication::{NAME, PUSHED, registry, registry_with_image};
use crate::support::{Action, Run, TOKEN};

/// The object that a run printed; it says how the run ended, and is as the schema wants it.
#[track_caller]
pub(crate) fn result(run: &Run) -> Value {
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [line] = lines.as_slice() else {
        panic!("not one line: {}{}", run.stdout, run.stderr);
    };
    let object: Value = serde_json::from_str(line).unwrap();
    assert_eq!(violation(&object), None, "{object:#}");
    let status = match run.succeeded {
        true => "success",
        false => "failure",
    };
    assert_eq!(object["status"], status, "{}", run.stderr);
    assert_eq!(object["error"].is_null(), run.succeeded);
    if let Some(what) = object["error"]["what"].as_str() {
        let log = run.stderr.replace(TOKEN, "***");
        assert!(log.contains(what.lines().next().unwrap()), "{log}");
    }
    object
}

/// Runs in Actions with `--json`.
#[track_caller]
fn run(action: Action, arguments: &[&str]) -> (Run, Value) {
    let run = action.arguments(&[arguments, &["--json"]].concat()).run();
    let object = result(&run);
    assert_eq!(object["mode"], arguments[0]);
    (run, object)
}

fn publishing(double: &Double, digest: &str) -> Action {
    Action::publishing("push_tag", double).buildx_pushes(digest)
}

#[test]
fn publication_has_the_outputs_with_their_types() {
    let (double, digest) = registry_with_image(PUSHED);
    let (run, object) = run(publishing(&double, &digest), &["publish"]);
    assert!(run.succeeded);
    assert_eq!(object["pushed"], true);
    assert_eq!(object["ref"], run.output("ref"));
    let references: Vec<&str> = run.output("tags").lines().collect();
    assert_eq!(object["tags"], json!(references));
    for name in [
        "subjects",
        "platform-digests",
        "digests",
        "tag-changes",
        "skipped-tags",
    ] {
        let output: Value = serde_json::from_str(run.output(name)).unwrap();
        assert_eq!(object[name], output, "{name}");
    }
    assert_eq!(
        object["labels"]["org.opencontainers.image.licenses"],
        "Apache-2.0"
    );
    assert_eq!(object["not-pushed"], Value::Null);
}

#[test]
fn publication_has_what_changed() {
    let double = registry().start().unwrap();
    let image = |platform, layers: &[u64]| Image {
        platform,
        layers: layers.to_vec(),
        base: 1,
        label: layers[0],
        variable: None,
    };
    let before = [image("linux/amd64", &[1, 2]), image("linux/s390x", &[3])];
    put(&double, "latest", &before);
    let after = [image("linux/amd64", &[2, 5]), image("linux/arm64", &[4])];
    let digest = put(&double, PUSHED, &after);
    let (run, object) = run(publishing(&double, &digest), &["publish"]);
    let output: Value = serde_json::from_str(run.output("changes")).unwrap();
    assert_eq!(object["changes"], output);
    let [changed, added, removed] = &output["platforms"].as_array().unwrap()[..] else {
        panic!("{output}");
    };
    let kinds = [changed, added, removed].map(|platform| &platform["change"]);
    assert_eq!(kinds, ["changed", "added", "removed"]);
    assert_ne!(changed["new-layers"], json!([]));
    assert_ne!(changed["config"], json!([]));
}

#[test]
fn publication_that_does_not_push_says_why() {
    let (double, digest) = registry_with_image(PUSHED);
    let action = publishing(&double, &digest).input("push", "false");
    let (_, object) = run(action, &["publish"]);
    assert_eq!(object["not-pushed"], "the input `push` is `false`");
    assert_eq!(
        (&object["pushed"], &object["tags"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn attested_publication_lists_its_attestations() {
    let (double, digest, sigstore) = doubles();
    let action = attesting(&double, &digest, &sigstore, Profile::Log);
    let (run, object) = run(action, &["publish"]);
    assert_eq!(object["attestations"][0]["digest"], digest.as_str());
    assert_eq!(
        object["attestations"][0]["url"],
        run.output("attestation-url")
    );
    assert_eq!(object["files"]["bundle-path"], run.output("bundle-path"));
}

#[test]
fn failed_publication_says_what_it_achieved() {
    let (double, digest) = registry_with_image(PUSHED);
    let refusal = Fault::on(Endpoint::TagPut).answer(403);
    double.script(refusal.always());
    let (_, object) = run(publishing(&double, &digest), &["publish"]);
    assert_eq!(object["digest"], digest.as_str());
    assert!(object["error"]["fix"].is_string(), "{object}");
}

#[test]
fn invalid_input_is_an_error_of_every_mode() {
    for mode in ["publish", "plan", "check", "verify", "merge", "cleanup"] {
        let action = Action::new().event("push_tag").input("push", "perhaps");
        let (run, object) = run(action, &[mode]);
        assert_eq!(run.status, Some(1));
        assert_eq!(
            object["error"],
            json!({
                "what": "invalid value `perhaps` for the input `push`",
                "because": null,
                "fix": "write `auto`, `true` or `false`",
            })
        );
    }
}

#[test]
fn cancelled_publication_is_a_failure() {
    let (double, _) = registry_with_image(PUSHED);
    let action = Action::publishing("push_tag", &double).buildx("exec sleep 30");
    let action = action.arguments(&["publish", "--json"]);
    let object = result(&action.run_until_building());
    assert_eq!(object["error"]["what"], "the run was cancelled");
}

#[test]
fn merge_reports_the_image() {
    let double = registry().start().unwrap();
    let action = Action::publishing("push_branch", &double)
        .env("GITHUB_RUN_ID", "42")
        .input("platforms", "linux/amd64,linux/arm64");
    let (run, object) = run(action, &["merge"]);
    assert!(!run.succeeded, "no job pushed a part");
    assert_eq!(object["complete"], false);
}

#[test]
fn plan_has_the_same_fields_as_before() {
    let action = Action::new().event("push_tag").input("github-token", TOKEN);
    let (_, object) = run(action, &["plan"]);
    let names: Vec<&String> = object.as_object().unwrap().keys().collect();
    let head = ["mode", "status", "error"];
    let fields = [
        "images",
        "version",
        "tags",
        "other-references",
        "tag-names",
        "versions",
        "floating-tags",
        "fixed-tags",
        "move-tags",
        "labels",
        "annotations",
        "push",
        "build",
    ];
    assert_eq!(names, [&head[..], &fields].concat());
    let attested = Action::new().event("push_tag").input("attest", "true");
    let (_, object) = run(attested.input("github-token", TOKEN), &["plan"]);
    assert_eq!(object["attest"], "true");
}

#[test]
fn every_kind_of_plan_is_described() {
    for (name, value) in [
        ("candidate", "quay.io/acme/app:1"),
        ("candidate", "sha"),
        ("part", "linux/amd64"),
        ("call", "check"),
        ("cache", "gha"),
        ("tags", "type=match,pattern=x"),
        ("images", "ghcr.io/acme/a,enable=false"),
        ("move-tags", "never"),
    ] {
        let action = Action::new().event("push_tag").input(name, value);
        let action = action.env("GITHUB_RUN_ID", "42");
        run(
            action.input("platforms", "linux/amd64,linux/arm64"),
            &["plan"],
        );
    }
    let arguments = ["plan", "--event", "schedule", "--ref", "refs/heads/main"];
    let (_, object) = run(Action::new().event("push_tag"), &arguments);
    assert_eq!(object["event"]["name"], "schedule");
}

#[test]
fn check_has_the_plan_and_whether_it_succeeded() {
    let (double, _) = registry_with_image("v1");
    let (_, object) = run(Action::publishing("push_tag", &double), &["check"]);
    assert_eq!(object["version"], "v1.2.3");
    double.script(Fault::on(Endpoint::BlobPost).answer(403).always());
    let (run, object) = run(Action::publishing("push_tag", &double), &["check"]);
    assert_eq!(run.status, Some(1));
    assert_eq!(object["version"], "v1.2.3");
}

#[test]
fn verification_has_an_object_for_each_reference() {
    let (double, _) = registry_with_image("v1");
    let references = ["v1", "v2"].map(|tag| format!("{}/{NAME}:{tag}", double.host()));
    let [first, second] = references.each_ref().map(String::as_str);
    let action = Action::publishing("push_tag", &double);
    let (_, object) = run(action, &["verify", first, second]);
    assert_eq!(object["images"][0]["platforms"], json!(["linux/amd64"]));
    assert_eq!(object["images"][1]["digest"], Value::Null);
    let because = &object["images"][1]["error"]["because"];
    assert_eq!(because, "the tag `v2` does not exist");
}

/// The token is in what the registry answers, and a program that captures stdout gets no masks.
#[test]
fn no_secret_is_in_the_object() {
    let (double, digest) = registry_with_image(PUSHED);
    let body = format!("{{\"errors\":[{{\"code\":\"DENIED\",\"message\":\"{TOKEN} may not\"}}]}}");
    let refusal = Fault::on(Endpoint::BlobPost).answer(403);
    double.script(refusal.body("application/json", &body).always());
    for mode in ["publish", "check"] {
        let (run, object) = run(publishing(&double, &digest), &[mode]);
        assert!(!run.stdout.contains(TOKEN), "{}", run.stdout);
        let because = object["error"].to_string();
        assert!(because.contains("***"), "{because}");
    }
}
