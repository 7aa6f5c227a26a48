//! `Comment`: a comment on a pull request (pure).

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Unique on the server; later comments have larger ones.
    pub id: u64,
    /// The login of the account, for example `github-actions[bot]`.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// `owner/name`, in lowercase.
    pub(crate) repository: String,
    /// Of the pull request.
    pub(crate) number: u64,
    /// In seconds since 1970.
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// In characters (danger/danger#424, jmikedupont2/ai-ticket#51).
pub(crate) const MAX_BODY: usize = 65_536;

impl Comment {
    pub(crate) fn is_on(&self, repository: &str, number: u64) -> bool {
        self.repository.eq_ignore_ascii_case(repository) && self.number == number
    }
}
