//! Publish a container image from GitHub in one step.
mod context;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod image;
mod inputs;
mod plan;
mod problem;
mod secret;
mod vars;
