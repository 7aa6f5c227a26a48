//! `Package`: the visibility, the linked repository and the Actions access of a container package.

/// Who may read a package or a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Members of the enterprise.
    Internal,
    /// Only accounts with access.
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

/// The settings of a container package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub(crate) visibility: Visibility,
    pub(crate) repository: Option<String>,
    pub(crate) readers: Vec<String>,
    pub(crate) writers: Vec<String>,
    pub(crate) admins: Vec<String>,
}

impl Package {
    /// A private package that is linked to the repository `owner/name`, which has the role Admin, as after the first push
    /// of its workflow.
    #[must_use]
    pub fn of(repository: &str) -> Self {
        Self::unlinked().linked(repository).admin(repository)
    }

    /// A package created by a push from a laptop: private, not linked, and not accessible to any workflow.
    #[must_use]
    pub fn unlinked() -> Self {
        Self {
            visibility: Visibility::Private,
            repository: None,
            readers: Vec::new(),
            writers: Vec::new(),
            admins: Vec::new(),
        }
    }

    /// Links it to a repository, which does not grant that repository access.
    #[must_use]
    pub fn linked(mut self, repository: &str) -> Self {
        self.repository = Some(repository.to_owned());
        self
    }

    /// Sets who may read it.
    #[must_use]
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Makes it public.
    #[must_use]
    pub fn public(self) -> Self {
        self.visibility(Visibility::Public)
    }

    /// Grants a repository the role Read under "Manage Actions access".
    #[must_use]
    pub fn reader(mut self, repository: &str) -> Self {
        self.readers.push(repository.to_owned());
        self
    }

    /// Grants a repository the role Write under "Manage Actions access".
    #[must_use]
    pub fn writer(mut self, repository: &str) -> Self {
        self.writers.push(repository.to_owned());
        self
    }

    /// Grants a repository the role Admin under "Manage Actions access": only its workflows may delete versions.
    #[must_use]
    pub fn admin(mut self, repository: &str) -> Self {
        self.admins.push(repository.to_owned());
        self
    }

    pub(crate) fn allows_delete(&self, repository: &str) -> bool {
        contains(&self.admins, repository)
    }

    pub(crate) fn allows_write(&self, repository: &str) -> bool {
        self.allows_delete(repository) || contains(&self.writers, repository)
    }

    pub(crate) fn allows_read(&self, repository: &str) -> bool {
        self.allows_write(repository) || contains(&self.readers, repository)
    }
}

fn contains(list: &[String], repository: &str) -> bool {
    list.iter()
        .any(|known| known.eq_ignore_ascii_case(repository))
}
