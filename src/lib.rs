//! ghcr-publish: builds, pushes, verifies and tags a container image in one step.
//!
//! environment -> inputs + context -> plan (pure) -> check -> build and push -> verify -> attest -> move tags -> report.
//! [`run()`] is where to begin. ARCHITECTURE.md lists the modules from the ground up.

mod answers;
mod buildx;
mod child;
mod cleanup;
mod console;
mod context;
mod credentials;
mod deadline;
mod docker;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod github;
mod image;
mod inputs;
mod link;
mod oci_layout;
mod plan;
mod post_state;
mod private_directory;
mod proxy;
mod publish;
mod registry;
mod report;
mod run;
mod secret;
mod session;
mod signals;
mod sigstore;
mod tls;
mod vars;
mod verify;
mod workspace;

pub use context::asked::AskedEvent;
pub use inputs::Mode;
pub use inputs::raw::{merged, name_and_value};
pub use run::{Request, Verbosity, run};
pub use vars::Vars;
