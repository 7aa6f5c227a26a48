//! The checks of `make proof` that start the program.

mod bodies;
mod canary;
mod encodings;
mod events;
mod hosts;
mod log;
pub(crate) mod recorder;

pub(crate) use encodings::encodings;
