//! The words of the registry, verbatim, and what is made of them.

use std::collections::HashSet;
use std::fmt::Write as _;

use expect_test::expect_file;

use crate::context::server::Server;
use crate::registry::answer::Trouble;
use crate::registry::catalogue::*;
use crate::registry::provider::ALL;
use crate::registry::refusal;
use crate::registry::refusal::read_refusal;

fn subject(name: &str, owner: OwnerKind) -> Subject {
    let name = ImageName::parse(name, "ghcr.io").unwrap();
    let kind = Server::Public.kind(name.registry());
    Subject {
        provider: Provider::of(name.registry(), kind),
        name,
        repository: "acme/App".to_owned(),
        server_url: "https://github.com".to_owned(),
        owner,
    }
}

/// Every text of the catalogue: the group, the words, what comes of it, and a word of the fix.
const TEXTS: &[(&str, &str, Option<Prospect>, &str)] = &[
    (
        "A1",
        "denied: permission_denied: write_package",
        Some(Prospect::Final),
        "packages/container/app/settings",
    ),
    (
        "A2",
        "denied: installation not allowed to Create organization package",
        Some(Prospect::Final),
        "packages: write",
    ),
    (
        "A3",
        "denied: installation not allowed to Write organization package",
        Some(Prospect::Final),
        "packages: write",
    ),
    (
        "A4",
        "denied: installation not allowed to Read organization package",
        Some(Prospect::Final),
        "packages: read",
    ),
    (
        "A5",
        "denied: permission_denied: The requested installation does not exist",
        Some(Prospect::Final),
        "under the owner of the repository",
    ),
    (
        "A6",
        "denied: permission_denied: create_package",
        Some(Prospect::Final),
        "ask an owner of `acme`",
    ),
    (
        "A7",
        "denied: permission_denied: The token provided does not match expected scopes",
        Some(Prospect::Final),
        "classic personal token",
    ),
    (
        "A8",
        "denied: permission_denied: acme forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
        Some(Prospect::Final),
        "workflow's own token",
    ),
    (
        "A9",
        "unexpected status from HEAD request to https://ghcr.io/v2/acme/app/blobs/sha256:00: 403 Forbidden",
        Some(Prospect::Unclear),
        "role Write",
    ),
    (
        "A9",
        "unexpected status from POST request to https://ghcr.io/v2/acme/app/blobs/uploads/: 403 Forbidden",
        Some(Prospect::Unclear),
        "role Write",
    ),
    (
        "A9",
        "unexpected status from PUT request to https://ghcr.io/v2/acme/app/manifests/1: 403 Forbidden",
        Some(Prospect::Unclear),
        "role Write",
    ),
    (
        "A10",
        "denied: Resource not accessible by integration",
        Some(Prospect::Final),
        "packages: write",
    ),
    (
        "A11",
        "denied: denied",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "A11",
        "Get \"https://ghcr.io/v2/\": denied: denied",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "A12",
        "unauthorized: unauthenticated: User cannot be authenticated with the token provided.",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "A13",
        "failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Aacme%2Fapp%3Apull: 401 Unauthorized",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "A13",
        "failed to fetch oauth token: unexpected status from POST request to https://ghcr.io/token: 403 Forbidden",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "A14",
        "denied: not_found: owner not found",
        Some(Prospect::Final),
        "correct the owner",
    ),
    (
        "A15",
        "denied: requested access to the resource is denied",
        Some(Prospect::Final),
        "role Write",
    ),
    (
        "A16",
        "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
        Some(Prospect::Final),
        "on the list",
    ),
    (
        "A17",
        "denied: Encountered a billing-related error. Please verify the billing status for this account.",
        Some(Prospect::Final),
        "billing page",
    ),
    (
        "B1",
        "invalid reference format: repository name must be lowercase",
        Some(Prospect::Final),
        "lowercase",
    ),
    (
        "B1",
        "invalid tag \"ghcr.io/Foo/bar:x\": repository name must be lowercase",
        Some(Prospect::Final),
        "lowercase",
    ),
    (
        "B1",
        "repository name (Foo/bar) must be lowercase",
        Some(Prospect::Final),
        "lowercase",
    ),
    ("B2", "name invalid", Some(Prospect::Final), "images:"),
    (
        "B2",
        "NAME_INVALID: invalid repository name",
        Some(Prospect::Final),
        "images:",
    ),
    (
        "B2",
        "invalid reference format",
        Some(Prospect::Final),
        "ghcr-publish plan",
    ),
    (
        "B3",
        "NAME_UNKNOWN: repository name not known to registry",
        Some(Prospect::Final),
        "name is right",
    ),
    (
        "B4",
        "dial tcp: lookup ghrc.io: no such host",
        Some(Prospect::FinalWhenReachable),
        "a DNS server",
    ),
    (
        "B4",
        "failed to do request: Head \"https://localhost:5000/v2/acme/app/blobs/sha256:00\": dial tcp [::1]:5000: connect: connection refused",
        Some(Prospect::FinalWhenReachable),
        "`driver-opts: network=host`",
    ),
    (
        "B4",
        "failed to do request: Head \"https://reg.local/v2/acme/app/blobs/sha256:00\": http: server gave HTTP response to HTTPS client",
        Some(Prospect::FinalWhenRepeated),
        "set up TLS",
    ),
    (
        "B5",
        "ERROR: failed to build: tag is needed when pushing to registry",
        Some(Prospect::Final),
        "enabled",
    ),
    (
        "B6",
        "416 REQUESTED_RANGE_NOT_SATISFIABLE: the request body is too large and exceeds the maximum permissible limit of 4.00MiB",
        Some(Prospect::Final),
        "newer buildx",
    ),
    (
        "B7",
        "MANIFEST_INVALID: manifest invalid",
        Some(Prospect::Final),
        "provenance: false",
    ),
    (
        "B8",
        "failed to copy: io: read/write on closed pipe",
        Some(Prospect::Passing),
        "newer BuildKit",
    ),
    (
        "B9",
        "failed to copy: cannot reuse body, request must be retried",
        Some(Prospect::Passing),
        "again",
    ),
    (
        "B10",
        "failed to copy: GET https://productionresultssa7.blob.core.windows.net/actions-cache/1a-2 RESPONSE 403: 403 Server failed to authenticate the request. AuthenticationFailed: Signature not valid in the specified time frame",
        Some(Prospect::Passing),
        "cache: registry",
    ),
    (
        "C1",
        "429 Too Many Requests",
        Some(Prospect::Passing),
        "again",
    ),
    (
        "C1",
        "toomanyrequests: retry-after: 1.16676ms, allowed: 44000/minute",
        Some(Prospect::Passing),
        "again",
    ),
    (
        "C2",
        "denied: permission_denied: Error from intermediary with HTTP status code 403 \"Forbidden\" - with-body: {\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\"}",
        Some(Prospect::Passing),
        "wait a few minutes",
    ),
    (
        "C3",
        "unexpected status from PUT request to https://ghcr.io/v2/acme/app/manifests/1: 502 Bad Gateway",
        None,
        "",
    ),
    (
        "C4",
        "read tcp 10.0.0.1:5-140.82.0.1:443: read: connection reset by peer",
        None,
        "",
    ),
    (
        "C5",
        "blob upload unknown to registry",
        Some(Prospect::Passing),
        "again",
    ),
    ("C6", "unknown blob", Some(Prospect::Passing), "again"),
    (
        "C7",
        "MANIFEST_BLOB_UNKNOWN: manifest blob unknown to registry",
        Some(Prospect::Passing),
        "again",
    ),
    ("C8", "manifest unknown", Some(Prospect::Passing), "again"),
    (
        "C9",
        "503 Egress is over the account limit",
        Some(Prospect::Passing),
        "again",
    ),
    (
        "C10",
        "failed commit on ref \"manifest-sha256:00\": unexpected status: 400 Bad Request",
        Some(Prospect::Final),
        "provenance: false",
    ),
    (
        "C11",
        "tag invalid: The image tag '1' already exists and cannot be overwritten because the repository is immutable.",
        Some(Prospect::Final),
        "another tag",
    ),
    (
        "D1",
        "missing \"id-token\" permission. Please add \"permissions: id-token: write\" to your workflow.",
        Some(Prospect::Final),
        "id-token: write",
    ),
    (
        "D2",
        "Failed to persist attestation: Resource not accessible by integration",
        Some(Prospect::Final),
        "permissions:",
    ),
    (
        "D3",
        "Failed to persist attestation: Feature not available for user-owned private repositories. To enable this feature, please make this repository public.",
        Some(Prospect::Final),
        "public",
    ),
    (
        "D4",
        "No credentials found for registry ghcr.io",
        Some(Prospect::Final),
        "login-action",
    ),
    (
        "D4",
        "No credential file found at /home/runner/.docker/config.json",
        Some(Prospect::Final),
        "login-action",
    ),
    (
        "D5",
        "OCIError: Error uploading artifact to container registry",
        Some(Prospect::Final),
        "`digest`",
    ),
    (
        "E1",
        "invalid content digest in response: invalid checksum digest format",
        Some(Prospect::Final),
        "containers.",
    ),
    (
        "E3",
        "Get \"https://docker.pkg.github.com/v2/\": EOF",
        Some(Prospect::Final),
        "ghcr.io/acme/app",
    ),
    (
        "E5",
        "unauthorized: Your request could not be authenticated by the GitHub Packages service. Please ensure your access token is valid and has the appropriate scopes configured.",
        Some(Prospect::Final),
        "valid token",
    ),
    (
        "E6",
        "unauthorized: Resource protected by organization SAML enforcement. You must grant your personal token access to this organization.",
        Some(Prospect::Final),
        "Configure SSO",
    ),
];

