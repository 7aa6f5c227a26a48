//! A registry that behaves like ghcr.io, in memory and on loopback, for tests and the demo.
//!
//! A request is parsed into a `Call` (`route`), a scripted fault may spoil it (`fault`), a handler turns it into an
//! `Answer` (`token`, `blobs`, `manifests`, `tags`, `api`), and `respond` sends that. Handlers are plain functions
//! over `State`; only `respond` waits.
//!
//! ```
//! use ghcr_double::{Account, Double, Endpoint, Fault, Package};
//!
//! let double = Double::builder()
//!     .token("ghs_one", Account::workflow("acme/widget"))
//!     .package("acme/widget", Package::of("acme/widget"))
//!     .start()?;
//! double.script(Fault::on(Endpoint::TagPut).times(2).answer(429).header("retry-after", "1"));
//! assert!(double.host().starts_with("127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod account;
mod answer;
mod api;
mod background;
mod blobs;
mod builder;
mod denial;
mod double;
mod fault;
mod issuer;
mod manifests;
mod names;
mod package;
mod repository;
mod respond;
mod rights;
mod route;
mod seen;
mod state;
mod store;
mod tags;
mod token;

pub use account::{Access, Account};
pub use builder::Builder;
pub use denial::Denial;
pub use double::Double;
pub use fault::Fault;
pub use issuer::{Issuer, IssuerBuilder};
pub use package::{Package, Visibility};
pub use repository::Repository;
pub use route::Endpoint;
pub use seen::{Credential, Seen};
