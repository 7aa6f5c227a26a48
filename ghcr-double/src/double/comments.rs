//! The comments on pull requests.

use crate::double::Double;
use crate::github::comment::Comment;

impl Double {
    /// The comments on a pull request of `owner/name`, oldest first.
    #[must_use]
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        let state = self.shared.lock();
        let comments = state.comments.iter();
        let found = comments.filter(|comment| comment.is_on(repository, number));
        found.cloned().collect()
    }

    /// Adds a comment of another client, and returns its id.
    pub fn add_comment(&self, repository: &str, number: u64, author: &str, body: &str) -> u64 {
        self.shared
            .lock()
            .add_comment(repository, number, author, body)
            .id
    }
}
