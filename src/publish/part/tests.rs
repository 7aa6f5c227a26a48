//! Jobs that build the parts of one image, in every order, with kills and stale reads: always one image.

mod races;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use ghcr_double::{Account, Double, Endpoint, Fault, Package, Repository};
use serde_json::{Map, Value};

use super::*;
use crate::error::Explanation;
use crate::publish::faults::fixture;
use crate::publish::preflight::connect;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-parts";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const PLATFORMS: [&str; 5] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/s390x",
    "linux/riscv64",
];
/// Two tags of the plan; the first one never moves.
const TAGS: &str = "type=sha\ntype=ref,event=branch";
const FIXED: &str = "sha-0123456";
const PACE: u32 = 500;

/// A registry, and an image of so many platforms.
struct Run {
    double: Double,
    platforms: Vec<&'static str>,
    /// What is different from other runs of this test.
    variables: Vec<(&'static str, String)>,
}

/// How a job ended.
#[derive(Debug)]
struct Ended {
    error: Option<String>,
    part: PartDone,
    /// What it published.
    digest: Option<String>,
}

impl Ended {
    fn has_completed(&self) -> bool {
        self.digest.is_some()
    }
}

impl Run {
    fn of(platforms: usize) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let repository = Repository::new("acme/Widget").commit(COMMIT, &[], "2026-11-20T10:00:00Z");
        let double = Double::builder()
            .token(TOKEN, Account::workflow("acme/Widget"))
            .package(NAME, Package::of("acme/Widget"))
            .repository(repository)
            .blobs_in_place()
            .start()
            .unwrap();
        Self {
            double,
            platforms: PLATFORMS[..platforms].to_vec(),
            variables: Vec::new(),
        }
    }

    fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    /// The job of one platform, from the end of its build on.
    async fn job(&self, platform: &str, attempt: u32) -> Ended {
        let digest = self.double.put_platform_image(NAME, platform);
        self.job_with(platform, attempt, &digest).await
    }

    async fn job_with(&self, platform: &str, attempt: u32, digest: &str) -> Ended {
        let mut done = Done::default();
        let ended = self.publish(platform, attempt, digest, &mut done).await;
        self.ended(ended, done)
    }

    async fn merge(&self, variables: &[(&str, &str)]) -> Ended {
        let mut done = Done::default();
        let variables = [variables, &[("INPUT_MODE", "merge")]].concat();
        let session = self.session(1, &variables);
        let registries = connect(&session, Pace::waiting(PACE)).await.unwrap();
        let merged = super::merge(&session, &registries, None, &mut done).await;
        self.ended(merged, done)
    }

    fn ended(&self, ended: anyhow::Result<()>, done: Done) -> Ended {
        Ended {
            error: ended.err().map(|error| Explanation::of(&error).to_string()),
            part: done.part.unwrap_or_default(),
            digest: done.built.map(|built| built.digest.to_string()),
        }
    }

