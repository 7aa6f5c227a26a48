//! A fixture to publish into: a registry in which every tag shows the previous release, and ours pushed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ghcr_double::{Account, Conditions, Double, Fault, Gate, Package, Repository, Seen};
use serde_json::Map;

use crate::buildx::Built;
use crate::console::Console;
use crate::context::Context;
use crate::context::history::History;
use crate::credentials::Credentials;
use crate::deadline::{Deadline, Pace};
use crate::error::Explanation;
use crate::github::GitHub;
use crate::inputs::{Inputs, Mode};
use crate::plan::Plan;
use crate::publish::preflight::connect;
use crate::publish::{
    Done, Published, PushedImage, Release, combine, preflight, verify_and_move_tags,
};
use crate::session::Session;
use crate::tls::Trust;
use crate::vars::Vars;

pub(super) const SPEED: u32 = 100;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-faults";
const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
/// Two that never move, and five that do.
const TAGS: &str = "type=semver,pattern={{version}}\ntype=sha\ntype=semver,pattern={{major}}.{{minor}}\n\
                    type=semver,pattern={{major}}\nstable\nedge";
const FIXED: [&str; 2] = ["1.2.3", "sha-2222222"];
const FLOATING: [&str; 5] = ["1.2", "1", "stable", "edge", "latest"];

pub(crate) const CONSOLE: Console = Console::NOWHERE;

pub(crate) struct Fixture {
    double: Double,
    session: Session,
    old: String,
    new: String,
}

/// How a publication ended, and what the registry holds.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) error: Option<Explanation>,
    reported: Vec<String>,
    /// The tags that stay for want of an answer.
    unanswered: Vec<String>,
    tags: BTreeMap<String, String>,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(Conditions::Ignored)
    }

    pub(crate) fn with(conditions: Conditions) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let repository = Repository::new("acme/Widget")
            .commit(OLD, &[], "2026-11-19T10:00:00Z")
            .commit(NEW, &[OLD], "2026-11-20T10:00:00Z");
        let double = Double::builder()
            .token(TOKEN, Account::workflow("acme/Widget"))
            .package(NAME, Package::of("acme/Widget"))
            .repository(repository)
            .conditions(conditions)
            .start()
            .unwrap();
        let image = |tag: &str, commit: &str| put_image(&double, tag, commit, "");
        let old = image("1.2.2", OLD);
        let (media_type, bytes) = double.manifest(NAME, &old).unwrap();
        for tag in FLOATING {
            double.put_manifest(NAME, tag, &media_type, bytes.clone());
        }
        let new = image("sha-2222222", NEW);
        let (host, api) = (double.host(), double.api_url());
        let session = session(&[
            ("GITHUB_API_URL", &api),
            ("GITHUB_REF", "refs/tags/v1.2.3"),
            ("GITHUB_SHA", NEW),
            ("INPUT_GITHUB-TOKEN", TOKEN),
            ("INPUT_REGISTRY", &host),
            ("INPUT_TAGS", TAGS),
        ]);
        Self {
            double,
            session,
            old,
            new,
        }
    }

    pub(crate) fn script(&self, fault: Fault) {
        self.double.script(fault);
    }

    pub(crate) fn host(&self) -> String {
        self.double.host()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.double.requests()
    }

    /// The gate of the double: from now on requests wait there.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.double.gate()
    }

    /// Another image of the old commit, under no tag that we know.
    pub(crate) fn other_old_image(&self) -> String {
        put_image(&self.double, "other", OLD, "other")
    }

    /// A release of a newer version, under its own tag.
    pub(crate) fn newer_release(&self, version: &str) -> String {
        put_image(&self.double, version, NEW, version)
    }

    /// Lets a tag show an image that is there, as another run does.
    pub(crate) fn put(&self, tag: &str, digest: &str) {
        let (media_type, bytes) = self.double.manifest(NAME, digest).unwrap();
        self.double.put_manifest(NAME, tag, &media_type, bytes);
    }

    pub(crate) fn shown(&self, tag: &str) -> String {
        self.double.tags(NAME)[tag].clone()
    }

    pub(crate) fn new_digest(&self) -> String {
        self.new.clone()
    }

    /// All of a publication but the build.
    pub(crate) async fn publish(&self) -> Outcome {
        let mut done = Done::default();
        let ended = self.moved(&mut done).await;
        let published = done.published.iter().flat_map(|published| &published.tags);
        let mut reported: Vec<String> = published.map(ToString::to_string).collect();
        reported.sort();
        let skipped = done
            .published
            .iter()
            .flat_map(|published| &published.skipped);
        let unanswered = skipped.filter(|skipped| skipped.fix.is_some());
        let unanswered = unanswered.map(|skipped| skipped.tag.to_string()).collect();
        Outcome {
            unanswered,
            error: ended.err().map(|error| Explanation::of(&error)),
            reported,
            tags: self.double.tags(NAME),
            old: self.old.clone(),
            new: self.new.clone(),
        }
    }

    async fn moved(&self, done: &mut Done) -> anyhow::Result<()> {
        let Self { session, .. } = self;
        let plan = &session.plan;
        let pace = Pace::times(SPEED);
        let registries = connect(session, pace).await?;
        preflight::before_build(session, &registries).await?;
        let digest: crate::image::digest::Digest = self.new.parse()?;
        done.built = Some(Built {
            digest: digest.clone(),
            config_digest: None,
            metadata: Map::new(),
        });
        done.published = plan.images.iter().cloned().map(Published::new).collect();
        let image = PushedImage {
            digest,
            since: None,
            tag: Some(&plan.primary),
            commit: Ok(NEW.to_owned()),
            attester: None,
            release: Release::default(),
        };
        let deadline = Deadline::after(Duration::from_secs(15 * 60), pace);
        let failures =
            verify_and_move_tags(session, &registries, &image, deadline, &mut done.published);
        combine(failures.await)
    }
}

