//! The event of `plan --event NAME --ref REF`: the facts of an event that did not start this run.
//!
//! Events and their refs: <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows>.

mod refs;

use crate::context::checkout::{self, Checkout};
use crate::context::event::{Event, PullRequest, RepositoryFacts, WorkflowRun};
use crate::context::{Context, GitRef};
use crate::error::Problem;
use crate::vars::Vars;

use self::refs::{Refs, not_full};

/// What the command line asks about; at least one of the two.
#[derive(Clone, Debug)]
pub struct AskedEvent {
    /// For example `pull_request`. Default: the event that fits the ref.
    pub name: Option<String>,
    /// A full git ref, for example `refs/tags/v1.2.3`. Default: the ref of the checkout.
    pub git_ref: Option<String>,
}

/// The event that a plan is for, and what is not known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assumed {
    pub(crate) event: String,
    pub(crate) git_ref: String,
    /// Each names a fact, and what is used instead of it.
    pub(crate) unknown: Vec<String>,
}

impl AskedEvent {
    /// The environment and the context of the event.
    ///
    /// Outside Actions, variables of the runner that a person sets are facts about this event. In Actions, they are about
    /// the event that started the run: what holds for the repository is used, the rest is unknown.
    ///
    /// # Errors
    ///
    /// If there is no such event, it cannot have the ref, or the ref is not known.
    pub(crate) fn context(&self, vars: &Vars) -> anyhow::Result<(Vars, Context)> {
        let repository = checkout::open(vars.workspace())?;
        let here = repository.as_ref().map(Checkout::read);
        let current = vars.get("GITHUB_REF").map(str::to_owned);
        let current = current.or_else(|| here.as_ref()?.full_ref.clone());
        let (name, git_ref) = self.name_and_ref(current)?;
        let mut facts = Facts {
            name,
            git_ref,
            vars,
            here: here.unwrap_or_default(),
            unknown: Vec::new(),
        };
        facts.find_commit(repository.as_ref());
        let event = facts.event(repository.as_ref())?;
        let vars = facts.variables();
        let mut context = Context::of(&vars, event)?;
        context.assumed = Some(Assumed {
            event: facts.name,
            git_ref: facts.git_ref,
            unknown: facts.unknown,
        });
        Ok((vars, context))
    }

    /// The name of the event, and a ref that it can have.
    fn name_and_ref(&self, current: Option<String>) -> Result<(String, String), Problem> {
        let named = self.name.as_deref().map(Refs::of_event).transpose()?;
        let fits = |git_ref: &String| {
            let refs = Refs::of(git_ref);
            refs.is_some_and(|refs| named.is_none_or(|named| named.include(refs)))
        };
        let (git_ref, is_asked) = match (&self.git_ref, current.filter(fits)) {
            (Some(git_ref), _) => (git_ref.clone(), true),
            (None, Some(current)) => (current, false),
            (None, None) => (String::new(), false),
        };
        let name = self.name.clone().unwrap_or_else(|| {
            let refs = Refs::of(&git_ref).unwrap_or(Refs::Branch);
            refs.usual_event().to_owned()
        });
        match named {
            _ if is_asked && Refs::of(&git_ref).is_none() => Err(not_full(&git_ref)),
            Some(named) if is_asked && !fits(&git_ref) => Err(Problem::new(
                format!("the event `{name}` does not run on `{git_ref}`"),
                format!("write a ref of this event, for example {}", named.example()),
            )),
            Some(named) if git_ref.is_empty() => Err(Problem::new(
                format!("the git ref of the event `{name}` is unknown"),
                format!("add a ref, for example {}", named.example()),
            )),
            _ => Ok((name, git_ref)),
        }
    }
}

/// What is known of the event.
struct Facts<'a> {
    name: String,
    git_ref: String,
    vars: &'a Vars,
    /// The checkout, at the commit of the event.
    here: Checkout,
    unknown: Vec<String>,
}