    fn session(&self, attempt: u32, variables: &[(&str, &str)]) -> Session {
        let (host, api) = (self.double.host(), self.double.api_url());
        let (platforms, attempt) = (self.platforms.join(","), attempt.to_string());
        let common = [
            ("GITHUB_API_URL", api.as_str()),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", COMMIT),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", &attempt),
            ("INPUT_GITHUB-TOKEN", TOKEN),
            ("INPUT_REGISTRY", &host),
            ("INPUT_TAGS", TAGS),
            ("INPUT_PLATFORMS", &platforms),
            ("INPUT_PUSH-TIMEOUT", "10h"),
        ];
        let own = self.variables.iter();
        let own: Vec<(&str, &str)> = own.map(|(name, value)| (*name, value.as_str())).collect();
        fixture::session(&[&common, own.as_slice(), variables].concat())
    }

    async fn publish(
        &self,
        platform: &str,
        attempt: u32,
        digest: &str,
        done: &mut Done,
    ) -> anyhow::Result<()> {
        let mut session = self.session(attempt, &[("INPUT_PART", platform)]);
        // No two jobs begin at the same time.
        let number = PLATFORMS.iter().position(|one| *one == platform);
        let begin: DateTime<Utc> = "2026-11-20T10:00:00Z".parse()?;
        session.now = begin + Duration::from_millis(1500 * number.unwrap_or_default() as u64);
        let pace = Pace::waiting(PACE);
        let registries = connect(&session, pace).await?;
        let pushed = PushResult {
            built: Built {
                digest: digest.parse()?,
                config_digest: None,
                metadata: Map::new(),
            },
            names: session.plan.images.clone(),
            failures: Vec::new(),
            reads: EarlyReads::default(),
            deadline: Deadline::after(Duration::from_secs(36_000), pace),
        };
        let plan = session.plan.part.clone().unwrap();
        super::publish(&session, &registries, &plan, None, pushed, done).await
    }

    /// The tags of the plan that exist.
    fn tags(&self) -> BTreeSet<String> {
        let tags = self.double.tags(NAME).into_keys();
        tags.filter(|tag| !tag.starts_with("part-")).collect()
    }

    /// The platforms of the image that every tag of the plan shows; fails if they show several.
    fn image(&self) -> Result<(String, Vec<String>), String> {
        let tags = self.double.tags(NAME);
        let shown: BTreeSet<&String> = [FIXED, "main"]
            .iter()
            .filter_map(|tag| tags.get(*tag))
            .collect();
        let [digest] = shown.iter().collect::<Vec<_>>()[..] else {
            return Err(format!("the tags show {shown:?}"));
        };
        let (_, bytes) = self.double.manifest(NAME, digest).unwrap();
        let index: Value = serde_json::from_slice(&bytes).unwrap();
        let platforms = index["manifests"].as_array().into_iter().flatten();
        let name = |child: &Value| {
            let parts =
                ["os", "architecture", "variant"].map(|key| child["platform"][key].as_str());
            parts.into_iter().flatten().collect::<Vec<_>>().join("/")
        };
        Ok(((*digest).clone(), platforms.map(name).collect()))
    }

    #[track_caller]
    fn require_one_image(&self, jobs: &[&Ended]) -> Result<(), String> {
        let (digest, platforms) = self.image()?;
        if platforms != self.platforms {
            return Err(format!("the image is for {platforms:?}"));
        }
        let records: Vec<String> = self.double.tags(NAME).into_keys().collect();
        let records: Vec<_> = records
            .iter()
            .filter(|tag| tag.starts_with("part-"))
            .collect();
        if !records.is_empty() {
            return Err(format!("{records:?} are left"));
        }
        let errors: Vec<_> = jobs.iter().filter_map(|job| job.error.as_ref()).collect();
        let published: Vec<_> = jobs.iter().filter_map(|job| job.digest.as_ref()).collect();
        let is_one = !published.is_empty() && published.iter().all(|one| **one == digest);
        match errors.is_empty() && is_one {
            true => Ok(()),
            false => Err(format!(
                "{digest} is shown, {published:?} reported; errors {errors:?}"
            )),
        }
    }
}

#[tokio::test]
async fn jobs_that_cannot_see_each_other_for_15_seconds_make_one_image() {
    for fault in [Fault::stale, Fault::missing] {
        let run = Run::of(2);
        let stale = Fault::on(Endpoint::ManifestRead).path("manifests/part-");
        let stale = fault(stale).lasting(Duration::from_secs(15) / PACE);
        run.double.script(stale);
        let (one, other) = tokio::join!(run.job("linux/arm64", 1), run.job("linux/amd64", 1));
        run.require_one_image(&[&one, &other]).unwrap();
    }
}

#[tokio::test]
async fn a_minute_of_refusals_is_survived() {
    let run = Run::of(2);
    run.job("linux/arm64", 1).await;
    for endpoint in [Endpoint::ManifestRead, Endpoint::TagPut, Endpoint::TagList] {
        let refused = Fault::on(endpoint).answer(429);
        run.double
            .script(refused.lasting(Duration::from_secs(60) / PACE));
    }
    let ended = run.job("linux/amd64", 1).await;
    run.require_one_image(&[&ended]).unwrap();
}

#[tokio::test]
async fn a_merge_completes_what_the_jobs_left_and_names_what_is_missing() {
    let run = Run::of(3);
    for platform in ["linux/amd64", "linux/arm64"] {
        run.job(platform, 1).await;
    }
    let ended = run.merge(&[("INPUT_MERGE-TIMEOUT", "10s")]).await;
    let error = ended.error.unwrap();
    assert!(
        error.contains("the parts of linux/arm/v7 are missing"),
        "{error}"
    );
    assert_eq!(run.tags(), BTreeSet::new());
    let complete = run.job("linux/arm/v7", 1).await;
    let merged = run.merge(&[]).await;
    run.require_one_image(&[&complete, &merged]).unwrap();
}

#[tokio::test]
async fn an_attempt_takes_the_parts_of_the_one_before() {
    let run = Run::of(2);
    run.job("linux/arm64", 1).await;
    let ended = run.job("linux/amd64", 2).await;
    run.require_one_image(&[&ended]).unwrap();
}

