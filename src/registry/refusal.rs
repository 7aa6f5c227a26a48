//! A refusal in the words a person needs: what was asked, what the registry said, why, and the way out.

use reqwest::StatusCode;

use crate::error::Problem;
use crate::registry::answer::{Reach, Trouble};
use crate::registry::catalogue;
use crate::registry::catalogue::entries;
use crate::registry::catalogue::{Diagnosis, Prospect, Subject};
use crate::registry::provider::Provider;

/// Explains why `what` was not done, for example "cannot push `ghcr.io/acme/app`".
pub(crate) fn refusal(what: &str, subject: &Subject, trouble: &Trouble) -> Problem {
    let Diagnosis { because, fix, .. } = diagnosis(subject, trouble);
    match trouble {
        Trouble::Unreachable { .. } => {
            Problem::new(what, fix).because(format!("{because}: {trouble}"))
        }
        _ => Problem::new(format!("{what}: {trouble}"), fix).because(because),
    }
}

/// Explains why something was left half-way: the cause is the registry's, and the way out is to run
/// again unless somebody has to change something first.
pub(crate) fn half_way(what: &str, subject: &Subject, trouble: &Trouble) -> Problem {
    match trouble {
        Trouble::Denied { .. } if !trouble.is_passing() => {
            let Diagnosis { because, fix, .. } = diagnosis(subject, trouble);
            Problem::new(what, format!("{fix}; then {AGAIN}"))
                .because(format!("{trouble}: {because}"))
        }
        _ => Problem::new(what, AGAIN).because(trouble.to_string()),
    }
}

/// The way out of what passes by itself.
pub(crate) const AGAIN: &str =
    "run the job again: the build is cached, and the tags move once the registry is well";

fn diagnosis(subject: &Subject, trouble: &Trouble) -> Diagnosis {
    catalogue::diagnose(trouble.said(), subject).unwrap_or_else(|| by_kind(subject, trouble))
}

/// Explains why the engine could not push, from the text it gave and what that means.
pub(crate) fn push_refusal(
    subject: &Subject,
    cause: &str,
    diagnosis: Option<Diagnosis>,
) -> Problem {
    let problem = |diagnosis: Diagnosis| {
        Problem::new(
            format!("cannot push `{}`: {cause}", subject.name),
            diagnosis.fix,
        )
        .because(diagnosis.because)
    };
    diagnosis.map_or_else(
        || {
            Problem::new(
                format!("cannot push `{}`", subject.name),
                "see whether the registry is well, then run the job again: the build is cached",
            )
            .because(cause)
        },
        problem,
    )
}

/// Explains why an image that is to be published cannot be read, for example "cannot read `ghcr.io/acme/app:1`".
pub(crate) fn read_refusal(what: &str, subject: &Subject, trouble: &Trouble) -> Problem {
    let registry = subject.name.registry();
    let fix = match trouble {
        Trouble::Denied {
            status: StatusCode::UNAUTHORIZED,
            ..
        } => format!("give a login for `{registry}` that may read it, for example in `registry-auth`"),
        Trouble::Denied { .. } if subject.provider != Provider::GitHub => {
            format!("give a login for `{registry}` that may read it, for example in `registry-auth`")
        }
        Trouble::Denied { .. } => format!(
            "add `packages: read` to the job's `permissions:`, and open {} → Manage Actions access → add {} with role Read",
            subject.settings(),
            subject.repository
        ),
        Trouble::Unreachable {
            reach: Reach::Nobody,
            ..
        } => "see whether the host in `candidate` is right and the registry is up".to_owned(),
        Trouble::Unreachable { .. } | Trouble::Unexpected { .. } => {
            "run the job again once the registry is well".to_owned()
        }
        Trouble::NotFound { .. } | Trouble::Broken { .. } => {
            "see whether the image is whole: `docker buildx imagetools inspect` shows its parts, and `docker pull` gets them".to_owned()
        }
    };
    Problem::new(what, fix).because(trouble.to_string())
}

/// What can be said when only the kind of failure is known.
fn by_kind(subject: &Subject, trouble: &Trouble) -> Diagnosis {
    let registry = subject.name.registry();
    let (because, fix) = match trouble {
        Trouble::Denied {
            status: StatusCode::UNAUTHORIZED,
            ..
        } => (
            "the registry does not know the login, or got none".to_owned(),
            subject.login(),
        ),
        Trouble::Denied { .. } => ("the login may not write there".to_owned(), subject.access()),
        Trouble::Unreachable {
            reach: Reach::Nobody,
            ..
        } => (
            format!("nobody answers at `{registry}`"),
            "see whether the host in `registry` or `images` is right and the registry is up"
                .to_owned(),
        ),
        Trouble::Unreachable {
            reach: Reach::WithoutTls,
            ..
        } => (
            format!("`{registry}` does not speak TLS"),
            entries::NEEDS_TLS.to_owned(),
        ),
        Trouble::Unreachable {
            reach: Reach::Untrusted,
            ..
        } => (
            format!("the certificate of `{registry}` is not trusted"),
            "give the certificate of its CA in the input `ca-cert`".to_owned(),
        ),
        Trouble::Unreachable { .. } => (
            "the connection broke or took too long, time and again".to_owned(),
            "run the job again once the registry is well; the build is cached".to_owned(),
        ),
        Trouble::NotFound { .. } | Trouble::Unexpected { .. } | Trouble::Broken { .. } => (
            "the registry does not answer as registries do".to_owned(),
            "see whether the name is right and the registry is well, then run the job again"
                .to_owned(),
        ),
    };
    Diagnosis {
        prospect: Prospect::Final,
        because,
        fix,
    }
}
