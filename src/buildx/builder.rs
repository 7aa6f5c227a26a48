//! The builder of a run: found or created, booted, and removed if it was created.

pub(crate) mod choose;
mod config;
pub(crate) mod create;
mod emulation;
pub(crate) mod failure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::buildx::builder::choose::{BuilderChoice, Chosen, Needs};
use crate::buildx::builder::create::{Creation, CreationState};
use crate::buildx::builder::emulation::Inspection;
use crate::buildx::command::environment;
use crate::buildx::docker_config::PrivateConfig;
use crate::child;
use crate::console::Console;
use crate::credentials::Credentials;
use crate::docker::api::{EngineApi, ImageStore, Info};
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::inputs::builder::{Driver, Recipe};
use crate::plan::Plan;
use crate::tls::Trust;
use crate::vars::Vars;

/// The builder and how it is reached.
#[derive(Debug)]
pub(crate) struct Builder {
    /// The value of `--builder`; without it buildx uses the current one.
    name: Option<String>,
    creation: Option<Creation>,
    buildx: PathBuf,
    config: PrivateConfig,
    environment: Vec<(String, String)>,
    workspace: PathBuf,
    api: Option<EngineApi>,
    /// What the engine said about itself, if it was asked.
    engine: Option<Info>,
    /// What the builder said about itself, if it existed before the run and was asked.
    inspection: Option<Inspection>,
}

/// The prefix of the containers and volumes of a builder.
const CONTAINER_PREFIX: &str = "buildx_buildkit_";

/// Booting may pull an image, or wait for a cluster.
const BOOT: Duration = Duration::from_secs(300);
const ANSWER: Duration = Duration::from_secs(60);
const LOG_LINES: u32 = 50;

impl Builder {
    /// Chooses the builder; nothing is created yet.
    pub(crate) async fn choose(
        buildx: &Path,
        plan: &Plan,
        vars: &Vars,
        credentials: &Credentials,
        trust: &Trust,
    ) -> anyhow::Result<Self> {
        let registries: Vec<&str> = plan.images.iter().map(ImageName::registry).collect();
        let config = PrivateConfig::write(vars, credentials, &registries)?;
        let api = EngineApi::find(vars);
        let chosen = chosen(vars, config.buildx_directory(vars));
        let needs = Needs::of(&plan.build, trust);
        let matters = needs.depend_on_store() && chosen == Chosen::ByNobody;
        let engine = match &api {
            Some(api) if matters => api.info().await.ok(),
            _ => None,
        };
        let store = engine.as_ref().map_or(ImageStore::Unknown, Info::store);
        let (name, creation) = match choose::choose(&plan.builder, chosen, store, &needs) {
            BuilderChoice::Current => (None, None),
            BuilderChoice::Named(name) => (Some(name), None),
            BuilderChoice::Made { recipe, reason } => {
                let recipe =
                    config::trusting(recipe, trust, &registries, &config, vars.workspace())?;
                let state = CreationState::NotCreated;
                let creation = Creation::new(recipe, reason, state, vars);
                (Some(create::new_name(vars)), Some(creation))
            }
        };
        Ok(Self {
            engine,
            ..Self::new(buildx.to_owned(), name, creation, config, vars)
        })
    }

