//! Our program as the runner starts it, without the container around it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::meter::Meter;
use crate::runner::Job;
use crate::world::command;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ghcr-publish");

/// The step and its post step.
pub(crate) fn publish(job: &Job, inputs: &[(&str, &str)], meter: &mut Meter) {
    meter.run(&mut step(job, inputs));
    let mut post = command(PROGRAM);
    job.prepare(&mut post);
    meter.run(post.arg0("/ghcr-publish-post"));
}

pub(crate) fn step(job: &Job, inputs: &[(&str, &str)]) -> Command {
    let mut step = command(PROGRAM);
    job.prepare(&mut step);
    step.env("GHCR_PUBLISH_IMAGE", "true");
    let inputs = inputs
        .iter()
        .map(|(name, value)| (format!("INPUT_{}", name.to_uppercase()), value));
    step.envs(inputs);
    step
}

/// Inputs as [`publish`] takes them.
pub(crate) fn borrowed<'a>(inputs: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    inputs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