#[tokio::test]
async fn a_part_of_another_commit_is_not_taken() {
    let tags = ("INPUT_TAGS", "edge".to_owned());
    let other = ("GITHUB_SHA", "9".repeat(40));
    let run = Run {
        variables: vec![tags.clone(), other],
        ..Run::of(2)
    };
    run.job("linux/arm64", 1).await;
    let run = Run {
        variables: vec![tags],
        ..run
    };
    let ended = run.job("linux/amd64", 1).await;
    assert_eq!(
        (ended.error, ended.part.missing),
        (None, vec!["linux/arm64".to_owned()])
    );
}

/// A job that failed after it had completed the image.
#[tokio::test]
async fn a_job_that_runs_again_after_the_end_finds_the_other_parts_in_the_image() {
    let run = Run::of(3);
    for platform in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
        run.job(platform, 1).await;
    }
    let other = run.double.put_image(NAME, "again", &[("a", "b")]);
    let again = run.job_with("linux/arm64", 2, &other).await;
    run.require_one_image(&[&again]).unwrap();
    let (_, index) = run.double.manifest(NAME, FIXED).unwrap();
    assert!(String::from_utf8_lossy(&index).contains(&other));
}

/// An image of the same commit that another run published is not this run's.
#[tokio::test]
async fn the_image_of_another_run_has_no_part_of_this_one() {
    let earlier = Run::of(2).with("GITHUB_RUN_ID", "41");
    for platform in ["linux/amd64", "linux/arm64"] {
        earlier.job(platform, 1).await;
    }
    let run = Run {
        variables: Vec::new(),
        ..earlier
    };
    let again = run.job("linux/amd64", 2).await;
    assert_eq!(again.part.missing, ["linux/arm64"]);
    assert!(run.merge(&[]).await.error.is_some());
}

#[tokio::test]
async fn two_jobs_with_one_part_are_refused() {
    let run = Run::of(2);
    run.job("linux/amd64", 1).await;
    let other = run.double.put_image(NAME, "other", &[("a", "b")]);
    let ended = run.job_with("linux/amd64", 1, &other).await;
    let error = ended.error.unwrap();
    assert!(
        error.contains("two jobs of this run build linux/amd64"),
        "{error}"
    );
}

#[tokio::test]
async fn a_part_whose_manifest_is_gone_leaves_every_tag() {
    let run = Run::of(2);
    run.job("linux/arm64", 1).await;
    let gone = run.double.put_platform_image(NAME, "linux/arm64");
    let missing = Fault::on(Endpoint::ManifestRead).path(&gone);
    let missing = missing.error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    run.double.script(missing.always());
    let ended = run.job("linux/amd64", 1).await;
    let error = ended.error.unwrap();
    assert!(error.contains("cannot put the parts of"), "{error}");
    assert_eq!(run.tags(), BTreeSet::new());
}

#[tokio::test]
async fn records_that_may_not_be_deleted_are_left() {
    let run = Run::of(2);
    let package = Package::unlinked()
        .linked("acme/Widget")
        .writer("acme/Widget");
    run.double.set_package(NAME, package);
    run.job("linux/arm64", 1).await;
    let ended = run.job("linux/amd64", 1).await;
    assert_eq!((ended.error, run.image().unwrap().1.len()), (None, 2));
    let records = run.double.tags(NAME).into_keys();
    assert_eq!(records.filter(|tag| tag.starts_with("part-")).count(), 2);
    let (_, image) = run.double.manifest(NAME, FIXED).unwrap();
    let index: Value = serde_json::from_slice(&image).unwrap();
    for child in index["manifests"].as_array().unwrap() {
        let digest = child["digest"].as_str().unwrap();
        assert!(run.double.manifest(NAME, digest).is_some());
    }
}

#[tokio::test]
async fn an_image_under_the_tag_of_a_record_is_named_and_ignored() {
    let run = Run::of(2);
    let session = run.session(1, &[("INPUT_PART", "linux/amd64")]);
    let tag = session.plan.part.unwrap().record_tag("linux/arm64");
    run.double.put_image(NAME, tag.as_str(), &[]);
    let error = run.merge(&[]).await.error.unwrap();
    assert!(
        error.contains("it is an image, and not the record of a part"),
        "{error}"
    );
}

#[tokio::test]
async fn a_part_that_differs_in_one_input_is_named() {
    let run = Run::of(2).with("INPUT_TARGET", "test");
    run.job("linux/arm64", 1).await;
    let run = Run {
        variables: Vec::new(),
        ..run
    };
    let error = run.merge(&[]).await.error.unwrap();
    assert!(
        error.contains("pushed linux/arm64 with other `target`"),
        "{error}"
    );
}
