//! The conditions a `RUN` instruction finds: network, hosts, limits, rights, keys.

use std::net::IpAddr;

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::raw::RawInputs;

/// The settings of the inputs; without one the engine's default applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sandbox {
    pub(crate) network: Option<String>,
    pub(crate) add_hosts: Vec<String>,
    pub(crate) allow: Vec<String>,
    pub(crate) ssh: Vec<String>,
    pub(crate) shm_size: Option<String>,
    pub(crate) ulimits: Vec<String>,
    pub(crate) cgroup_parent: Option<String>,
}

impl Sandbox {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        let texts = |name, check: fn(&str) -> Result<(), InputError>| {
            checked(list::comma_entries(name, raw.untrimmed(name))?, check)
        };
        Ok(Self {
            network: raw.parsed("network", network)?,
            add_hosts: texts("add-hosts", host)?,
            allow: texts("allow", |_| Ok(()))?,
            ssh: texts("ssh", ssh)?,
            shm_size: raw.parsed("shm-size", size)?,
            ulimits: checked(list::entries("ulimit", raw.untrimmed("ulimit"))?, ulimit)?,
            cgroup_parent: raw.text("cgroup-parent").map(str::to_owned),
        })
    }
}

fn checked(
    entries: Vec<Entry>,
    check: fn(&str) -> Result<(), InputError>,
) -> Result<Vec<String>, Problem> {
    let entries = entries.into_iter().map(|entry| {
        check(entry.text()).map_err(|error| entry.problem(error))?;
        Ok(entry.text().to_owned())
    });
    entries.collect()
}

fn network(text: &str) -> Result<String, &'static str> {
    match text {
        "default" | "host" | "none" => Ok(text.to_owned()),
        _ => Err(
            "write `default`, `host` or `none`; set a Docker network with `driver-opts: network=…`",
        ),
    }
}

/// `name:address` or `name=address`.
fn host(text: &str) -> Result<(), InputError> {
    let (name, address) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .unwrap_or((text, ""));
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if !name.is_empty() && (bare == "host-gateway" || bare.parse::<IpAddr>().is_ok()) {
        return Ok(());
    }
    Err(InputError::new(
        format!("`{text}` is not `name:address`"),
        "write `name:address`, for example `docker:10.180.0.1`",
    ))
}

fn ssh(text: &str) -> Result<(), InputError> {
    if text.starts_with('=') {
        return Err(InputError::new(
            "the id before the `=` is missing",
            "write `default`, or `id=path` with the path of an agent socket or a private key",
        ));
    }
    Ok(())
}

/// A number of bytes, with a unit or without.
fn size(text: &str) -> Result<String, &'static str> {
    let lower = text.to_ascii_lowercase();
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &lower[..lower.len() - unit.len()];
    let unit = unit.trim_start();
    let prefix = unit.trim_end_matches('b').trim_end_matches('i');
    let known = matches!(prefix, "" | "k" | "m" | "g" | "t" | "p") && !matches!(unit, "i" | "ib");
    if known && number.parse::<f64>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("write a size, for example `64m` or `2g`")
}

/// `name=soft[:hard]`, `-1` for no limit.
fn ulimit(text: &str) -> Result<(), InputError> {
    let limits = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let is_right = limits.is_some_and(|(_, limits)| {
        let limits: Vec<&str> = limits.split(':').collect();
        limits.len() <= 2 && limits.iter().all(|limit| limit.parse::<i64>().is_ok())
    });
    if is_right {
        return Ok(());
    }
    Err(InputError::new(
        format!("`{text}` is not a valid limit"),
        "write `name=soft[:hard]`, for example `nofile=1024:2048`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
    use crate::vars::Vars;

    fn read(variables: &[(&str, &str)]) -> Result<Sandbox, Problem> {
        Sandbox::read(&RawInputs::collect(&Vars::of(variables), &[]))
    }

    #[test]
    fn lists_are_split_at_lines_and_commas() {
        let sandbox = read(&[
            ("INPUT_NETWORK", "host"),
            (
                "INPUT_ADD-HOSTS",
                "docker:10.180.0.1,foo=[::1]\nup:host-gateway",
            ),
            ("INPUT_ALLOW", "network.host, security.insecure"),
            ("INPUT_SSH", "default\nother=/run/agent.sock"),
            ("INPUT_SHM-SIZE", "1.5 GiB"),
            ("INPUT_ULIMIT", "nofile=1024:2048\nnproc=-1"),
            ("INPUT_CGROUP-PARENT", "/builds"),
        ]);
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = Sandbox {
            network: Some("host".to_owned()),
            add_hosts: owned(&["docker:10.180.0.1", "foo=[::1]", "up:host-gateway"]),
            allow: owned(&["network.host", "security.insecure"]),
            ssh: owned(&["default", "other=/run/agent.sock"]),
            shm_size: Some("1.5 GiB".to_owned()),
            ulimits: owned(&["nofile=1024:2048", "nproc=-1"]),
            cgroup_parent: Some("/builds".to_owned()),
        };
        assert_eq!(sandbox.unwrap(), expected);
    }

    #[test]
    fn values_that_the_engine_would_refuse_are_refused_first() {
        for (name, text, what) in [
            (
                "INPUT_NETWORK",
                "bridge",
                "invalid value `bridge` for the input `network`",
            ),
            (
                "INPUT_SHM-SIZE",
                "2 gigs",
                "invalid value `2 gigs` for the input `shm-size`",
            ),
            (
                "INPUT_ADD-HOSTS",
                "a:1.2.3.4\nb",
                "invalid entry in the input `add-hosts`, line 2: `b`",
            ),
            (
                "INPUT_ULIMIT",
                "nofile",
                "invalid entry in the input `ulimit`, line 1: `nofile`",
            ),
            (
                "INPUT_SSH",
                "=x",
                "invalid entry in the input `ssh`, line 1: `=x`",
            ),
        ] {
            let explanation = Explanation::of(&read(&[(name, text)]).unwrap_err().into());
            assert_eq!(explanation.what, what);
        }
    }
}
