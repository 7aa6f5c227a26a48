//! The usual actions publish: login, metadata, setup-buildx and build-push, and their post steps.

use std::collections::BTreeMap;

use crate::actions::{Actions, End, Steps};
use crate::meter::Meter;
use crate::runner::Job;

/// The engine's own builder, no record of the build as an artifact and no provenance: the least that they can be asked
/// for, and what the others do.
pub(crate) struct Usual<'a> {
    pub(crate) actions: &'a Actions,
    pub(crate) token: &'a str,
    /// Where annotations go.
    pub(crate) levels: &'a str,
    /// How the build has to end.
    pub(crate) end: End,
}

impl Usual<'_> {
    pub(crate) fn publish(&self, mut job: Job, inputs: &[(&str, String)], meter: &mut Meter) {
        let actions = self.actions;
        let given = |name: &str| inputs.iter().find(|(other, _)| *other == name);
        let given = |name| given(name).map_or("", |(_, value)| value.as_str());
        let levels = "DOCKER_METADATA_ANNOTATIONS_LEVELS".to_owned();
        job.keep(BTreeMap::from([(levels, self.levels.to_owned())]));
        let mut steps = Steps::new(actions, job);
        let credentials = [
            ("registry", given("registry")),
            ("username", "octocat"),
            ("password", self.token),
        ];
        steps.run(&actions.login, &credentials, &End::Success, meter);
        let names = ["images", "tags", "flavor"].map(|name| (name, given(name)));
        let metadata = steps.run(&actions.metadata, &names, &End::Success, meter);
        let engine = [("driver", "docker")];
        steps.run(&actions.setup_buildx, &engine, &End::Success, meter);
        let build = [
            ("context", "."),
            ("push", "true"),
            ("provenance", "false"),
            ("platforms", given("platforms")),
            ("tags", &metadata["tags"]),
            ("labels", &metadata["labels"]),
            ("annotations", &metadata["annotations"]),
        ];
        steps.run(&actions.build_push, &build, &self.end, meter);
        steps.end(meter);
    }
}