fn put_image(double: &Double, tag: &str, commit: &str, title: &str) -> String {
    let annotations = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
        ("org.opencontainers.image.title", title),
    ];
    double.put_image(NAME, tag, &annotations)
}

/// A push in the repository `acme/Widget`, and what these variables add.
pub(crate) fn session(variables: &[(&str, &str)]) -> Session {
    let common = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "push"),
        ("GITHUB_REPOSITORY", "acme/Widget"),
    ];
    let vars: Vec<_> = common.iter().chain(variables).copied().collect();
    let vars = Vars::of(&vars);
    let inputs = Inputs::from_vars(&vars, &[]).unwrap();
    let context = Context::from_vars(&vars).unwrap();
    let credentials = Credentials::new(&inputs, &vars, &context.server).unwrap();
    let trust = Trust::default();
    let token = inputs.github_token.clone();
    let github = GitHub::new(&context.api_url, token, trust.clone(), CONSOLE);
    let now = "2026-11-20T10:00:00Z".parse().unwrap();
    let plan = Plan::new(&inputs, &context, |_| true, now).unwrap();
    let mode = Mode::Publish;
    Session {
        mode,
        inputs,
        credentials: credentials.into(),
        context,
        trust,
        github,
        history: History::of(&vars),
        plan,
        vars,
        console: CONSOLE,
        now: chrono::DateTime::UNIX_EPOCH,
    }
}

impl Outcome {
    fn shows(&self, tag: &str, digest: &str) -> bool {
        self.tags.get(tag).map(String::as_str) == Some(digest)
    }

    /// Every tag shows ours.
    pub(crate) fn is_complete(&self) -> bool {
        let mut tags = FIXED.iter().chain(&FLOATING);
        tags.all(|tag| self.shows(tag, &self.new))
    }

    /// The tags that are reported are those that show ours.
    pub(crate) fn report_is_true(&self) -> bool {
        let mut published: Vec<&str> = FIXED.iter().chain(&FLOATING).copied().collect();
        published.retain(|tag| self.shows(tag, &self.new));
        published.sort_unstable();
        // When the preflight refuses, nothing of this run is there to report.
        self.reported == published || (self.reported.is_empty() && self.is_rolled_back())
    }

    /// Some tags stay for want of an answer, and show what they showed; every other tag shows ours.
    pub(crate) fn only_unanswered_stay(&self) -> bool {
        let stays = |tag: &&&str| self.unanswered.iter().any(|stays| stays == **tag);
        let (stay, move_on): (Vec<&&str>, Vec<&&str>) =
            FIXED.iter().chain(&FLOATING).partition(stays);
        let stay_old = stay.iter().all(|tag| self.shows(tag, &self.old));
        !stay.is_empty() && stay_old && move_on.iter().all(|tag| self.shows(tag, &self.new))
    }

    /// Each floating tag shows old or new, and `latest` the new one only when all others do, but for those
    /// that stay for want of an answer.
    pub(crate) fn is_atomic(&self) -> bool {
        let either = |tag: &str| self.shows(tag, &self.old) || self.shows(tag, &self.new);
        let latest_is_last =
            !self.shows("latest", &self.new) || self.is_complete() || self.only_unanswered_stay();
        FLOATING.iter().all(|tag| either(tag)) && latest_is_last
    }

    pub(crate) fn is_rolled_back(&self) -> bool {
        FLOATING.iter().all(|tag| self.shows(tag, &self.old))
    }
}
