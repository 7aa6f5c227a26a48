//! `If-Match` on a write of a tag (<https://www.rfc-editor.org/rfc/rfc9110#field.if-match>).

use crate::answer::Answer;
use crate::state::{Call, State};

/// What the registry does with `If-Match`. Whether ghcr.io honours it is not known; docker-registry ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Every write is done.
    Ignored,
    /// A write over something else than the client read is answered 412.
    Honoured,
    /// The same, but the entity tags are weak: the strong comparison of `If-Match` fails for all of them.
    Weak,
}

impl Conditions {
    /// The entity tag of a manifest.
    pub(crate) fn etag(self, digest: &str) -> String {
        match self {
            Self::Ignored | Self::Honoured => format!("\"{digest}\""),
            Self::Weak => format!("W/\"{digest}\""),
        }
    }
}

/// Whether the condition of the request holds for what the tag holds now.
pub(crate) fn check(state: &State, call: &Call, name: &str, reference: &str) -> Result<(), Answer> {
    let Some(wanted) = call.header("if-match") else {
        return Ok(());
    };
    let now = state.store.manifest(name, reference);
    let holds = match state.conditions {
        Conditions::Ignored => true,
        Conditions::Honoured => {
            now.is_some_and(|(digest, _)| state.conditions.etag(digest) == wanted)
        }
        Conditions::Weak => false,
    };
    if holds {
        return Ok(());
    }
    let message = "the manifest has changed";
    Err(Answer::error(412, "PRECONDITION_FAILED", message))
}