    /// The builder, and what is known of the engine: name and value of each line.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let builder = match (&self.name, &self.creation) {
            (Some(name), Some(creation)) => format!("{name} ({})", creation.recipe.driver.as_str()),
            (Some(name), None) => name.clone(),
            (None, _) => "the default of buildx".to_owned(),
        };
        let engine = self.engine.iter();
        let engine = engine.flat_map(|engine| {
            let store = match engine.store() {
                ImageStore::Containerd => "containerd",
                ImageStore::Graph => "graph driver",
                ImageStore::Unknown => "unknown",
            };
            let version = ("engine", engine.server_version.clone());
            [version, ("store", store.to_owned())]
        });
        engine.chain([("builder", builder)]).collect()
    }

    /// A builder that a stopped run left behind.
    fn left(
        buildx: PathBuf,
        name: String,
        recipe: Recipe,
        config: PrivateConfig,
        vars: &Vars,
    ) -> Self {
        let creation = Creation::new(recipe, None, CreationState::LeftBehind, vars);
        Self::new(buildx, Some(name), Some(creation), config, vars)
    }

    fn new(
        buildx: PathBuf,
        name: Option<String>,
        creation: Option<Creation>,
        config: PrivateConfig,
        vars: &Vars,
    ) -> Self {
        let directory = match &creation {
            Some(_) => &config.own_buildx_directory(),
            None => config.buildx_directory(vars),
        };
        let environment = environment::common_environment(vars, config.directory(), directory);
        Self {
            name,
            creation,
            buildx,
            environment,
            config,
            workspace: vars.workspace().to_owned(),
            api: EngineApi::find(vars),
            engine: None,
            inspection: None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether an image can be pushed without a tag. The engine's builder cannot: it always names what
    /// it pushes. An existing builder may be of the same kind.
    pub(crate) fn can_push_by_digest(&self) -> bool {
        self.creation.is_some()
    }

    /// Whether `ca-cert` applies to it: an existing BuildKit has its own configuration.
    pub(crate) fn can_trust_ca_cert(&self) -> bool {
        let creation = self.creation.as_ref();
        creation.is_some_and(|creation| creation.recipe.driver != Driver::Remote)
    }

    /// The directory with the record of the created builder.
    pub(crate) fn buildx_directory(&self) -> Option<PathBuf> {
        let made = self.creation.as_ref();
        made.map(|_| self.config.own_buildx_directory())
    }

    /// Asks a builder that exists what it can run, unless that is known; changes nothing.
    pub(crate) async fn inspect(&mut self, platforms: &[String]) -> anyhow::Result<()> {
        let is_new = self.creation.is_some();
        if is_new || platforms.is_empty() || self.is_native(platforms).await {
            return Ok(());
        }
        let said = self.ask(&create::inspect(self.name()), ANSWER).await;
        self.inspection = Some(Inspection::parse(&said.with_context(|| self.unknown())?));
        Ok(())
    }

    /// Creates it if necessary, and installs emulation for `platforms`. One that exists was inspected before.
    pub(crate) async fn boot(
        &mut self,
        platforms: &[String],
        console: Console,
    ) -> anyhow::Result<()> {
        let inspection = if self.creation.is_some() {
            match self.make(console).await {
                Ok(inspection) => inspection,
                Err(error) if error.downcast_ref::<Problem>().is_some() => return Err(error),
                Err(error) => {
                    let is_log_shown = self.show_log(console).await;
                    return Err(error.context(self.not_created(is_log_shown)));
                }
            }
        } else if let Some(inspection) = self.inspection.take() {
            inspection
        } else {
            return Ok(());
        };
        self.emulate(&inspection, platforms, console).await;
        Ok(())
    }

    async fn make(&mut self, console: Console) -> anyhow::Result<Inspection> {
        let (Some(name), Some(creation)) = (self.name.clone(), &mut self.creation) else {
            return Ok(Inspection::default());
        };
        let driver = creation.recipe.driver.as_str();
        let why = creation.reason.as_ref();
        let why = why.map(|reason| format!(", because {reason}"));
        console.say(&format!(
            "creating the builder {name} ({driver}){}",
            why.unwrap_or_default()
        ));
        creation.remember(&name)?;
        creation.state = CreationState::Recorded;
        let recipe = creation.recipe.clone();
        config::write(&recipe, self.config.directory(), &self.workspace)?;
        for arguments in create::create(&recipe, &name, self.config.directory()) {
            self.ask(&arguments, ANSWER).await?;
        }
        let booted = self.ask(&create::boot(&name), BOOT).await;
        Ok(Inspection::parse(&booted?))
    }

    /// Whether the engine builds, and for its own platform only.
    async fn is_native(&self, platforms: &[String]) -> bool {
        let (None, Some(api), [_]) = (&self.name, &self.api, platforms) else {
            return false;
        };
        let Ok(info) = api.info().await else {
            return false;
        };
        emulation::foreign(platforms, &[emulation::native(&info.architecture)]).is_empty()
    }

    /// Installs emulation for what the builder cannot run. An image that runs nothing needs none, so a
    /// failure is only a warning.
    async fn emulate(&self, inspection: &Inspection, platforms: &[String], console: Console) {
        let foreign = emulation::foreign(platforms, &inspection.platforms);
        // For a builder that lists no platform it is unknown what it can run.
        if foreign.is_empty() || inspection.platforms.is_empty() {
            return;
        }
        let list = foreign.join(", ");
        let on_engine = matches!(inspection.driver.as_str(), "docker" | "docker-container");
        let installed = match (&self.api, emulation::installer(&foreign)) {
            (Some(api), Some(task)) if on_engine => {
                console.say(&format!("installing emulation for {list}"));
                api.run_privileged(&task).await
            }
            _ => Err(anyhow::anyhow!("none can be installed on this builder")),
        };
        if let Err(error) = installed {
            console.warning(
                None,
                &format!("no emulation for {list}, so instructions that run programs may fail there: {error:#}"),
            );
        }
    }

    /// Shows the last lines of the builder's own log, where the engine keeps it; whether there were any.
    pub(crate) async fn show_log(&self, console: Console) -> bool {
        let (Some(name), Some(api)) = (&self.name, &self.api) else {
            return false;
        };
        let mut is_shown = false;
        let console = console.despite_quiet();
        let prefix = format!("{CONTAINER_PREFIX}{name}");
        for container in api.containers(&prefix).await.unwrap_or_default() {
            let Ok(log) = api.last_lines(&container, LOG_LINES).await else {
                continue;
            };
            console.open_group(&format!("the last {LOG_LINES} log lines of {container}"));
            console.say(&String::from_utf8_lossy(&log));
            console.close_group();
            is_shown |= !log.is_empty();
        }
        is_shown
    }

    /// Removes it if it was created for this run.
    pub(crate) async fn remove(mut self, console: Console) {
        let (Some(name), Some(creation)) = (self.name.clone(), self.creation.take()) else {
            return;
        };
        match self.unmake(&name, &creation).await {
            Ok(()) => creation.forget(),
            Err(error) => console.warning(
                None,
                &format!("could not remove the builder `{name}`: {error:#}"),
            ),
        }
    }

    async fn unmake(&self, name: &str, creation: &Creation) -> anyhow::Result<()> {
        // A remote BuildKit existed before the run, and is not removed.
        if creation.state == CreationState::NotCreated || creation.recipe.driver == Driver::Remote {
            return Ok(());
        }
        if creation.state == CreationState::LeftBehind {
            for arguments in create::create(&creation.recipe, name, self.config.directory()) {
                self.ask(&arguments, ANSWER).await?;
            }
        }
        let removed = self.ask(&create::remove(name), ANSWER).await;
        match &self.api {
            // buildx leaves the volume when the container is gone, and it may not know the builder yet.
            Some(api) if creation.recipe.uses_engine() => {
                api.remove(&format!("{CONTAINER_PREFIX}{name}")).await
            }
            _ => removed.map(drop),
        }
    }

    /// What buildx prints, or why it failed.
    async fn ask(&self, arguments: &[String], limit: Duration) -> anyhow::Result<String> {
        let environment = self.environment.iter().cloned();
        let mut command = child::command(&self.buildx, arguments, environment, &self.workspace);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let question = || format!("buildx {}", arguments[0]);
        let output = timeout(limit, command.output())
            .await
            .with_context(|| format!("`{}` takes longer than {limit:?}", question()))?
            .with_context(|| format!("could not start `{}`", self.buildx.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut lines = said.lines().map(|line| line.trim_start_matches("ERROR: "));
        let last = lines.rfind(|line| !line.trim().is_empty());
        anyhow::bail!("`{}` says: {}", question(), last.unwrap_or("nothing"))
    }
}

/// Whether somebody selected a builder for buildx, which writes it to the file `current`.
fn chosen(vars: &Vars, buildx_directory: &Path) -> Chosen {
    let current = fs::read(buildx_directory.join("current")).unwrap_or_default();
    let current: serde_json::Value = serde_json::from_slice(&current).unwrap_or_default();
    let selected = current["Name"]
        .as_str()
        .is_some_and(|name| !name.is_empty());
    if selected || vars.get("BUILDX_BUILDER").is_some() {
        Chosen::ByPerson
    } else {
        Chosen::ByNobody
    }
}
