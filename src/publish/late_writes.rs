//! What another run writes between two of our requests, and a write of ours that arrives late.

use ghcr_double::{Conditions, Denial, Endpoint, Fault, Seen};

use crate::publish::faults::fixture::{Fixture, Outcome};

/// The whole publication; `meanwhile` is called before each request passes.
async fn publish(fixture: &Fixture, mut meanwhile: impl FnMut(&Seen)) -> Outcome {
    let gate = fixture.gate();
    let pass_all = async {
        loop {
            for seen in gate.waiting() {
                meanwhile(&seen);
                gate.pass(0).await;
            }
            gate.arrival().await;
        }
    };
    tokio::select! {
        outcome = fixture.publish() => outcome,
        () = pass_all => unreachable!("it never ends"),
    }
}

fn is_put(seen: &Seen, tag: &str) -> bool {
    seen.method == "PUT" && seen.path.ends_with(&format!("/manifests/{tag}"))
}

/// A refusal of the last tag, so that all others are rolled back.
fn refuse_latest(fixture: &Fixture) {
    let refused = Fault::on(Endpoint::TagPut).path("/manifests/latest");
    fixture.script(refused.always().deny(&Denial::WritePackage));
}

#[tokio::test]
async fn roll_back_restores_what_another_run_wrote_between_two_tries() {
    let fixture = Fixture::new();
    let other = fixture.other_old_image();
    let failed_try = Fault::on(Endpoint::TagPut).path("/manifests/edge");
    fixture.script(failed_try.times(1).answer(503));
    refuse_latest(&fixture);
    let mut tries = 0;
    let outcome = publish(&fixture, |seen| {
        if is_put(seen, "edge") {
            tries += 1;
        } else if tries == 1 && seen.path.ends_with("/manifests/edge") {
            // The other run writes after our first try, before we ask again.
            fixture.put("edge", &other);
            tries += 1;
        }
    });
    let outcome = outcome.await;
    assert!(outcome.error.is_some());
    assert_eq!(fixture.shown("edge"), other);
    assert_eq!(fixture.shown("stable"), outcome.old);
}

#[tokio::test]
async fn roll_back_notices_a_write_of_ours_that_arrives_late() {
    let fixture = Fixture::new();
    refuse_latest(&fixture);
    let mut puts = 0;
    let mut restored = false;
    let outcome = publish(&fixture, |seen| {
        if restored {
            // The roll-back has been written; now an earlier write of ours arrives after all.
            fixture.put("edge", &fixture.new_digest());
            restored = false;
        } else if is_put(seen, "edge") {
            puts += 1;
            restored = puts == 2;
        }
    });
    let outcome = outcome.await;
    assert!(outcome.error.is_some());
    assert_eq!(fixture.shown("edge"), outcome.old);
}

#[tokio::test]
async fn roll_back_leaves_what_another_run_wrote() {
    let fixture = Fixture::new();
    let other = fixture.other_old_image();
    refuse_latest(&fixture);
    let outcome = publish(&fixture, |seen| {
        if is_put(seen, "latest") {
            fixture.put("edge", &other);
        }
    });
    let outcome = outcome.await;
    assert!(outcome.error.is_some());
    assert_eq!(fixture.shown("edge"), other);
    assert_eq!(fixture.shown("stable"), outcome.old);
}

#[tokio::test]
async fn roll_back_works_where_entity_tags_are_weak() {
    let fixture = Fixture::with(Conditions::Weak);
    refuse_latest(&fixture);
    let outcome = fixture.publish().await;
    assert!(outcome.is_rolled_back(), "{outcome:?}");
}

/// The second look replaces an older image, too.
#[tokio::test]
async fn an_older_image_is_replaced_where_entity_tags_are_weak() {
    let fixture = Fixture::with(Conditions::Weak);
    let other = fixture.other_old_image();
    let mut has_moved = false;
    let outcome = publish(&fixture, |seen| {
        if has_moved {
            fixture.put("edge", &other);
            has_moved = false;
        } else if is_put(seen, "latest") {
            has_moved = fixture.shown("edge") == fixture.new_digest();
        }
    });
    let outcome = outcome.await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(fixture.shown("edge"), outcome.new);
}

/// The newer version is complete, its run over, when our write of `latest` arrives.
#[tokio::test]
async fn a_late_write_over_a_newer_version_is_put_right() {
    let fixture = Fixture::new();
    let mut newer = None;
    let outcome = publish(&fixture, |seen| {
        if newer.is_none() && is_put(seen, "latest") {
            let digest = fixture.newer_release("2.0.0");
            fixture.put("latest", &digest);
            newer = Some(digest);
        }
    });
    let outcome = outcome.await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(Some(fixture.shown("latest")), newer);
    assert!(outcome.report_is_true(), "{outcome:?}");
}

/// Another run of the version writes between our read and our write.
#[tokio::test]
async fn version_that_another_run_creates_meanwhile_is_kept() {
    for conditions in [Conditions::Honoured, Conditions::Weak] {
        let fixture = Fixture::with(conditions);
        let other = fixture.other_old_image();
        let outcome = publish(&fixture, |seen| {
            if is_put(seen, "1.2.3") {
                fixture.put("1.2.3", &other);
            }
        });
        let outcome = outcome.await;
        let error = outcome.error.as_ref().map(ToString::to_string).unwrap();
        assert!(error.contains(&format!("it shows {other}")), "{error}");
        assert_eq!(fixture.shown("1.2.3"), other);
        assert!(outcome.is_rolled_back(), "{outcome:?}");
        assert!(outcome.report_is_true(), "{outcome:?}");
    }
}

/// The registry ignores the condition of the other run, which writes after ours.
#[tokio::test]
async fn version_that_another_run_overwrites_is_an_error() {
    let fixture = Fixture::new();
    let other = fixture.other_old_image();
    let outcome = publish(&fixture, |seen| {
        if is_put(seen, "latest") {
            fixture.put("1.2.3", &other);
        }
    });
    let outcome = outcome.await;
    let error = outcome.error.as_ref().map(ToString::to_string).unwrap();
    assert!(error.contains(&format!("it shows {other}")), "{error}");
    assert!(outcome.is_rolled_back(), "{outcome:?}");
}

/// A write of ours that arrives although no response comes back counts as ours.
#[tokio::test]
async fn version_whose_write_had_no_response_is_created() {
    let fixture = Fixture::with(Conditions::Honoured);
    let lost = Fault::on(Endpoint::TagPut).path("/manifests/1.2.3");
    fixture.script(lost.times(1).reset_after_serving());
    let outcome = fixture.publish().await;
    assert!(
        outcome.error.is_none() && outcome.is_complete(),
        "{outcome:?}"
    );
}