#[test]
fn every_known_text_has_its_meaning_and_its_remedy() {
    let subject = subject("acme/app", OwnerKind::Organization);
    for (group, said, prospect, fix) in TEXTS {
        let diagnosis = diagnose(said, &subject);
        let found = diagnosis.as_ref().map(|known| known.prospect);
        assert_eq!(found, *prospect, "{group}: {said}");
        let remedy = diagnosis.map(|known| known.fix).unwrap_or_default();
        assert!(remedy.contains(fix), "{group}: {remedy}");
        assert!(!remedy.contains('{'), "{group}: {remedy}");
    }
}

#[test]
fn the_settings_page_is_that_of_the_owner() {
    let check = |name, owner, expected: &str| assert_eq!(subject(name, owner).settings(), expected);
    check(
        "acme/app",
        OwnerKind::Organization,
        "https://github.com/orgs/acme/packages/container/app/settings",
    );
    check(
        "octocat/app/web",
        OwnerKind::User,
        "https://github.com/users/octocat/packages/container/app%2Fweb/settings",
    );
}

#[test]
fn a_refused_login_gets_the_advice_of_its_registry() {
    for (name, login, access) in [
        ("ghcr.io/acme/app", "github-token", "packages: write"),
        ("docker.io/acme/app", "Docker ID", "Read & Write"),
        ("quay.io/acme/app", "robot account", "acme/app"),
        (
            "registry.gitlab.com/acme/app",
            "write_registry",
            "Developer",
        ),
        (
            "1.dkr.ecr.eu-west-1.amazonaws.com/app",
            "`AWS`",
            "ecr:PutImage",
        ),
        (
            "europe-docker.pkg.dev/p/r/app",
            "oauth2accesstoken",
            "writer",
        ),
        ("acme.azurecr.io/app", "az acr login", "AcrPush"),
        (
            "registry.example.com/acme/app",
            "registry.example.com",
            "acme/app",
        ),
    ] {
        let subject = subject(name, OwnerKind::Organization);
        let fix = |said: &str| diagnose(said, &subject).unwrap().fix;
        for said in ["denied: denied", "authentication required"] {
            assert!(fix(said).contains(login), "{name}: {}", fix(said));
        }
        for said in [
            "requested access to the resource is denied",
            "unexpected status: 403 Forbidden",
        ] {
            assert!(fix(said).contains(access), "{name}: {}", fix(said));
        }
        for text in [subject.login(), subject.access()] {
            assert!(!text.contains('{'), "{text}");
            assert_eq!(
                text.contains("packages"),
                name.starts_with("ghcr.io"),
                "{text}"
            );
        }
    }
}

