//! Which registry an image goes to when nobody names one.

use crate::problem::Problem;

/// The input `registry`, else the container registry of the GitHub server:
/// `ghcr.io` for github.com, `containers.SUB.ghe.com` for `SUB.ghe.com`.
pub(super) fn default_registry(asked: Option<&str>, server_url: &str) -> Result<String, Problem> {
    if let Some(registry) = asked {
        let host = registry
            .trim_start_matches("https://")
            .trim_end_matches('/');
        return Ok(host.to_lowercase());
    }
    let host = server_url
        .split_once("://")
        .map_or(server_url, |(_scheme, host)| host);
    if host == "github.com" {
        return Ok("ghcr.io".to_owned());
    }
    if host.ends_with(".ghe.com") {
        return Ok(format!("containers.{host}"));
    }
    Err(Problem::new(
        format!("the container registry of `{server_url}` is not known"),
        format!("name it in the input `registry`, for example `registry: containers.{host}`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_registry() {
        assert_eq!(
            default_registry(None, "https://github.com").unwrap(),
            "ghcr.io"
        );
        assert_eq!(
            default_registry(None, "https://acme.ghe.com").unwrap(),
            "containers.acme.ghe.com"
        );
        assert_eq!(
            default_registry(Some("https://Quay.io/"), "https://github.com").unwrap(),
            "quay.io"
        );
        let problem = default_registry(None, "https://git.example.com").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the container registry of `https://git.example.com` is not known"
        );
    }
}
