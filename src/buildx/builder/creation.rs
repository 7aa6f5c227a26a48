//! A builder that is made for a run: how, how far that got, and who is to know of it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::buildx::builder::leftover;
use crate::inputs::builder::Recipe;
use crate::vars::Vars;

/// A builder that is ours to make and to remove.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) recipe: Recipe,
    /// Why one is made although nobody asked for it.
    pub(crate) reason: Option<String>,
    /// How far it got.
    pub(crate) state: CreationState,
    /// The runner's file for what the post step must know.
    state_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreationState {
    /// Nothing is there yet.
    NotCreated,
    /// Its record is in our folder, and there may be more.
    Recorded,
    /// There may be something, but its record is not in our folder.
    LeftBehind,
}

impl Creation {
    pub(crate) fn new(
        recipe: Recipe,
        reason: Option<String>,
        state: CreationState,
        vars: &Vars,
    ) -> Self {
        Self {
            recipe,
            reason,
            state,
            state_file: vars.path("GITHUB_STATE").map(Path::to_owned),
        }
    }

    pub(crate) fn remember(&self, name: &str) -> anyhow::Result<()> {
        let Some(file) = &self.state_file else {
            return Ok(());
        };
        leftover::remember(file, Some(name)).context("could not write to `GITHUB_STATE`")
    }

    /// Without it the post step looks once more, and finds nothing.
    pub(crate) fn forget(&self) {
        let file = self.state_file.as_ref();
        drop(file.map(|file| leftover::remember(file, None)));
    }
}
