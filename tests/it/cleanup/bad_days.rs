//! Outages, broken images, and runs that are killed.

use ghcr_double::{Endpoint, Fault};

use super::*;

#[test]
fn unreadable_image_that_stays_stops_every_deletion_in_the_package() {
    let double = start();
    let main = double.tags(NAME)["main"].clone();
    let unread = Fault::on(Endpoint::ManifestRead).path(&main);
    let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    double.script(unread.answer(404).body("application/json", body).always());
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("the clean-up of `");
    run.assert_error("what `main` refers to is unknown");
    assert_eq!(deletions(&double), 0);
}

#[test]
fn unreadable_candidate_stays() {
    let double = start();
    let closed = double.tags(NAME)["pr-1"].clone();
    let unread = Fault::on(Endpoint::ManifestRead).path(&closed);
    double.script(unread.answer(404).always());
    let run = succeeded(action(&double).run());
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-1", "pr-2", "sha-0123456"]
    );
    assert!(run.output("kept").contains("its manifest cannot be read"));
}

#[test]
fn registry_that_does_not_answer_is_not_an_unreadable_image() {
    let double = start();
    double.script(Fault::on(Endpoint::ManifestRead).answer(503).always());
    let run = action(&double).input("push-timeout", "1s").run();
    assert!(!run.succeeded);
    run.assert_error("stops: cannot read `sha256:");
    assert_eq!(deletions(&double), 0);
}

#[test]
fn list_that_fails_in_the_middle_deletes_nothing() {
    let double = start();
    for number in 0..200 {
        double.put_platform_image(NAME, &format!("linux/amd64/{number}"));
    }
    let fails = Fault::on(Endpoint::VersionList)
        .after(1)
        .answer(500)
        .always();
    double.script(fails);
    let run = action(&double).input("push-timeout", "1s").run();
    assert!(!run.succeeded);
    run.assert_error("cannot list the versions of `acme/widget`");
    assert_eq!(deletions(&double), 0);
    double.clear_script();
    double.script(
        Fault::on(Endpoint::VersionList)
            .after(1)
            .answer(500)
            .times(2),
    );
    succeeded(action(&double).run());
    assert_eq!(tags(&double).len(), 4);
}

#[test]
fn second_list_that_fails_leaves_what_has_no_tag() {
    let double = start();
    let fails = Fault::on(Endpoint::VersionList)
        .after(1)
        .answer(500)
        .always();
    double.script(fails);
    let run = action(&double).input("push-timeout", "1s").run();
    assert!(!run.succeeded);
    assert_eq!(deletions(&double), 2);
    is_whole(&double);
}

#[test]
fn deletion_whose_answer_is_lost_counts() {
    let double = start();
    double.script(
        Fault::on(Endpoint::VersionDelete)
            .reset_after_serving()
            .times(3),
    );
    let run = succeeded(action(&double).run());
    assert_eq!(listed(&run, "deleted").len(), 8);
    assert_eq!(tags(&double).len(), 4);
}

#[test]
fn kill_at_every_deletion_breaks_nothing_that_stays() {
    for after in 0..8 {
        let double = start();
        let hangs = Fault::on(Endpoint::VersionDelete).after(after);
        double.script(hangs.hang(Duration::from_secs(60)));
        let reached = usize::try_from(after).unwrap() + 1;
        let ended = action(&double).run_and_kill_when(|| deletions(&double) == reached);
        assert!(!ended);
        is_whole(&double);
        double.clear_script();
        succeeded(action(&double).run());
        assert_eq!(tags(&double), ["1.2.3", "main", "pr-2", "sha-0123456"]);
        is_whole(&double);
    }
}

#[test]
fn cancelled_clean_up_tells_what_is_deleted() {
    let double = start();
    let hangs = Fault::on(Endpoint::VersionDelete).after(1);
    double.script(hangs.hang(Duration::from_secs(60)));
    let run = action(&double).run_and_stop_when(|| deletions(&double) == 2);
    assert!(!run.succeeded);
    run.assert_error("the run was cancelled");
    assert_eq!(listed(&run, "deleted"), ["pr-1"]);
    let failed: Value = serde_json::from_str(run.output("failed")).unwrap();
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    let reason = "the run ended before GitHub answered: it may be deleted";
    assert_eq!(failed[0]["reason"], reason);
    is_whole(&double);
}

#[test]
fn manifest_that_is_lost_is_an_error_that_names_the_way_back() {
    let double = start();
    let child = put_index(&double, "edge")[1].clone();
    let id = double.version_id(NAME, &child).unwrap();
    let lost = Fault::on(Endpoint::ManifestRead)
        .path(&child)
        .method("HEAD");
    double.script(lost.answer(404));
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("are no longer complete");
    run.assert_error(format!("`ghcr-publish restore {id} --with images="));
}

#[test]
fn manifest_that_was_missing_before_is_a_warning() {
    let double = start();
    let child = double.put_platform_image(NAME, "linux/amd64/ghost");
    double.put_index(NAME, "edge", &[("linux/amd64", &child)], &[]);
    double.delete_manifest(NAME, &child);
    let run = succeeded(action(&double).run());
    run.assert_log("which was missing before the clean-up");
}
