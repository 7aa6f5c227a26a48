//! Tags that wait for the end of the job, on each kind of store.

use super::world::{Crane, DebianRegistry, graph_engine, publication};
use crate::publication::COMMIT;
use crate::support::{Action, Run};

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// The tags of the plan do not exist before the post step, and exist after it only if the job succeeds.
fn check(engine: Option<&str>) {
    let registry = DebianRegistry::start();
    let job = || {
        let action = publication(engine);
        let state = action.path("state").display().to_string();
        action
            .event("push_tag")
            .env("GITHUB_RUN_ID", "42")
            .env("GITHUB_STATE", state)
            .input("registry", registry.host())
            .input("job-status", "success")
            .input("move-tags", "after-job")
    };
    let crane = Crane::new(&registry.host());
    let tags = |image: &str| crane.run(&["ls", image]);
    let run = succeeded(job());
    let (image, digest) = (run.output("image"), run.output("digest"));
    assert_eq!(crane.digest(run.output("ref")), digest);
    assert_eq!(tags(image), format!("sha-{COMMIT}"));
    let state = run.noted("state");
    let staged = state.lines().find_map(|line| line.strip_prefix("staged="));
    let post = |status: &str| {
        let action = job().env("STATE_staged", staged.unwrap());
        succeeded(action.input("job-status", status).arguments(&["post"]))
    };
    post("failure").assert_summary("not tagged: the job failed");
    assert_eq!(tags(image), format!("sha-{COMMIT}"));
    post("success");
    for tag in ["v1.2.3", "latest"] {
        assert_eq!(crane.digest(&format!("{image}:{tag}")), digest);
    }
}

#[test]
fn tags_wait_for_the_job_on_the_containerd_store() {
    check(None);
}

#[test]
fn tags_wait_for_the_job_on_a_graph_driver() {
    check(Some(&graph_engine()));
}
