//! `max-growth`, and images that cannot be compared.

use ghcr_double::{Endpoint, Fault};

use super::*;

fn grown() -> (Double, String) {
    pair(
        &[image("linux/amd64", &[1, 2])],
        &[image("linux/amd64", &[1, 2, 800])],
    )
}

#[test]
fn an_image_that_grew_too_much_gets_no_tag() {
    for max in ["10%", "0%", "1kB", "14kB"] {
        let (double, digest) = grown();
        let before = double.tags(NAME);
        let run = publish(&double, &digest).input("max-growth", max).run();
        assert!(!run.succeeded, "{max}: {}", run.stdout);
        assert_eq!(double.tags(NAME), before);
        let shown = max.replace('%', "%25");
        run.assert_error(format!(
            "grown by more than `max-growth: {shown}` since `main`"
        ));
        run.assert_error("in `RUN make 800`");
        assert_eq!([run.output("tags"), run.output("pushed")], ["", "true"]);
        assert_eq!(run.output("digest"), digest);
        assert_eq!(changes(&run)["platforms"][0]["change"], "changed");
        run.assert_summary("is pushed, but publishing did not finish");
    }
    let (double, digest) = grown();
    let run = publish(&double, &digest).input("max-growth", "1kB").run();
    expect![[r#"
        ::error title=ghcr-publish::the image has grown by more than `max-growth: 1kB` since `main`, so no tag of the plan was written
          because: linux/amd64 has 14.8 kB, +14.2 kB (+2342.1 %25); its largest new layers: 14.1 kB in `RUN make 800`
          fix: make the named layers smaller, or set `max-growth` to a larger value
    "#]].assert_eq(&run.errors(double.host()));
}

#[test]
fn growth_up_to_the_limit_is_allowed() {
    for max in ["1000000%", "1MB", "1GiB"] {
        let (double, digest) = grown();
        let run = succeeded(publish(&double, &digest).input("max-growth", max));
        assert_eq!(double.tags(NAME)["main"], digest);
        assert!(!run.stdout.contains("::notice"), "{}", run.stdout);
    }
    // An image that became smaller has not grown.
    let (double, digest) = pair(
        &[image("linux/amd64", &[1, 2])],
        &[image("linux/amd64", &[1])],
    );
    succeeded(publish(&double, &digest).input("max-growth", "0%"));
}

#[test]
fn the_platform_that_grew_most_decides() {
    let before = [image("linux/amd64", &[1, 800]), image("linux/arm64", &[1])];
    let after = [image("linux/amd64", &[1]), image("linux/arm64", &[1, 800])];
    let (double, digest) = pair(&before, &after);
    let run = publish(&double, &digest).input("max-growth", "10%").run();
    run.assert_error("because: linux/arm64 has ");
    assert!(!run.stderr.contains("linux/amd64"), "{}", run.stderr);
}

#[test]
fn nothing_to_compare_with_passes_with_a_notice() {
    let double = registry().start().unwrap();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1])]);
    let run = succeeded(publish(&double, &digest).input("max-growth", "5%"));
    let text = format!(
        "nothing to compare the image with: `{}/{NAME}:main` does not exist",
        double.host()
    );
    run.assert_log(text);
    assert_eq!(double.tags(NAME)["main"], digest);
    let run = publish(&double, &digest)
        .input("max-growth", "5%")
        .input("tags", "type=sha");
    succeeded(run).assert_log("the plan has no floating tag");
    let (double, digest) = pair(&[image("linux/s390x", &[1])], &[image("linux/amd64", &[1])]);
    let run = succeeded(publish(&double, &digest).input("max-growth", "5%"));
    run.assert_log("has no platform of the new image");
}

/// Faults in what is read of the image to compare with: its manifest, the manifest of a platform and its config.
fn unread(double: &Double, which: usize, status: u16) {
    let (_, index) = double.manifest(NAME, "stable").unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let child = index["manifests"][0]["digest"].as_str().unwrap();
    let (_, manifest) = double.manifest(NAME, child).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let (endpoint, path) = [
        (Endpoint::ManifestRead, "stable"),
        (Endpoint::ManifestRead, child),
        (Endpoint::BlobGet, config),
    ][which];
    let fault = Fault::on(endpoint).path(path).always();
    double.script(fault.error(status, "DENIED", "not this one"));
}

fn readable() -> (Double, String) {
    let double = registry().start().unwrap();
    put(
        &double,
        "stable",
        &[image("linux/amd64", &[1]), image("linux/arm64", &[1])],
    );
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1, 2])]);
    (double, digest)
}

#[test]
fn an_image_that_cannot_be_read_is_not_compared() {
    for which in 0..3 {
        let (double, digest) = readable();
        unread(&double, which, 403);
        let run = succeeded(publish(&double, &digest).input("compare-with", "stable"));
        run.assert_log("::notice");
        run.assert_log("cannot compare the image with");
        assert_eq!(double.tags(NAME)["main"], digest);
        assert_eq!(run.output("changes"), "");
    }
}

#[test]
fn a_question_without_an_answer_holds_the_tags() {
    for which in 0..3 {
        let (double, digest) = readable();
        let before = double.tags(NAME);
        unread(&double, which, 403);
        let run = publish(&double, &digest)
            .input("compare-with", "stable")
            .input("max-growth", "1000%");
        let run = run.run();
        assert!(!run.succeeded, "{which}: {}", run.stdout);
        run.assert_error("it is not known whether the image has grown by more than `max-growth:");
        run.assert_error("not this one");
        assert_eq!(double.tags(NAME), before);
    }
}

#[test]
fn growth_is_checked_before_a_job_goes_on() {
    let (double, digest) = grown();
    let action = publish(&double, &digest);
    let (state, variables) = ("state", "variables");
    let at = |name: &str| action.path(name).display().to_string();
    let (state, variables) = (at(state), at(variables));
    let run = action
        .env("GITHUB_STATE", state)
        .env("GITHUB_ENV", variables)
        .input("job-status", "success")
        .input("move-tags", "after-job")
        .input("max-growth", "10%")
        .run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("the image has grown by more than");
    assert!(
        !run.noted("state").contains("staged="),
        "{}",
        run.noted("state")
    );
}

#[test]
fn a_wrong_limit_is_refused_before_any_request() {
    for (name, value) in [
        ("max-growth", "10"),
        ("max-growth", "-5%"),
        ("compare-with", "a b"),
    ] {
        let (double, digest) = grown();
        let run = publish(&double, &digest).input(name, value).run();
        let shown = value.replace('%', "%25");
        run.assert_error(format!("invalid value `{shown}` for the input `{name}`"));
        assert_eq!(double.requests().len(), 0);
    }
}
