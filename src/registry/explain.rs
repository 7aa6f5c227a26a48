//! Explains a registry error to the user: what failed, why, and what to do about it.

use reqwest::StatusCode;

use crate::error::Problem;
use crate::registry::diagnosis::Provider;
use crate::registry::diagnosis::entries;
use crate::registry::diagnosis::{Diagnosis, Persistence, Subject, diagnose};
use crate::registry::error::{ConnectionFailure, RegistryError};

/// Explains why `what` was not done, for example "cannot push `ghcr.io/acme/app`".
pub(crate) fn explain(what: &str, subject: &Subject, error: &RegistryError) -> Problem {
    let Diagnosis { because, fix, .. } = diagnose_error(subject, error);
    match error {
        RegistryError::Unreachable { .. } => {
            Problem::new(what, fix).because(format!("{because}: {error}"))
        }
        _ => Problem::new(format!("{what}: {error}"), fix).because(because),
    }
}

/// Explains why something was left half-way: the cause is the registry's, and the way out is to run
/// again unless somebody has to change something first.
pub(crate) fn explain_incomplete(what: &str, subject: &Subject, error: &RegistryError) -> Problem {
    match error {
        RegistryError::Denied { .. } if !error.is_transient() => {
            let Diagnosis { because, fix, .. } = diagnose_error(subject, error);
            Problem::new(what, format!("{fix}; then {RUN_AGAIN}"))
                .because(format!("{error}: {because}"))
        }
        _ => Problem::new(what, RUN_AGAIN).because(error.to_string()),
    }
}

/// The way out of what passes by itself.
pub(crate) const RUN_AGAIN: &str =
    "run the job again once the registry works: the tags are moved then";

fn diagnose_error(subject: &Subject, error: &RegistryError) -> Diagnosis {
    diagnose(error.message(), subject).unwrap_or_else(|| by_kind(subject, error))
}

/// Explains why the engine could not push, from the text it gave and what that means.
pub(crate) fn explain_push(
    subject: &Subject,
    cause: &str,
    diagnosis: Option<Diagnosis>,
) -> Problem {
    let what = format!("cannot push `{}`", subject.name);
    match diagnosis {
        Some(Diagnosis { because, fix, .. }) => {
            Problem::new(format!("{what}: {cause}"), fix).because(because)
        }
        None => {
            let fix = "check the registry's status, then run the job again";
            Problem::new(what, fix).because(cause)
        }
    }
}

/// Explains why an image that is to be published cannot be read, for example "cannot read `ghcr.io/acme/app:1`".
pub(crate) fn explain_read(what: &str, subject: &Subject, error: &RegistryError) -> Problem {
    let registry = subject.name.registry();
    let fix = match error {
        RegistryError::Denied(response)
            if response.status == StatusCode::UNAUTHORIZED || subject.provider != Provider::GitHub =>
        {
            format!("give credentials for `{registry}` that allow reading it, for example in `registry-auth`")
        }
        RegistryError::Denied(_) => format!(
            "add `packages: read` to the job's `permissions:`, and open {} → Manage Actions access → add {} with role Read",
            subject.settings(),
            subject.repository
        ),
        RegistryError::Unreachable { failure: ConnectionFailure::NoServer, .. } => {
            "check the host in `candidate`, and that the registry is running".to_owned()
        }
        RegistryError::Unreachable { .. } | RegistryError::Unexpected(_) => {
            "run the job again once the registry works".to_owned()
        }
        RegistryError::NotFound(_) | RegistryError::Invalid { .. } => {
            "check that the image is complete: `docker buildx imagetools inspect` lists its parts, and `docker pull` reads them".to_owned()
        }
    };
    Problem::new(what, fix).because(error.to_string())
}

/// What can be said when only the kind of failure is known.
fn by_kind(subject: &Subject, error: &RegistryError) -> Diagnosis {
    let registry = subject.name.registry();
    let (because, fix): (String, String) = match error {
        RegistryError::Denied(response) if response.status == StatusCode::UNAUTHORIZED => (
            "the registry requires authentication and accepted no credentials".into(),
            subject.login(),
        ),
        RegistryError::Denied(_) => (
            "the credentials do not allow pushing there".into(),
            subject.access(),
        ),
        RegistryError::Unreachable { failure, .. } => match failure {
            ConnectionFailure::NoServer => (
                format!("cannot connect to `{registry}`"),
                "check the host in `registry` or `images`, and that the registry is running".into(),
            ),
            ConnectionFailure::PlainHttp => (
                format!("`{registry}` does not support TLS"),
                entries::NEEDS_TLS.into(),
            ),
            ConnectionFailure::UntrustedCertificate => (
                format!("the certificate of `{registry}` is not trusted"),
                "set the input `ca-cert` to the certificate of its CA".into(),
            ),
            ConnectionFailure::Interrupted => (
                "the connection failed or timed out repeatedly".into(),
                "check the registry's status, then run the job again".into(),
            ),
        },
        RegistryError::NotFound(_)
        | RegistryError::Unexpected(_)
        | RegistryError::Invalid { .. } => (
            "the registry sent an unexpected response".into(),
            "check the image name and the registry's status, then run the job again".into(),
        ),
    };
    Diagnosis {
        persistence: Persistence::Permanent,
        because,
        fix,
    }
}
