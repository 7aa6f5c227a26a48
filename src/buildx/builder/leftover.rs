//! What the post step does: it removes the builder of a run that could not do so itself.
//!
//! `GITHUB_STATE` hands the name over: what is appended to that file the post step finds as `STATE_<name>`
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#sending-values-to-the-pre-and-post-actions>).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use crate::buildx::builder::run_name::PREFIX;
use crate::buildx::builder::{Builder, CONTAINER_PREFIX, run_name};
use crate::buildx::docker_config::PrivateConfig;
use crate::console::Console;
use crate::context::server::Server;
use crate::credentials::Credentials;
use crate::docker::api::EngineApi;
use crate::docker::reach;
use crate::inputs::Inputs;
use crate::inputs::builder::{BuilderInputs, Recipe};
use crate::private_directory::remove_leftovers;
use crate::vars::Vars;

const STATE: &str = "builder";

/// Lets the post step know of a builder, or that there is none any more. A later line replaces an
/// earlier one.
pub(crate) fn remember(state_file: &Path, name: Option<&str>) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(state_file)?;
    writeln!(file, "{STATE}={}", name.unwrap_or_default())
}

/// Removes what the run left, if it left anything. Repeating it does no harm, and no failure of it fails
/// the job.
pub(crate) async fn remove_leftover(vars: &Vars, console: Console) {
    remove_leftovers(vars);
    let name = vars
        .get("STATE_builder")
        .filter(|name| name.starts_with(PREFIX));
    match name.map(|name| builder(name, vars)) {
        Some(Ok(builder)) => builder.remove(console).await,
        Some(Err(error)) => {
            let text = format!("could not remove the builder this run left: {error:#}");
            console.warning(None, &text);
        }
        None => {}
    }
    // A run that was killed may not have handed its state over, and act hands none to containers. When the
    // engine does not answer, there is nothing to say: nobody knows of anything left.
    if let (Some(api), Some(step)) = (EngineApi::find(vars), run_name::of_step(vars)) {
        drop(api.remove(&format!("{CONTAINER_PREFIX}{step}")).await);
    }
}

/// The builder as its record was: that one disappeared with the container of the run.
fn builder(name: &str, vars: &Vars) -> anyhow::Result<Builder> {
    let inputs = Inputs::from_vars(vars, &[])?;
    let recipe = match &inputs.builder {
        BuilderInputs::Made(recipe) => recipe.outline(),
        BuilderInputs::Automatic | BuilderInputs::Named(_) => Recipe::container(),
    };
    let credentials = Credentials::new(&inputs, vars, &Server::Public)?;
    let config = PrivateConfig::write(vars, &credentials, &[])?;
    let buildx = reach::buildx(vars)?;
    Ok(Builder::left(buildx, name.to_owned(), recipe, config, vars))
}
