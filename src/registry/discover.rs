//! Finds the registry of an Enterprise Server among several hosts.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use crate::console::Console;
use crate::console::debug::Exchange;
use crate::deadline::{Deadline, Failure, Pace};
use crate::error::Problem;
use crate::registry::base_url;
use crate::registry::challenge::Challenge;
use crate::registry::error::ConnectionFailure;
use crate::tls::Trust;

const TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server may be down.
const OUTAGE: Duration = Duration::from_secs(60);

/// The first of `hosts` that answers as a registry does. All are asked at once, without a login: a page of
/// another service, such as a wildcard domain gives, does not count.
pub(crate) async fn first_of(
    hosts: &[String],
    trust: &Trust,
    console: Console,
) -> anyhow::Result<String> {
    let client = trust
        .client()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .build()
        .context("could not set up the HTTP client")?;
    let deadline = Deadline::after(OUTAGE, Pace::REAL);
    let attempt = async |number| {
        let answers = join_all(hosts.iter().map(|host| ask(&client, host, number))).await;
        let is_down = answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(is_down));
        let mut failures = Vec::new();
        for (host, answer) in hosts.iter().zip(answers) {
            match answer {
                Ok(()) => return Ok(host.clone()),
                Err(error) => failures.push(format!("`{host}`: {error:#}")),
            }
        }
        Err(match is_down {
            true => Failure::Transient(failures, None),
            false => Failure::Permanent(failures),
        })
    };
    let describe = |_failures: &Vec<String>| "the GitHub server did not respond".to_owned();
    let failures = match deadline.retried(console, describe, attempt).await {
        Ok(host) => return Ok(host),
        Err(failures) => failures,
    };
    let example = hosts.first().map(String::as_str).unwrap_or_default();
    Err(Problem::new(
        "no container registry found for this GitHub server",
        format!(
            "set the input `registry`, for example `registry: {example}`; if its certificate is from a private CA, also set `ca-cert`"
        ),
    )
    .because(failures.join("\n  "))
    .into())
}

/// `GET /v2/`
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support>).
async fn ask(client: &Client, host: &str, attempt: u32) -> anyhow::Result<()> {
    let request = client.get(base_url(host)?).build()?;
    let exchange = Exchange::of(&request, attempt);
    let response = client.execute(request).await;
    let response = response.map_err(reqwest::Error::without_url);
    exchange.end(response.as_ref().map_err(|error| error as _));
    let response = response?;
    let status = response.status();
    if is_registry(status, response.headers()) {
        return Ok(());
    }
    anyhow::bail!("the response is not from a registry: {status}")
}

/// Whether the host refuses connections, or is not found.
fn is_down(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<reqwest::Error>();
    error.is_some_and(|error| ConnectionFailure::of(error) == ConnectionFailure::NoServer)
}

fn is_registry(status: StatusCode, headers: &HeaderMap) -> bool {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    let challenges =
        challenges.any(|header| header.to_str().ok().and_then(Challenge::parse).is_some());
    let names_itself = headers.contains_key("docker-distribution-api-version");
    match status {
        StatusCode::OK => names_itself,
        StatusCode::UNAUTHORIZED => names_itself || challenges,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, headers: &[(&'static str, &'static str)], expected: bool) {
        let headers = headers.iter().map(|(name, value)| {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(is_registry(status, &headers.collect()), expected);
    }

    #[test]
    fn only_a_registry_response_counts() {
        let version = ("docker-distribution-api-version", "registry/2.0");
        let bearer = ("www-authenticate", "Bearer realm=\"https://x/token\"");
        check(200, &[version], true);
        check(401, &[version], true);
        check(401, &[bearer], true);
        check(200, &[("content-type", "text/html")], false);
        check(302, &[("location", "/login")], false);
        check(401, &[("www-authenticate", "Negotiate")], false);
        check(401, &[], false);
        check(404, &[version], false);
        check(200, &[bearer], false);
    }
}