#[test]
fn who_may_not_read_gets_the_advice_of_the_registry() {
    let denied = |status| Trouble::Denied {
        host: "a registry".to_owned(),
        status,
        said: "DENIED".to_owned(),
        asked: None,
    };
    let fix = |name| {
        let subject = subject(name, OwnerKind::Organization);
        let trouble = denied(reqwest::StatusCode::FORBIDDEN);
        read_refusal("x", &subject, &trouble).fix().to_owned()
    };
    assert!(fix("ghcr.io/acme/app").contains("packages: read"));
    let other = "give a login for `quay.io` that may read it, for example in `registry-auth`";
    assert_eq!(fix("quay.io/acme/app"), other);
    let subject = subject("quay.io/acme/app", OwnerKind::Organization);
    for status in [
        reqwest::StatusCode::FORBIDDEN,
        reqwest::StatusCode::UNAUTHORIZED,
    ] {
        let problem = refusal::refusal("x", &subject, &denied(status));
        assert!(problem.fix().contains("robot account"), "{}", problem.fix());
    }
}

/// What an entry says, with words for what only a run knows.
fn shown(text: &str) -> String {
    let settings = "the settings of the package (`https://github.com/orgs/OWNER/packages/container/PACKAGE/settings`)";
    [
        (
            "{login}",
            "check the login: [by registry](#logins-by-registry)",
        ),
        (
            "{access}",
            "let the login push: [by registry](#logins-by-registry)",
        ),
        ("{path}", "OWNER/PACKAGE"),
        ("{settings}", settings),
        ("{repository}", "OWNER/REPOSITORY"),
        ("{registry}", "ghcr.io"),
        ("{package}", "PACKAGE"),
        ("{owner}", "OWNER"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, word)| {
        text.replace(name, word)
    })
    .replace('|', "\\|")
}

