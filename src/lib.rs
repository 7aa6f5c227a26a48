//! Publish a container image from GitHub in one step.
mod context;
mod image;
mod inputs;
mod plan;
mod problem;
mod secret;
mod vars;
