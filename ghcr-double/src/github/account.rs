//! `Account`: who holds a token and what that token may do.

use std::time::Instant;

/// How far the `packages` permission or scope of a token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing: private packages cannot even be read.
    None,
    /// `packages: read`, `read:packages`.
    Read,
    /// `packages: write`, `write:packages`.
    Write,
}

/// The kinds of token that GHCR treats differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GITHUB_TOKEN` of a run in this repository (`owner/name`).
    Workflow { repository: String },
    /// A classic personal access token.
    Classic,
    /// A fine-grained personal access token: GHCR does not accept it for packages.
    FineGrained,
    /// An installation token of some other GitHub App: may log in, may not write.
    App,
}

/// The holder of a token.
#[derive(Clone, Debug)]
pub struct Account {
    pub(crate) kind: Kind,
    /// Users and organisations it acts for.
    pub(crate) owners: Vec<String>,
    pub(crate) packages: Access,
}

impl Account {
    /// The `GITHUB_TOKEN` of a run in `owner/name`, with `packages: write`.
    #[must_use]
    pub fn workflow(repository: &str) -> Self {
        let owner = repository.split('/').next().unwrap_or_default();
        Self::new(
            Kind::Workflow {
                repository: repository.to_owned(),
            },
            owner,
        )
    }

    /// A classic personal access token of `login`, with `write:packages`.
    #[must_use]
    pub fn classic(login: &str) -> Self {
        Self::new(Kind::Classic, login)
    }

    /// A fine-grained personal access token of `login`.
    #[must_use]
    pub fn fine_grained(login: &str) -> Self {
        Self::new(Kind::FineGrained, login)
    }

    /// An installation token of another GitHub App, installed at `owner`.
    #[must_use]
    pub fn app(owner: &str) -> Self {
        Self::new(Kind::App, owner)
    }

    fn new(kind: Kind, owner: &str) -> Self {
        Self {
            kind,
            owners: vec![owner.to_owned()],
            packages: Access::Write,
        }
    }

    /// One more user or organisation it acts for (classic tokens).
    #[must_use]
    pub fn owner(mut self, owner: &str) -> Self {
        self.owners.push(owner.to_owned());
        self
    }

    /// How far its `packages` permission goes.
    #[must_use]
    pub fn packages(mut self, access: Access) -> Self {
        self.packages = access;
        self
    }

    pub(crate) fn acts_for(&self, owner: &str) -> bool {
        self.owners
            .iter()
            .any(|known| known.eq_ignore_ascii_case(owner))
    }
}

/// What somebody wants to do with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Pull,
    Push,
}

impl Want {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// `repository:<name>:<actions>`
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) name: String,
    actions: Vec<String>,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        Some(Self {
            name: name.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }

    pub(crate) fn covers(&self, name: &str, want: Want) -> bool {
        let action = |action: &String| action == want.as_str() || action == "*";
        self.name == name && self.actions.iter().any(action)
    }
}

/// What a bearer stands for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) account: Option<Account>,
    /// `None`: the caller showed the token itself, which is good for everything it may do.
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) until: Option<Instant>,
}

impl Grant {
    /// For everything that the account may do.
    pub(crate) fn unlimited(account: Option<Account>) -> Self {
        Self {
            account,
            scopes: None,
            until: None,
        }
    }

    pub(crate) fn covers(&self, name: &str, want: Want) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|scope| scope.covers(name, want)))
    }
}
