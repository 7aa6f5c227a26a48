//! The part of an image that this job builds, and how the jobs of a run find each other's parts.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::destination::MoveTags;
use crate::inputs::part::Choice;
use crate::inputs::results::is_files;
use crate::inputs::{Inputs, Mode};
use crate::plan::docker;
use crate::plan::tags::PlannedTag;

/// One image that several jobs of a run build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartPlan {
    /// The platforms of the image, in the order of its index.
    pub(crate) platforms: Vec<String>,
    /// Those that this job builds; none in a job that only merges.
    pub(crate) own: Vec<String>,
    pub(crate) run: String,
    pub(crate) attempt: u32,
    pub(crate) commit: String,
    /// The digits of each input that tells one image of a run from another.
    pub(crate) rules: BTreeMap<String, String>,
    /// The digits of the planned tags.
    pub(crate) tags: String,
    /// Whether two runs of one commit make the same image.
    is_reproducible: bool,
}

/// What the tags of the records of all runs begin with.
pub(crate) const RECORD_PREFIX: &str = "part-";
/// The `artifactType` of a record.
pub(crate) const RECORD_TYPE: &str = "application/vnd.ghcr-publish.part.v1+json";
/// The annotation with the record as JSON.
pub(crate) const RECORD_ANNOTATION: &str = "vnd.ghcr-publish.part.v1";
/// Hex digits of a digest that tell a few texts apart.
const DIGITS: usize = 12;

impl PartPlan {
    /// The tag of the record of one platform. It is the same in every attempt of the run.
    pub(crate) fn record_tag(&self, platform: &str) -> Tag {
        let rules: String = self.rules.values().map(String::as_str).collect();
        let key = digits(&rules);
        let text = format!("{}{key}-{}", self.prefix(), platform.replace('/', "-"));
        Tag::sanitized(&text).expect("it starts with a letter, so something valid is left")
    }

    /// What the tags of all records of the run begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("{RECORD_PREFIX}{}-", self.run)
    }

    /// The annotation by which a later attempt or job recognizes the image of this run. A reproducible image has none:
    /// every run of the commit makes the same.
    pub(crate) fn run_annotation(&self) -> Option<(String, String)> {
        let annotation = ("vnd.ghcr-publish.run".to_owned(), self.run.clone());
        (!self.is_reproducible).then_some(annotation)
    }

    /// The names of the inputs in which the image of `rules` differs from this one.
    pub(crate) fn differing(&self, rules: &BTreeMap<String, String>) -> Vec<&str> {
        let own = self.rules.iter();
        let differing = own.filter(|(name, digits)| rules.get(*name) != Some(digits));
        differing.map(|(name, _)| name.as_str()).collect()
    }
}

/// None if one job builds the whole image. Refuses what cannot be put together from parts.
pub(super) fn part(
    inputs: &Inputs,
    context: &Context,
    images: &[ImageName],
) -> Result<Option<PartPlan>, Problem> {
    let is_merge = inputs.mode == Some(Mode::Merge);
    let choice = inputs.part.choice.as_ref().filter(|_| !is_merge);
    if choice.is_none() && !is_merge {
        return Ok(None);
    }
    let what = match is_merge {
        true => "`mode: merge`",
        false => "the input `part`",
    };
    let platforms = &inputs.build.parameters.platforms;
    refuse(what, inputs, context, images)?;
    let own = choice.map_or(Ok(Vec::new()), |choice| own(choice, platforms))?;
    let run = context.run.as_ref().ok_or_else(|| {
        let fix = "remove it, or set `GITHUB_RUN_ID` to the same number for all parts";
        Problem::new(format!("{what} needs the number of the run"), fix)
            .because("the jobs of a run find each other's parts by it")
    })?;
    let names: Vec<String> = images.iter().map(ToString::to_string).collect();
    let git_ref = format!("{:?}", context.git_ref);
    let rules = inputs.part.rules.iter();
    let rules = rules.map(|(name, text)| (*name, text.clone()));
    let facts = [("images", names.join("\n")), ("git ref", git_ref)];
    Ok(Some(PartPlan {
        platforms: platforms.clone(),
        own,
        run: run.id.clone(),
        attempt: run.attempt.parse().unwrap_or(1),
        commit: context.revision(),
        rules: rules
            .chain(facts)
            .map(|(name, text)| (name.to_owned(), digits(&text)))
            .collect(),
        tags: String::new(),
        is_reproducible: inputs.build.reproducible,
    }))
}

/// What the jobs must agree on besides: which tags they plan.
pub(super) fn tags(planned: &[PlannedTag]) -> String {
    let tags = planned.iter().map(|planned| planned.tag.as_str());
    digits(&tags.collect::<Vec<_>>().join("\n"))
}

fn digits(text: &str) -> String {
    let mut digits = Digest::of(text.as_bytes()).hex().to_owned();
    digits.truncate(DIGITS);
    digits
}

fn own(choice: &Choice, platforms: &[String]) -> Result<Vec<String>, Problem> {
    let listed = platforms.join(", ");
    if let Choice::These(these) = choice
        && let Some(other) = these.iter().find(|one| !platforms.contains(one))
    {
        return Err(Problem::new(
            format!("the input `part` names `{other}`, which `platforms` does not"),
            "list every platform of the image in `platforms`, the same in every job",
        )
        .because(format!("`platforms` is {listed}")));
    }
    let own = choice.among(platforms);
    if own.is_empty() {
        let host = crate::image::platform::of_host();
        return Err(Problem::new(
            "the input `part` is `native`, and no platform of the image is native to this runner",
            "run the job on another runner, or list the platforms that it builds: `part: linux/arm64`",
        )
        .because(format!("the runner is {host}, and `platforms` is {listed}")));
    }
    Ok(own)
}

