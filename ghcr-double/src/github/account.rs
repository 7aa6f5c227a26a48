//! `Account`, the holder of a token, and `Grant`, what a bearer token allows.

use std::time::Instant;

/// The level of a permission or scope of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// None: the token cannot even read what is private.
    None,
    /// For example `packages: read`, `read:packages`.
    Read,
    /// For example `packages: write`, `write:packages`.
    Write,
}

/// The kinds of token that GHCR treats differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The `GITHUB_TOKEN` of a run in this repository (`owner/name`).
    Workflow { repository: String },
    /// A classic personal access token.
    Classic,
    /// A fine-grained personal access token: GHCR does not accept it for packages.
    FineGrained,
    /// An installation token of another GitHub App: it can log in, but cannot write.
    App,
}

/// The holder of a token.
#[derive(Clone, Debug)]
pub struct Account {
    pub(crate) kind: TokenKind,
    /// The users and organizations it acts for.
    pub(crate) owners: Vec<String>,
    pub(crate) packages: Access,
    pub(crate) attestations: Access,
    pub(crate) pull_requests: Access,
    pub(crate) issues: Access,
    /// Whether a classic token has the scope `delete:packages`.
    pub(crate) deletes: bool,
}

impl Account {
    /// The `GITHUB_TOKEN` of a run in `owner/name`, with `packages: write` and `attestations: write`.
    #[must_use]
    pub fn workflow(repository: &str) -> Self {
        let owner = repository.split('/').next().unwrap_or_default();
        let repository = repository.to_owned();
        Self::new(TokenKind::Workflow { repository }, owner)
    }

    /// A classic personal access token of `login`, with `write:packages`.
    #[must_use]
    pub fn classic(login: &str) -> Self {
        Self::new(TokenKind::Classic, login)
    }

    /// A fine-grained personal access token of `login`.
    #[must_use]
    pub fn fine_grained(login: &str) -> Self {
        Self::new(TokenKind::FineGrained, login)
    }

    /// An installation token of another GitHub App that is installed for `owner`.
    #[must_use]
    pub fn app(owner: &str) -> Self {
        Self::new(TokenKind::App, owner)
    }

    fn new(kind: TokenKind, owner: &str) -> Self {
        Self {
            kind,
            owners: vec![owner.to_owned()],
            packages: Access::Write,
            attestations: Access::Write,
            pull_requests: Access::Read,
            issues: Access::Read,
            deletes: false,
        }
    }

    /// Adds a user or organization that it acts for (classic tokens).
    #[must_use]
    pub fn owner(mut self, owner: &str) -> Self {
        self.owners.push(owner.to_owned());
        self
    }

    /// Sets the level of its `packages` permission.
    #[must_use]
    pub fn packages(mut self, access: Access) -> Self {
        self.packages = access;
        self
    }

    /// Sets the level of its `attestations` permission.
    #[must_use]
    pub fn attestations(mut self, access: Access) -> Self {
        self.attestations = access;
        self
    }

    /// Sets the level of its `pull-requests` permission. Default: `Access::Read`.
    #[must_use]
    pub fn pull_requests(mut self, access: Access) -> Self {
        self.pull_requests = access;
        self
    }

    /// Sets the level of its `issues` permission. Default: `Access::Read`.
    #[must_use]
    pub fn issues(mut self, access: Access) -> Self {
        self.issues = access;
        self
    }

    /// Adds the scope `delete:packages` (classic tokens).
    #[must_use]
    pub fn delete_packages(mut self) -> Self {
        self.deletes = true;
        self
    }

    /// The name that the API shows for it as an author. The token of a workflow is of the app `github-actions`.
    pub(crate) fn login(&self) -> String {
        match self.kind {
            TokenKind::Workflow { .. } => "github-actions[bot]".to_owned(),
            TokenKind::App => "another-app[bot]".to_owned(),
            TokenKind::Classic | TokenKind::FineGrained => {
                self.owners.first().cloned().unwrap_or_default()
            }
        }
    }

    /// Whether its permissions are for this repository (`owner/name`): a workflow has some in its own only.
    pub(crate) fn reaches(&self, full_name: &str) -> bool {
        match &self.kind {
            TokenKind::Workflow { repository } => repository.eq_ignore_ascii_case(full_name),
            _ => self.acts_for(full_name.split('/').next().unwrap_or_default()),
        }
    }

    /// The refusal of the API for a missing permission.
    pub(crate) fn refusal(&self) -> &'static str {
        match self.kind {
            TokenKind::Workflow { .. } | TokenKind::App => "Resource not accessible by integration",
            TokenKind::Classic | TokenKind::FineGrained => {
                "Resource not accessible by personal access token"
            }
        }
    }

    pub(crate) fn acts_for(&self, owner: &str) -> bool {
        self.owners
            .iter()
            .any(|known| known.eq_ignore_ascii_case(owner))
    }
}

/// The actions that a registry request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// `repository:<name>:<actions>`
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) actions: Vec<String>,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        Some(Self {
            name: name.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }

    pub(crate) fn covers(&self, name: &str, action: Action) -> bool {
        let covers = |granted: &String| granted == action.as_str() || granted == "*";
        self.name == name && self.actions.iter().any(covers)
    }
}

/// What a bearer token allows.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) account: Option<Account>,
    /// `None` when the caller sent the GitHub token itself, which has no scopes.
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) until: Option<Instant>,
}

impl Grant {
    /// Everything that the account may do.
    pub(crate) fn unlimited(account: Option<Account>) -> Self {
        Self {
            account,
            scopes: None,
            until: None,
        }
    }

    pub(crate) fn covers(&self, name: &str, action: Action) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|scope| scope.covers(name, action)))
    }
}