/// The entries of one prospect as a table; those that mean the same share a row.
fn table(prospect: Prospect) -> String {
    let mut table = "| It says | It means | What to do |\n|---|---|---|\n".to_owned();
    let mut told = HashSet::new();
    let of_prospect = || ENTRIES.iter().filter(|entry| entry.prospect == prospect);
    for entry in of_prospect() {
        let (because, fix) = (entry.because, entry.fix);
        if !told.insert((because, fix)) {
            continue;
        }
        let same = of_prospect().filter(|other| (other.because, other.fix) == (because, fix));
        let says: Vec<String> = same
            .map(|entry| format!("`{}`", entry.says.join("` … `")))
            .collect();
        let says = says.join("<br>");
        let _infallible = writeln!(table, "| {says} | {} | {} |", shown(because), shown(fix));
    }
    table
}

fn name(provider: Provider) -> &'static str {
    match provider {
        Provider::GitHub => "GitHub (`ghcr.io`, GHE.com, Enterprise Server)",
        Provider::DockerHub => "Docker Hub (`docker.io`)",
        Provider::Quay => "Quay (`quay.io`)",
        Provider::GitLab => "GitLab (`registry.gitlab.com`)",
        Provider::Ecr => "Amazon ECR",
        Provider::Google => "Google Artifact Registry",
        Provider::Azure => "Azure Container Registry",
        Provider::Other => "any other",
    }
}

/// What each registry wants of a login.
fn providers() -> String {
    let head =
        "| Registry | The login is rejected or missing | The login may not push |\n|---|---|---|\n";
    let row = |provider: Provider| {
        let advice = |text: &str| shown(&text.replace("{registry}", "the registry"));
        let (login, access) = (advice(provider.login()), advice(provider.access()));
        format!("| {} | {login} | {access} |\n", name(provider))
    };
    let rows = ALL.into_iter().map(row);
    std::iter::once(head.to_owned()).chain(rows).collect()
}

/// `UPDATE_EXPECT=1 cargo test --lib registry::catalogue` writes the tables anew.
#[test]
fn the_documentation_says_what_the_catalogue_says() {
    let mut document = include_str!("../../../docs/troubleshooting.md").to_owned();
    for (name, table) in [
        ("final", table(Prospect::Final)),
        ("passing", table(Prospect::Passing)),
        ("unclear", table(Prospect::Unclear)),
        ("repeated", table(Prospect::FinalWhenRepeated)),
        ("reachable", table(Prospect::FinalWhenReachable)),
        ("logins", providers()),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = document.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        document = format!("{before}{begin}{table}{end}{after}");
    }
    expect_file!["../../../docs/troubleshooting.md"].assert_eq(&document);
}
