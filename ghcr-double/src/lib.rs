//! A registry that behaves like ghcr.io, in memory and on loopback, for tests and the demo.
//!
//! It can also be the registries of GHE.com and of GHES with and without subdomain isolation (`server`), the older
//! Docker registry among them (`legacy`), and serve them all on one port under many host names, with TLS (`tls`).
//! `Host` decides; `Double::at` gives a name with the port.
//!
//! A request is parsed into a `Call` (`route`), a scripted fault may spoil it (`fault`), a handler turns it into an
//! `Answer` (`token`, `blobs`, `manifests`, `tags`, `referrers`, `legacy`, `api`, `website`), and `respond` sends that. Handlers are plain functions
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
//!
//! A GHES with subdomain isolation, behind a certificate of an authority that nobody knows:
//!
//! ```
//! use ghcr_double::{Account, Authority, Double, Isolation, Server};
//!
//! let authority = Authority::generate()?;
//! let double = Double::builder()
//!     .server(Server::ghes("ghes.test", Isolation::On))
//!     .tls(&authority, &["ghes.test", "containers.ghes.test", "docker.ghes.test"])
//!     .token("ghs_one", Account::workflow("acme/widget"))
//!     .start()?;
//! assert!(double.at("containers.ghes.test").starts_with("containers.ghes.test:"));
//! assert!(double.api_url().starts_with("https://ghes.test:"));
//! assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod account;
mod answer;
mod background;
mod builder;
mod denial;
mod double;
mod fault;
mod gate;
mod grant;
mod handlers;
mod issuer;
mod names;
mod package;
mod repository;
mod respond;
mod rights;
mod route;
mod seed;
mod seen;
mod server;
mod state;
mod store;
mod tls;

pub use account::{Access, Account};
pub use builder::Builder;
pub use denial::Denial;
pub use double::Double;
pub use fault::Fault;
pub use gate::Gate;
pub use issuer::{Issuer, IssuerBuilder};
pub use package::{Package, Visibility};
pub use repository::Repository;
pub use route::Endpoint;
pub use seen::{Credential, Seen};
pub use server::{Isolation, Server};
pub use state::{Conditions, ContentDigest, Login, Referrers};
pub use tls::Authority;
