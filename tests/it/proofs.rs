//! The checks of `make proof` that start the program.

mod bodies;
mod canary;
mod encodings;
mod events;
mod hosts;
mod log;
mod recorder;

pub(crate) use encodings::encodings;
