//! `Session`: everything a run needs, known and decided before its first effect.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::console::Console;
use crate::context::Context;
use crate::context::asked::AskedEvent;
use crate::context::history::History;
use crate::credentials::{self, Credentials};
use crate::error::Problem;
use crate::github::GitHub;
use crate::inputs::{GitContext, Inputs, Mode};
use crate::plan::{Plan, names};
use crate::proxy;
use crate::registry::discover;
use crate::tls::Trust;
use crate::vars::Vars;

/// What every step of a run is given.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) mode: Mode,
    pub(crate) inputs: Inputs,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) context: Context,
    pub(crate) trust: Trust,
    pub(crate) github: GitHub,
    pub(crate) history: History,
    pub(crate) plan: Plan,
    pub(crate) vars: Vars,
    pub(crate) console: Console,
    /// When the run began.
    pub(crate) now: DateTime<Utc>,
}

impl Session {
    /// Reads environment, inputs and checkout, asks GitHub what the event does not say, and decides.
    ///
    /// `with` are the inputs of the command line, which win over those of the environment. `asked` is the event to plan
    /// for, if it is not the one that happened.
    pub(crate) async fn new(
        mode: Mode,
        with: &[(String, String)],
        asked: Option<&AskedEvent>,
        vars: &Vars,
        now: DateTime<Utc>,
        console: Console,
    ) -> anyhow::Result<Self> {
        let mut inputs = Inputs::from_vars(vars, with)?;
        inputs.secrets().for_each(|secret| console.mask(secret));
        let warnings = inputs.warnings.iter();
        warnings.for_each(|warning| console.warning(None, warning));
        inputs.mode = Some(mode);
        let now = vars.clock(now)?;
        let (vars, context) = match asked {
            Some(asked) => asked.context(vars)?,
            None => (vars.clone(), Context::from_vars(vars)?),
        };
        let vars = &vars;
        if let Some(text) = credentials::withhold_token(&mut inputs, &context.server, vars) {
            console.notice(&text);
        }
        let mut context = with_checkout(context, &inputs, vars, console)?;
        let mut trust = Trust::read(inputs.destination.ca_cert.as_ref(), vars.workspace())?;
        if mode != Mode::Plan {
            trust = trust.behind(proxy::proxies(vars)?);
        }
        let token = inputs.github_token.clone();
        let github = GitHub::new(&context.api_url, token, trust.clone(), console);
        if matches!(mode, Mode::Publish | Mode::Merge) {
            github.complete(&mut context).await;
        }
        if mode != Mode::Plan && names::needs_registry(&inputs, &context) {
            find_registry(&mut context, &trust, console).await?;
        }
        let credentials = Arc::new(Credentials::new(&inputs, vars, &context.server)?);
        let covers = |registry: &str| credentials.cover(registry);
        let time = inputs.staged.as_ref().map_or(now, |staged| staged.created);
        let plan = Plan::new(&inputs, &context, covers, time)?;
        if mode != Mode::Plan {
            plan.require_an_image()?;
        }
        let notices = plan.notices.iter();
        notices.for_each(|notice| console.notice(notice));
        Ok(Self {
            mode,
            inputs,
            credentials,
            context,
            trust,
            github,
            history: History::of(vars),
            plan,
            vars: vars.clone(),
            console,
            now,
        })
    }
}

impl Session {
    /// The same session with the plan of a run that began at `now`.
    pub(crate) fn planned_at(&self, now: DateTime<Utc>) -> Result<Self, Problem> {
        let covers = |registry: &str| self.credentials.cover(registry);
        let plan = Plan::new(&self.inputs, &self.context, covers, now)?;
        Ok(Self {
            plan,
            ..self.clone()
        })
    }
}

/// The context with what the checkout says of the files that are built.
fn with_checkout(
    mut context: Context,
    inputs: &Inputs,
    vars: &Vars,
    console: Console,
) -> anyhow::Result<Context> {
    let sources = inputs.sources(vars.workspace());
    let checkout: &Path = sources.as_deref().unwrap_or(vars.workspace());
    if inputs.git_context == GitContext::Git {
        context = context.of_checkout(checkout)?;
    } else if let Some(directory) = &sources
        && let Some(remark) = context.remark_on_checkout(directory, vars)
    {
        console.warning(None, &remark);
    }
    if let Some(directory) = &sources {
        let named = match inputs.git_context {
            GitContext::Git => checkout,
            GitContext::Workflow => vars.workspace(),
        };
        context = context.with_uncommitted(named, directory, vars);
    }
    if let Some(why) = &context.uncommitted {
        let revision = context.revision();
        console.warning(None, &format!("{why}: the image is labelled `revision={revision}` and gets no commit tag; commit the changes, or set `GITHUB_SHA` to name the commit"));
    }
    if inputs.build.reproducible {
        context = context.with_commit_time(checkout)?;
    }
    Ok(context)
}

/// Asks which host is the registry of the GitHub server.
pub(crate) async fn find_registry(
    context: &mut Context,
    trust: &Trust,
    console: Console,
) -> anyhow::Result<()> {
    let found = discover::first_of(&context.server.possible_registries(), trust, console).await?;
    let server = &context.server_url;
    console.say(&format!("the registry of {server} is {found}"));
    context.registry = Some(found);
    Ok(())
}
