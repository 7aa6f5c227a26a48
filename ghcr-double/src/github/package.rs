//! `Package`: what GitHub knows about a container package besides its manifests.

/// Who may read a package or a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Members of the enterprise.
    Internal,
    /// Those with access.
    Private,
}

impl Visibility {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Private => "private",
        }
    }
}

/// A package: visible to whom, linked to which repository, writable from which repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub(crate) visibility: Visibility,
    pub(crate) repository: Option<String>,
    pub(crate) readers: Vec<String>,
    pub(crate) writers: Vec<String>,
}

impl Package {
    /// A private package linked to, and writable from, the repository `owner/name`.
    #[must_use]
    pub fn of(repository: &str) -> Self {
        Self::unlinked().linked(repository).writer(repository)
    }

    /// A package made by a push from a laptop: private, linked to nothing, closed to every workflow.
    #[must_use]
    pub fn unlinked() -> Self {
        Self {
            visibility: Visibility::Private,
            repository: None,
            readers: Vec::new(),
            writers: Vec::new(),
        }
    }

    /// Shows it on the page of a repository, which gives that repository no rights.
    #[must_use]
    pub fn linked(mut self, repository: &str) -> Self {
        self.repository = Some(repository.to_owned());
        self
    }

    /// Who may read it.
    #[must_use]
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// A package that everybody may read.
    #[must_use]
    pub fn public(self) -> Self {
        self.visibility(Visibility::Public)
    }

    /// Gives a repository the role Read under "Manage Actions access".
    #[must_use]
    pub fn reader(mut self, repository: &str) -> Self {
        self.readers.push(repository.to_owned());
        self
    }

    /// Gives a repository the role Write under "Manage Actions access".
    #[must_use]
    pub fn writer(mut self, repository: &str) -> Self {
        self.writers.push(repository.to_owned());
        self
    }

    pub(crate) fn lets_write(&self, repository: &str) -> bool {
        contains(&self.writers, repository)
    }

    pub(crate) fn lets_read(&self, repository: &str) -> bool {
        self.lets_write(repository) || contains(&self.readers, repository)
    }
}

fn contains(list: &[String], repository: &str) -> bool {
    list.iter()
        .any(|known| known.eq_ignore_ascii_case(repository))
}
