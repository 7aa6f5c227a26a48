//! The usual actions from checkouts of theirs, run by node with the inputs, files and states that the runner gives them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checkout;
use crate::meter::Meter;
use crate::runner::Job;
use crate::world::{command, on_path};

const CLEANUP: &str = "ghcr-cleanup-action";

/// The directory `PEERS` holds a checkout of each under its own name.
pub(crate) struct Actions {
    pub(crate) node: PathBuf,
    pub(crate) login: Action,
    pub(crate) metadata: Action,
    pub(crate) setup_buildx: Action,
    pub(crate) build_push: Action,
    /// dataaxiom/ghcr-cleanup-action, if it is there.
    pub(crate) cleanup: Option<Action>,
}

pub(crate) struct Action {
    pub(crate) directory: PathBuf,
    /// The size of the archive that a runner downloads, in bytes.
    pub(crate) archive: u64,
    manifest: Manifest,
}

/// What an `action.yml` says
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax>).
#[derive(Deserialize)]
struct Manifest {
    inputs: BTreeMap<String, Input>,
    runs: Runs,
}

#[derive(Deserialize)]
struct Input {
    default: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    main: String,
    post: Option<String>,
}

impl Actions {
    pub(crate) fn read(directory: &Path) -> Self {
        let read = |name: &str| Action::read(directory.join(name));
        Self {
            node: on_path("node").expect("node is here, for the actions in `PEERS`"),
            login: read("login-action"),
            metadata: read("metadata-action"),
            setup_buildx: read("setup-buildx-action"),
            build_push: read("build-push-action"),
            cleanup: directory.join(CLEANUP).is_dir().then(|| read(CLEANUP)),
        }
    }

    /// Those that publish.
    pub(crate) fn each(&self) -> [&Action; 4] {
        [
            &self.login,
            &self.metadata,
            &self.setup_buildx,
            &self.build_push,
        ]
    }
}

impl Action {
    fn read(directory: PathBuf) -> Self {
        let path = directory.join("action.yml");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let manifest = serde_saphyr::from_str(&text).unwrap();
        Self {
            archive: checkout::archive_size(&directory),
            directory,
            manifest,
        }
    }

    /// The defaults of `action.yml`, but for what the job gives every step: the token.
    fn defaults(&self) -> impl Iterator<Item = (String, &str)> {
        let inputs = self.manifest.inputs.iter();
        inputs.filter_map(|(name, input)| {
            let value = input.default.as_deref()?;
            let is_template = value.contains("${{");
            (!is_template).then(|| (variable(name), value))
        })
    }
}

fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase())
}

/// How a step has to end.
pub(crate) enum End {
    Success,
    FailureThatSays(&'static str),
}

/// The steps of one job, and the post steps that are still to come.
pub(crate) struct Steps<'a> {
    actions: &'a Actions,
    job: Job,
    posts: Vec<(&'a Action, BTreeMap<String, String>)>,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(actions: &'a Actions, job: Job) -> Self {
        let posts = Vec::new();
        Self {
            actions,
            job,
            posts,
        }
    }

    /// Runs a step; what it said as outputs.
    pub(crate) fn run(
        &mut self,
        action: &'a Action,
        inputs: &[(&str, &str)],
        end: &End,
        meter: &mut Meter,
    ) -> BTreeMap<String, String> {
        let mut given: BTreeMap<String, String> = action
            .defaults()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        given.extend(
            inputs
                .iter()
                .map(|(name, value)| (variable(name), (*value).to_owned())),
        );
        let mut step = command(&self.actions.node);
        self.job.prepare(&mut step);
        step.envs(&given)
            .arg(action.directory.join(&action.manifest.runs.main));
        match end {
            End::Success => drop(meter.run(&mut step)),
            End::FailureThatSays(reason) => meter.fail(&mut step, reason),
        }
        let state = self.job.entries("STATE");
        given.extend(
            state
                .into_iter()
                .map(|(name, value)| (format!("STATE_{name}"), value)),
        );
        self.posts.push((action, given));
        let outputs = self.job.entries("OUTPUT");
        self.job.keep(self.job.entries("ENV"));
        outputs
    }

    /// What the last step wrote to its summary.
    pub(crate) fn summary(&self) -> String {
        self.job.summary()
    }

    /// The post steps, the last one first.
    pub(crate) fn end(mut self, meter: &mut Meter) {
        while let Some((action, variables)) = self.posts.pop() {
            let Some(post) = &action.manifest.runs.post else {
                continue;
            };
            let mut step = command(&self.actions.node);
            self.job.prepare(&mut step);
            meter.run(step.envs(variables).arg(action.directory.join(post)));
        }
    }
}
