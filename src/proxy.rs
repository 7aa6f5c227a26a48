//! The proxies of the environment, and the hosts that are reached without one.

use reqwest::{NoProxy, Proxy, Url};

use crate::error::Problem;
use crate::vars::Vars;

/// Hosts of this machine, which no proxy is used for.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";
/// The same for programs that know no networks in this list.
const LOOPBACK_NAMES: &str = "localhost,127.0.0.1,::1";

/// Variables that name a proxy, the one that counts first.
const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxies for our own requests, as curl reads the variables
/// (<https://curl.se/docs/manpage.html#ENVIRONMENT>).
pub(crate) fn proxies(vars: &Vars) -> Result<Vec<Proxy>, Problem> {
    let given = EXCEPTIONS.iter().find_map(|name| vars.get(name));
    let exceptions = NoProxy::from_string(&joined(given, LOOPBACK));
    let http = first(vars, &FOR_HTTP).map(|(name, text)| proxy(name, text, Proxy::http));
    let https = first(vars, &FOR_HTTPS).map(|(name, text)| proxy(name, text, Proxy::https));
    let proxies = [http, https].into_iter().flatten();
    let proxies = proxies.map(|proxy| Ok(proxy?.no_proxy(exceptions.clone())));
    proxies.collect()
}

/// The proxy in the variable `name`; its scheme may be missing.
fn proxy(
    name: &str,
    text: &str,
    made: fn(Url) -> reqwest::Result<Proxy>,
) -> Result<Proxy, Problem> {
    let scheme = if text.contains("://") { "" } else { "http://" };
    let url = Url::parse(&format!("{scheme}{text}"));
    let url = url.map_err(|error| unusable(name, error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        let because = format!("it begins with `{}:`", url.scheme());
        return Err(unusable(name, because));
    }
    made(url).map_err(|error| unusable(name, error.without_url().to_string()))
}

/// The variables that keep a child from reaching this machine through a proxy; none when it has none.
pub(crate) fn exceptions(vars: &Vars) -> Vec<(String, String)> {
    if first(vars, &FOR_HTTP).or(first(vars, &FOR_HTTPS)).is_none() {
        return Vec::new();
    }
    let given = EXCEPTIONS.map(|name| (name, vars.get(name)));
    let is_given = given.iter().any(|(_, value)| value.is_some());
    let wanted = given
        .iter()
        .filter(|(name, value)| value.is_some() || (!is_given && *name == "NO_PROXY"));
    let wanted = wanted.map(|(name, value)| ((*name).to_owned(), joined(*value, LOOPBACK_NAMES)));
    wanted.collect()
}

fn first<'a>(vars: &'a Vars, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|name| Some((*name, vars.get(name)?)))
}

fn joined(given: Option<&str>, loopback: &str) -> String {
    let exceptions = given.into_iter().chain([loopback]);
    exceptions.collect::<Vec<_>>().join(",")
}

fn unusable(name: &str, because: String) -> Problem {
    Problem::new(
        format!("the variable `{name}` does not contain a usable proxy"),
        "set it to a URL with `http://` or `https://`, or unset it",
    )
    .because(because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[(&str, &str)]) {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let expected: Vec<_> = expected.iter().map(own).collect();
        assert_eq!(exceptions(&Vars::of(variables)), expected);
    }

    #[test]
    fn a_child_with_a_proxy_reaches_this_machine_without_it() {
        let proxy = ("http_proxy", "http://proxy:3128");
        check(&[("NO_PROXY", "a.example")], &[]);
        check(&[proxy], &[("NO_PROXY", "localhost,127.0.0.1,::1")]);
        check(
            &[("ALL_PROXY", "proxy:3128"), ("no_proxy", "a.example")],
            &[("no_proxy", "a.example,localhost,127.0.0.1,::1")],
        );
        check(
            &[proxy, ("NO_PROXY", "*"), ("no_proxy", "b")],
            &[
                ("NO_PROXY", "*,localhost,127.0.0.1,::1"),
                ("no_proxy", "b,localhost,127.0.0.1,::1"),
            ],
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_password() {
        let refused = |value: &str| {
            let vars = Vars::of(&[("ALL_PROXY", value)]);
            let problem = proxies(&vars).map(|_| ()).unwrap_err();
            Explanation::of(&problem.into()).to_string()
        };
        for value in ["socks5://joe:hunter2@proxy:1080", "http://joe:hunter2@"] {
            let said = refused(value);
            assert!(
                said.contains("`ALL_PROXY`") && !said.contains("hunter2"),
                "{said}"
            );
        }
        let both = [
            ("ALL_PROXY", "socks5://proxy:1"),
            ("http_proxy", "proxy:1"),
            ("HTTPS_PROXY", "https://proxy"),
        ];
        assert_eq!(proxies(&Vars::of(&both)).unwrap().len(), 2);
        assert!(proxies(&Vars::of(&[])).unwrap().is_empty());
    }
}
