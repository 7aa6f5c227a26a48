//! `Account`: who holds a token and what that token may do.

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
