//! The Docker engine: its API, its socket, and the images it has.

pub(crate) mod api;
pub(crate) mod images;
pub(crate) mod reach;
