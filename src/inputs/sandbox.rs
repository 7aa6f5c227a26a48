//! The conditions a `RUN` instruction finds: network, hosts, limits, rights, keys.

use std::net::IpAddr;

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::raw::RawInputs;

/// What the inputs ask for; nothing means the engine's own way.
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
            "write `default`, `host` or `none`; a network of Docker's own is set with `driver-opts: network=…`",
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
        format!("`{text}` names no host and its address"),
        "write `name:address`, for example `docker:10.180.0.1`",
    ))
}

fn ssh(text: &str) -> Result<(), InputError> {
    if text.starts_with('=') {
        return Err(InputError::new(
            "there is no id before the `=`",
            "write `default`, or `id=path` of an agent's socket or a key",
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
        format!("`{text}` is no limit"),
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
    fn conditions_are_read_from_lines_and_commas() {
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
    fn what_the_engine_would_refuse_is_refused_before() {
        for (name, text, what) in [
            ("INPUT_NETWORK", "bridge", "the input `network` is `bridge`"),
            (
                "INPUT_SHM-SIZE",
                "2 gigs",
                "the input `shm-size` is `2 gigs`",
            ),
            (
                "INPUT_ADD-HOSTS",
                "a:1.2.3.4\nb",
                "line 2 of the input `add-hosts` is not understood: `b`",
            ),
            (
                "INPUT_ULIMIT",
                "nofile",
                "line 1 of the input `ulimit` is not understood: `nofile`",
            ),
            (
                "INPUT_SSH",
                "=x",
                "line 1 of the input `ssh` is not understood: `=x`",
            ),
        ] {
            let explanation = Explanation::of(&read(&[(name, text)]).unwrap_err().into());
            assert_eq!(explanation.what, what);
        }
    }
}
