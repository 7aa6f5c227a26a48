//! Runs the issuer for a real registry: `issuer <directory> <port>` writes `<directory>/config.yml`, prints the command
//! that starts the registry, `localhost:<port>`, and issues tokens for ten minutes. The token is `secret`, the owner `acme`.

use ghcr_double::{Access, Account, Issuer};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = || io::Error::other("usage: issuer <directory> <port>");
    let directory = PathBuf::from(arguments.next().ok_or_else(usage)?);
    let port = arguments.next().ok_or_else(usage)?;
    let port = port.parse().map_err(io::Error::other)?;
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let issuer = Issuer::builder("registry.test")
        .token("secret", Account::classic("acme"))
        .token("reader", Account::classic("acme").packages(Access::Read))
        .start(&directory)?;
    let config = directory.join("config.yml");
    fs::write(
        &config,
        issuer.registry_config(address, &directory.join("data")),
    )?;
    writeln!(io::stdout(), "docker-registry serve {}", config.display())?;
    thread::sleep(Duration::from_mins(10));
    Ok(())
}
