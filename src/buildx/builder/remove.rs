//! The post step: removes the builder of a run that was stopped before it removed it.

use crate::buildx::builder::create::PREFIX;
use crate::buildx::builder::{Builder, CONTAINER_PREFIX, create};
use crate::buildx::docker_config::PrivateConfig;
use crate::console::Console;
use crate::context::server::Server;
use crate::credentials::Credentials;
use crate::docker;
use crate::docker::api::EngineApi;
use crate::inputs::Inputs;
use crate::inputs::builder::{BuilderInputs, Recipe};
use crate::private_directory::remove_leftovers;
use crate::vars::Vars;

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
    // engine does not answer, nothing is reported: no leftover is known.
    if let (Some(api), Some(step)) = (EngineApi::find(vars), create::step_prefix(vars)) {
        drop(api.remove(&format!("{CONTAINER_PREFIX}{step}")).await);
    }
}

/// The builder, recreated from the inputs: its record was lost with the container of the run.
fn builder(name: &str, vars: &Vars) -> anyhow::Result<Builder> {
    let inputs = Inputs::from_vars(vars, &[])?;
    let recipe = match &inputs.builder {
        BuilderInputs::Made(recipe) => recipe.outline(),
        BuilderInputs::Automatic | BuilderInputs::Named(_) => Recipe::container(),
    };
    let credentials = Credentials::new(&inputs, vars, &Server::Public)?;
    let config = PrivateConfig::write(vars, &credentials, &[])?;
    let buildx = docker::find_buildx(vars)?;
    Ok(Builder::left(buildx, name.to_owned(), recipe, config, vars))
}