impl Facts<'_> {
    /// A variable of the runner that is about this event.
    fn given(&self, name: &str) -> Option<String> {
        let value = self.vars.get(name).filter(|_| !self.vars.in_actions());
        value.map(str::to_owned)
    }

    fn refs(&self) -> Refs {
        Refs::of(&self.git_ref).unwrap_or(Refs::Branch)
    }

    /// The commit: the one that is given, else the one that the checkout has under the ref, else the one of HEAD.
    fn find_commit(&mut self, repository: Option<&gix::Repository>) {
        if let Some(commit) = self.given("GITHUB_SHA") {
            let is_head = self.here.commit.as_ref() == Some(&commit);
            self.here.commit_time = self.here.commit_time.filter(|_| is_head);
            self.here.commit = Some(commit);
            return;
        }
        if let Some((commit, time)) = repository.and_then(|r| checkout::commit_of(r, &self.git_ref))
        {
            self.here.commit = Some(commit);
            self.here.commit_time = time;
            return;
        }
        if self.here.commit.is_none() {
            self.here.commit = self.vars.get("GITHUB_SHA").map(str::to_owned);
        }
        self.unknown.push(format!(
            "the commit: this checkout does not have `{}`, so the commit of HEAD is used",
            self.git_ref
        ));
    }

    fn event(&mut self, repository: Option<&gix::Repository>) -> anyhow::Result<Event> {
        let path = self.vars.path("GITHUB_EVENT_PATH");
        let payload = Event::read(path)?;
        if path.is_some() && !self.vars.in_actions() {
            return Ok(payload);
        }
        let known = payload.repository;
        let default = || repository.and_then(checkout::default_branch);
        let facts = known.or_else(|| {
            Some(RepositoryFacts {
                default_branch: Some(default()?),
                ..RepositoryFacts::default()
            })
        });
        if facts
            .as_ref()
            .and_then(|facts| facts.default_branch.as_ref())
            .is_none()
        {
            let text = "the default branch: `{{is_default_branch}}` is `false`";
            self.unknown.push(text.to_owned());
        }
        if facts.as_ref().is_none_or(|facts| facts.name.is_empty()) {
            let text = "description and licence of the repository: labels go without them";
            self.unknown.push(text.to_owned());
        }
        let mut event = Event {
            repository: facts,
            head_commit_time: self.here.commit_time.map(|time| time.to_rfc3339()),
            ..Event::default()
        };
        self.add_head(&mut event);
        Ok(event)
    }

    /// Whose code it is: that of this repository.
    fn add_head(&mut self, event: &mut Event) {
        let repository = self.vars.get("GITHUB_REPOSITORY").map(str::to_owned);
        let repository = repository.or_else(|| self.here.repository.clone());
        match self.refs() {
            Refs::PullRequest => self.add_pull_request(event, repository.clone()),
            Refs::MergeQueue => event.merge_group_head_ref = Some(self.git_ref.clone()),
            Refs::Tag => self
                .unknown
                .push("the branch of the git tag: `{{base_ref}}` is empty".to_owned()),
            Refs::Branch | Refs::BranchOrTag => {}
        }
        if self.name == "workflow_run" {
            let text = "the workflow run: it is one of this repository, for this commit";
            self.unknown.push(text.to_owned());
            event.workflow_run = WorkflowRun {
                head_repository: repository,
                head_sha: self.here.commit.clone(),
            };
        } else if self.name == "issue_comment" {
            let text = "the comment: it is on an issue, not on a pull request";
            self.unknown.push(text.to_owned());
        }
    }

    fn add_pull_request(&mut self, event: &mut Event, repository: Option<String>) {
        if let GitRef::PullRequest(number) = GitRef::parse(&self.git_ref) {
            event.number = Some(number);
        }
        let [head, base] = ["GITHUB_HEAD_REF", "GITHUB_BASE_REF"].map(|name| self.given(name));
        if head.is_none() {
            let text = "the head branch: `{{branch}}` is empty (`GITHUB_HEAD_REF` names it)";
            self.unknown.push(text.to_owned());
        }
        if base.is_none() {
            let text = "the base branch: `{{base_ref}}` is empty (`GITHUB_BASE_REF` names it)";
            self.unknown.push(text.to_owned());
        }
        let text = "the head repository: the pull request is not from a fork";
        self.unknown.push(text.to_owned());
        event.pull_request = Some(PullRequest {
            head_ref: head,
            head_sha: None,
            head_repository: repository,
            base_ref: base,
        });
    }

    /// The environment, as the runner would set it for the event.
    fn variables(&self) -> Vars {
        let is_tag = self.refs() == Refs::Tag;
        let names = ["refs/heads/", "refs/tags/", "refs/pull/"].iter();
        let mut names = names.filter_map(|start| self.git_ref.strip_prefix(start));
        let of_pull = |name| {
            self.given(name)
                .filter(|_| self.refs() == Refs::PullRequest)
        };
        self.vars.with([
            ("GITHUB_EVENT_NAME", Some(self.name.clone())),
            ("GITHUB_REF", Some(self.git_ref.clone())),
            ("GITHUB_REF_NAME", names.next().map(str::to_owned)),
            (
                "GITHUB_REF_TYPE",
                Some(if is_tag { "tag" } else { "branch" }.to_owned()),
            ),
            ("GITHUB_HEAD_REF", of_pull("GITHUB_HEAD_REF")),
            ("GITHUB_BASE_REF", of_pull("GITHUB_BASE_REF")),
            ("GITHUB_SHA", self.here.commit.clone()),
        ])
    }
}
