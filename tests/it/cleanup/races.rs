//! Publications and other clean-ups at the same time.

use ghcr_double::{Endpoint, Seen};

use super::*;

/// Lets requests pass one at a time; calls `before` before each.
#[expect(clippy::disallowed_methods, reason = "the run of a test")]
fn step_by_step(double: &Double, action: Action, mut before: impl FnMut(&Seen)) -> Run {
    let gate = double.gate();
    let runs = std::thread::spawn(move || action.run());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        while !runs.is_finished() {
            match gate.waiting().first() {
                Some(seen) => {
                    before(seen);
                    gate.pass(0).await;
                }
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    });
    runs.join().unwrap()
}

#[test]
fn version_that_got_another_tag_after_the_list_stays_with_its_children() {
    let double = start();
    let mut is_done = false;
    let run = step_by_step(&double, action(&double), |seen| {
        if !is_done && seen.endpoint == Endpoint::VersionGet {
            is_done = true;
            let (media_type, bytes) = double.manifest(NAME, "pr-1").unwrap();
            double.put_manifest(NAME, "pr-1-keep", &media_type, bytes);
        }
    });
    let run = succeeded(run);
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-1", "pr-1-keep", "pr-2", "sha-0123456"]
    );
    is_whole(&double);
    assert!(
        run.output("kept")
            .contains("it changed after it was listed"),
        "{}",
        run.output("kept")
    );
}

#[test]
fn version_that_was_pushed_again_after_the_list_stays() {
    let double = start();
    let mut is_done = false;
    let run = step_by_step(&double, action(&double), |seen| {
        if !is_done && seen.endpoint == Endpoint::VersionGet {
            is_done = true;
            let (media_type, bytes) = double.manifest(NAME, "pr-1").unwrap();
            double.put_manifest(NAME, "pr-1", &media_type, bytes);
        }
    });
    succeeded(run);
    assert!(double.tags(NAME).contains_key("pr-1"));
    is_whole(&double);
}

/// Publishes an index of a child of `pr-1` when the first request that `is_moment` arrives.
fn publish_when(is_moment: fn(&Seen) -> bool) {
    let double = start();
    let index = double.manifest(NAME, "pr-1").unwrap().1;
    let index: Value = serde_json::from_slice(&index).unwrap();
    let child = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let mut is_done = false;
    let run = step_by_step(&double, action(&double), |seen| {
        if !is_done && is_moment(seen) {
            is_done = true;
            double.put_index(NAME, "edge", &[("linux/amd64", &child)], &[]);
        }
    });
    let run = succeeded(run);
    assert!(is_done);
    assert!(double.manifest(NAME, &child).is_some());
    assert!(double.tags(NAME).contains_key("edge"));
    is_whole(&double);
    assert_eq!(listed(&run, "deleted").len(), 7);
    let reason = "something that stays needs it";
    assert!(
        run.output("kept").contains(reason),
        "{}",
        run.output("kept")
    );
}

#[test]
fn old_child_of_an_index_that_is_published_before_the_untagged_phase_stays() {
    publish_when(|seen| seen.endpoint == Endpoint::VersionDelete);
    publish_when(|seen| seen.endpoint == Endpoint::VersionGet);
}

#[test]
fn untagged_image_that_gets_a_tag_before_the_untagged_phase_stays() {
    let double = start();
    let orphan = days_ago(&double, 50, |double| {
        double.put_platform_image(NAME, "linux/amd64/orphan")
    });
    let mut is_done = false;
    let clean_up = weekly(&double, "delete=pr-*,when=closed\nuntagged");
    let run = step_by_step(&double, clean_up, |seen| {
        if !is_done && seen.endpoint == Endpoint::VersionDelete {
            is_done = true;
            let (media_type, bytes) = double.manifest(NAME, &orphan).unwrap();
            double.put_manifest(NAME, "wanted", &media_type, bytes);
        }
    });
    let run = succeeded(run);
    assert_eq!(double.tags(NAME)["wanted"], orphan);
    assert_eq!(listed(&run, "deleted").len(), 8);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the run of a test")]
fn two_clean_ups_at_once_delete_the_same() {
    let double = start();
    let runs = [0, 1].map(|_| {
        let action = weekly(&double, "delete=pr-*,when=closed\ndelete=sha-*\nuntagged");
        std::thread::spawn(move || action.run())
    });
    for run in runs {
        succeeded(run.join().unwrap());
    }
    assert_eq!(tags(&double), ["1.2.3", "main", "pr-2"]);
    assert_eq!(double.manifests(NAME).len(), 12);
    is_whole(&double);
}

#[test]
fn version_that_a_shifted_page_hides_from_the_first_list_keeps_its_children() {
    let double = start();
    let children = days_ago(&double, 50, |double| {
        (0..120)
            .map(|number| double.put_platform_image(NAME, &format!("linux/amd64/{number}")))
            .collect::<Vec<_>>()
    });
    let hidden = days_ago(&double, 45, |double| {
        double.put_index(NAME, "edge", &[("linux/amd64", &children[0])], &[])
    });
    // The first page ends before the index.
    for number in 0..99 {
        double.put_platform_image(NAME, &format!("linux/arm64/{number}"));
    }
    let newest = double.put_platform_image(NAME, "linux/s390x");
    double.clear_requests();
    let mut lists = 0;
    let clean_up = weekly(&double, "delete=pr-*,when=closed\nuntagged");
    let run = step_by_step(&double, clean_up, |seen| {
        lists += usize::from(seen.endpoint == Endpoint::VersionList);
        if lists == 2 {
            double.delete_manifest(NAME, &newest);
        }
    });
    succeeded(run);
    assert!(double.manifests(NAME).contains(&hidden));
    assert!(double.manifests(NAME).contains(&children[0]));
    is_whole(&double);
}