fn refuse(
    what: &str,
    inputs: &Inputs,
    context: &Context,
    images: &[ImageName],
) -> Result<(), Problem> {
    let build = &inputs.build;
    let both = |other: &str, fix: &str, because: &str| {
        Err(Problem::new(format!("{what} and {other} exclude each other"), fix).because(because))
    };
    if build.parameters.platforms.is_empty() {
        return Err(Problem::new(
            format!("{what} needs the input `platforms`"),
            "list every platform of the image, the same in every job: `platforms: linux/amd64,linux/arm64`",
        ));
    }
    if inputs.candidate.is_some() {
        let because = "a part is built, and `candidate` names an image that exists";
        return both("the input `candidate`", "remove one of them", because);
    }
    if inputs.destination.move_tags == MoveTags::AfterJob {
        let because = "the status of one job says nothing of the jobs that build the other parts";
        let fix = "set `move-tags: never`, and write the tags in a job that needs all of them";
        return both("`move-tags: after-job`", fix, because);
    }
    if build.parameters.call.is_some() {
        return both(
            "the input `call`",
            "remove one of them",
            "`call` builds nothing",
        );
    }
    if build.load || build.outputs.iter().any(is_files) {
        let fix = "load or export the image in a step of its own, without `part`";
        return both(
            "`load` or `outputs` for files",
            fix,
            "a part is pushed by its digest only",
        );
    }
    if let Some(name) = images.iter().find(|name| docker::is_older(name, context)) {
        let other = format!("`{name}`, in the older Docker registry,");
        let because = "that registry has no images for several platforms";
        return both(&other, "publish to the Container registry", because);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::vars::Vars;

    fn plan(variables: &[(&str, &str)]) -> Result<Plan, Problem> {
        let run = [
            ("GITHUB_REPOSITORY", "acme/app"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", "3"),
            ("INPUT_PLATFORMS", "linux/amd64,linux/arm64,linux/arm/v7"),
            ("INPUT_PART", "linux/arm64"),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let context = Context::from_vars(&vars).unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        Plan::new(&inputs, &context, |_| true, chrono::DateTime::UNIX_EPOCH)
    }

    fn part(variables: &[(&str, &str)]) -> PartPlan {
        plan(variables).unwrap().part.unwrap()
    }

    #[test]
    fn a_job_builds_its_part_only() {
        let plan = plan(&[("INPUT_CACHE", "gha")]).unwrap();
        assert_eq!(plan.build.parameters.platforms, ["linux/arm64"]);
        let part = plan.part.unwrap();
        assert_eq!((part.platforms.len(), part.attempt), (3, 3));
        let scope = plan.build.cache_to[0].get("scope").unwrap();
        assert!(scope.ends_with("linux-arm64"), "{scope}");
    }

    #[test]
    fn jobs_of_one_image_find_each_other_and_no_other_image() {
        let own = part(&[]);
        let tag = |part: &PartPlan| part.record_tag("linux/arm/v7").to_string();
        assert!(tag(&own).starts_with("part-42-"), "{}", tag(&own));
        assert!(tag(&own).ends_with("-linux-arm-v7"), "{}", tag(&own));
        for same in [
            ("INPUT_PART", "linux/amd64"),
            ("GITHUB_RUN_ATTEMPT", "4"),
            ("INPUT_PUSH", "false"),
            ("INPUT_TAGS", "\n"),
        ] {
            assert_eq!(tag(&part(&[same])), tag(&own), "{same:?}");
        }
        for (variable, value, name) in [
            ("INPUT_TAGS", "edge", "tags"),
            ("INPUT_FLAVOR", "latest=false", "flavor"),
            ("INPUT_PLATFORMS", "linux/amd64,linux/arm64", "platforms"),
            ("INPUT_TARGET", "test", "target"),
            ("INPUT_FILE", "other.Dockerfile", "file"),
            ("INPUT_CONTEXT", "web", "context"),
            ("INPUT_IMAGES", "ghcr.io/acme/web", "images"),
            ("GITHUB_REF", "refs/heads/dev", "git ref"),
        ] {
            let other = part(&[(variable, value)]);
            assert_ne!(tag(&other), tag(&own), "{variable}");
            assert_eq!(own.differing(&other.rules), [name]);
        }
    }

    #[test]
    fn what_has_no_parts_is_refused() {
        let check = |variables: &[(&str, &str)], what: &str| {
            let text = plan(variables).unwrap_err().to_string();
            assert!(text.contains(what), "{text}");
        };
        check(&[("INPUT_PLATFORMS", "")], "needs the input `platforms`");
        check(&[("INPUT_PART", "linux/s390x")], "names `linux/s390x`");
        check(&[("GITHUB_RUN_ID", "")], "number of the run");
        check(&[("INPUT_CANDIDATE", "sha")], "`candidate`");
        check(&[("INPUT_CALL", "check")], "`call`");
        check(&[("INPUT_OUTPUTS", "type=local,dest=out")], "`outputs`");
        let foreign = [("INPUT_PART", "native"), ("INPUT_PLATFORMS", "linux/s390x")];
        check(&foreign, "no platform of the image is native");
    }
}
