//! Whether a build failed because its builder did.

/// `cause` is what buildx said. The builder is gone when the connection to it is, or its container.
pub(crate) fn is_the_builders(cause: &str) -> bool {
    let gone = [
        "rpc error: code = Unavailable",
        "error reading from server: EOF",
        "failed to list workers",
        "No such container",
        "is not running",
        "failed to find a running",
    ];
    gone.iter().any(|words| cause.contains(words))
}

/// Whether buildx does not know the builder that was named.
pub(crate) fn is_unknown(cause: &str) -> bool {
    cause.contains("no builder \"") && cause.contains("\" found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_the_builders_fault() {
        for cause in [
            "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            "Unavailable: error reading from server: EOF",
            "failed to list workers: Unavailable: connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused\"",
        ] {
            assert!(is_the_builders(cause), "{cause}");
        }
    }

    #[test]
    fn a_failing_instruction_or_registry_is_not() {
        for cause in [
            "process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
            "failed to push ghcr.io/a/b:1: unexpected status from PUT request: 503 Service Unavailable",
            "failed to read dockerfile: open Nope: no such file or directory",
        ] {
            assert!(!is_the_builders(cause), "{cause}");
        }
    }
}
