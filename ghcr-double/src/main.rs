//! The double as a program, for the demo: prints its address, serves, and exits after a time limit.

use clap::{Parser, ValueEnum};
use ghcr_double::{Account, Double, Server};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// A registry that behaves like ghcr.io, in memory.
#[derive(Parser)]
struct Options {
    /// Port to listen on [default: a free one]
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// User or organization to which the token may push; can be repeated
    #[arg(long = "owner", default_value = "acme")]
    owners: Vec<String>,
    /// Only token to accept [default: any]
    #[arg(long)]
    token: Option<String>,
    /// Server to imitate
    #[arg(long, value_enum, default_value_t = ServerKind::Github)]
    server: ServerKind,
    /// Exit after this many seconds
    #[arg(long, default_value_t = 600)]
    for_seconds: u64,
}

/// The servers that need no host names.
#[derive(Clone, Copy, ValueEnum)]
enum ServerKind {
    /// ghcr.io
    Github,
    /// The older Docker registry of a GHES without subdomain isolation: OWNER/REPO/IMAGE
    GhesFlat,
}

impl ServerKind {
    fn server(self) -> Server {
        match self {
            Self::Github => Server::Github,
            Self::GhesFlat => Server::ghes_flat(),
        }
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let period = Duration::from_secs(options.for_seconds);
    let double = start(&options)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", double.host())?;
    stdout.flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(until_stopped(period))
}

/// The token acts for all owners.
fn start(options: &Options) -> io::Result<Double> {
    let account = Account::classic("demo").delete_packages();
    let account = options
        .owners
        .iter()
        .fold(account, |account, owner| account.owner(owner));
    let mut builder = Double::builder()
        .server(options.server.server())
        .address(SocketAddr::new(options.bind, options.port));
    for owner in &options.owners {
        builder = builder.organization(owner);
    }
    let builder = match &options.token {
        Some(token) => builder.token(token, account),
        None => builder.any_token(account),
    };
    builder.start()
}

async fn until_stopped(period: Duration) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = tokio::time::sleep(period) => {}
    }
    Ok(())
}
