//! Verbatim error messages and their diagnoses.

use std::collections::HashSet;
use std::fmt::Write as _;

use expect_test::expect_file;

use crate::context::server::Server;
use crate::github::meaning::Meaning;
use crate::github::packages::{REFUSED, RETAINED};
use crate::github::{attestations, comments};
use crate::registry::diagnosis::texts::TEXTS;
use crate::registry::diagnosis::*;
use crate::registry::error::RegistryError;
use crate::registry::explain::{explain, explain_read};

const ALL: [Provider; 8] = [
    Provider::GitHub,
    Provider::DockerHub,
    Provider::Quay,
    Provider::GitLab,
    Provider::Ecr,
    Provider::Google,
    Provider::Azure,
    Provider::Other,
];

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

#[test]
fn every_known_text_has_a_diagnosis() {
    let subject = subject("acme/app", OwnerKind::Organization);
    for (group, said, persistence, fix) in TEXTS {
        let diagnosis = diagnose(said, &subject);
        let found = diagnosis.as_ref().map(|known| known.persistence);
        assert_eq!(found, *persistence, "{group}: {said}");
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
fn rejected_credentials_get_advice_for_their_registry() {
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
fn denied_read_gets_advice_for_its_registry() {
    let denied = |status| RegistryError::of("a registry", status, "DENIED".to_owned(), None);
    let fix = |name| {
        let subject = subject(name, OwnerKind::Organization);
        let error = denied(reqwest::StatusCode::FORBIDDEN);
        explain_read("x", &subject, &error).fix().to_owned()
    };
    assert!(fix("ghcr.io/acme/app").contains("packages: read"));
    let other =
        "give credentials for `quay.io` that allow reading it, for example in `registry-auth`";
    assert_eq!(fix("quay.io/acme/app"), other);
    let subject = subject("quay.io/acme/app", OwnerKind::Organization);
    for status in [
        reqwest::StatusCode::FORBIDDEN,
        reqwest::StatusCode::UNAUTHORIZED,
    ] {
        let problem = explain("x", &subject, &denied(status));
        assert!(problem.fix().contains("robot account"), "{}", problem.fix());
    }
}

/// What an entry says, with words for what only a run knows.
fn shown(text: &str) -> String {
    let settings = "the settings of the package (`https://github.com/orgs/OWNER/packages/container/PACKAGE/settings`)";
    [
        (
            "{login}",
            "check the credentials: [by registry](#credentials-by-registry)",
        ),
        (
            "{access}",
            "allow the account to push: [by registry](#credentials-by-registry)",
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

/// The entries of one persistence as a table; those that mean the same share a row.
fn table(persistence: Persistence) -> String {
    let mut table = "| Message | Cause | Fix |\n|---|---|---|\n".to_owned();
    let mut told = HashSet::new();
    let of_prospect = || {
        ENTRIES
            .iter()
            .filter(|entry| entry.persistence == persistence)
    };
    for entry in of_prospect() {
        let (because, fix) = (entry.because, entry.fix);
        if !told.insert((because, fix)) {
            continue;
        }
        let same = of_prospect().filter(|other| (other.because, other.fix) == (because, fix));
        let says: Vec<String> = same
            .flat_map(|entry| entry.says)
            .map(|text| format!("`{}`", text.replace(" … ", "` … `")))
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
        "| Registry | Credentials are rejected or missing | Push is denied |\n|---|---|---|\n";
    let row = |provider: Provider| {
        let advice = |text: &str| shown(&text.replace("{registry}", "the registry"));
        let (login, access) = (advice(provider.login()), advice(provider.access()));
        format!("| {} | {login} | {access} |\n", name(provider))
    };
    let rows = ALL.into_iter().map(row);
    std::iter::once(head.to_owned()).chain(rows).collect()
}

/// What GitHub's API says.
fn meanings(catalogues: &[&[Meaning]]) -> String {
    let row = |known: &Meaning| {
        let says: Vec<String> = known.says.iter().map(|text| format!("`{text}`")).collect();
        let text = |text: &str| shown(&text.replace("{package}", "OWNER/PACKAGE"));
        let (because, fix) = (text(known.because), text(known.fix));
        format!("| {} | {because} | {fix} |\n", says.join(" … "))
    };
    let head = "| Message | Cause | Fix |\n|---|---|---|\n".to_owned();
    std::iter::once(head)
        .chain(catalogues.iter().copied().flatten().map(row))
        .collect()
}

/// `UPDATE_EXPECT=1 cargo test --lib registry::diagnosis` writes the tables anew.
#[test]
fn troubleshooting_tables_match_the_diagnoses() {
    let mut document = include_str!("../../../docs/troubleshooting.md").to_owned();
    for (name, table) in [
        ("final", table(Persistence::Permanent)),
        ("passing", table(Persistence::Transient)),
        ("unclear", table(Persistence::Unclear)),
        ("repeated", table(Persistence::PermanentWhenRepeated)),
        ("reachable", table(Persistence::PermanentWhenReachable)),
        ("logins", providers()),
        ("attestations", meanings(&[attestations::MEANINGS])),
        ("comments", meanings(&[comments::MEANINGS])),
        ("versions", meanings(&[REFUSED, RETAINED])),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = document.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        document = format!("{before}{begin}{table}{end}{after}");
    }
    expect_file!["../../../docs/troubleshooting.md"].assert_eq(&document);
}

#[test]
fn provider_is_recognized_by_host() {
    for (host, provider) in [
        ("docker.io", Provider::DockerHub),
        ("quay.io", Provider::Quay),
        ("registry.gitlab.com", Provider::GitLab),
        (
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            Provider::Ecr,
        ),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", Provider::Ecr),
        ("public.ecr.aws", Provider::Ecr),
        ("europe-west3-docker.pkg.dev", Provider::Google),
        ("eu.gcr.io", Provider::Google),
        ("gcr.io", Provider::Google),
        ("acme.azurecr.io", Provider::Azure),
        ("evilazurecr.io", Provider::Other),
        ("registry.example.com", Provider::Other),
        ("127.0.0.1:5000", Provider::Other),
    ] {
        assert_eq!(
            Provider::of(host, RegistryKind::Generic),
            provider,
            "{host}"
        );
    }
    for kind in [RegistryKind::Container, RegistryKind::Docker] {
        let host = "containers.git.example.com";
        assert_eq!(Provider::of(host, kind), Provider::GitHub);
    }
}

#[test]
fn only_github_gets_github_advice() {
    for provider in ALL {
        let advice = format!("{} {}", provider.login(), provider.access());
        let is_githubs = ["packages", "github-token", "Actions"]
            .iter()
            .any(|word| advice.contains(word));
        assert_eq!(is_githubs, provider == Provider::GitHub, "{advice}");
    }
}
