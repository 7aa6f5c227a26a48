//! A registry that behaves like ghcr.io, in memory and on loopback, for tests and the demo.
//!
//! It can also imitate the registries of GHE.com, and of GHES with and without subdomain isolation, including the older
//! Docker registry, all on one port with many host names (the `Host` header decides), and with TLS.
//!
//! `respond` parses a request into a `Request`, records it, and applies the scripted fault, if any. `handlers` turns it
//! into a `Response`.
//!
//! Each module imports only modules before it in this list: `clock`, `reference`, `github`, `http`, `round_trips`, `fault`, `gate`, `store`,
//! `state`, `handlers`, `respond`, `double`, `issuer`, `sigstore`.
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
//! A GHES with subdomain isolation, with a certificate of a private CA:
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

mod clock;
mod double;
mod fault;
mod gate;
mod github;
mod handlers;
mod http;
mod issuer;
mod reference;
mod respond;
mod round_trips;
mod sigstore;
mod state;
mod store;

pub use double::Double;
pub use double::builder::Builder;
pub use fault::Fault;
pub use gate::Gate;
pub use github::account::{Access, Account};
pub use github::comment::Comment;
pub use github::denial::Denial;
pub use github::package::{Package, Visibility};
pub use github::repository::{PullRequest, Repository};
pub use github::{Isolation, Server};
pub use http::endpoint::Endpoint;
pub use http::request::{Credential, Seen};
pub use http::tls::Authority;
pub use issuer::{Issuer, IssuerBuilder};
pub use round_trips::round_trips;
pub use sigstore::Sigstore;
pub use state::{Conditions, ContentDigest, Deletes, Login, Referrers};
