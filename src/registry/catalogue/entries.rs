//! The failure catalogue as data. The first entry that matches counts, so look-alikes come first.

use crate::registry::catalogue::{
    Prospect, Prospect::Final, Prospect::FinalWhenReachable, Prospect::FinalWhenRepeated,
    Prospect::Passing, Prospect::Unclear, Provider,
};

/// One failure.
pub(super) struct Entry {
    /// Lowercase parts that the text holds, all of them.
    pub(super) says: &'static [&'static str],
    pub(super) prospect: Prospect,
    pub(super) because: &'static str,
    pub(super) fix: &'static str,
}

const fn entry(
    prospect: Prospect,
    says: &'static [&'static str],
    because: &'static str,
    fix: &'static str,
) -> Entry {
    Entry {
        says,
        prospect,
        because,
        fix,
    }
}

const PERMISSION: &str = "add `packages: write` to the job's `permissions:`; in a reusable workflow the caller grants it too";
const WAIT: &str = "run the job again in a few minutes; the build is cached";
/// What only GitHub says gets GitHub's advice; for what every registry may say it depends on the registry.
const TOKEN_OF_GITHUB: &str = Provider::GitHub.login();
const LOGIN: &str = "{login}";
const ACCESS: &str = "{access}";
pub(crate) const NEEDS_TLS: &str = "set up TLS for the registry: plain HTTP works only at a loopback address such as `localhost:5000`";
const LAGGING: &str = "the registry does not have all of what was pushed yet";

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Final,
        &["failed to verify certificate"],
        "the server shows a certificate of an authority that is not known",
        "give the authority's certificate in the input `ca-cert`; a builder that was there before, and the engine itself, have to be told by whoever runs them",
    ),
    // What the builder cannot reach. A registry that restarts looks the same for a moment.
    entry(
        FinalWhenRepeated,
        &["server gave http response to https client"],
        "the builder speaks TLS, and the registry answers in plain HTTP",
        NEEDS_TLS,
    ),
    entry(
        FinalWhenRepeated,
        &["first record does not look like a tls handshake"],
        "the builder speaks TLS, and the registry answers in plain HTTP",
        NEEDS_TLS,
    ),
    entry(
        FinalWhenReachable,
        &["connect: connection refused"],
        "the registry answers this process and refuses the builder: its container has a network of its own, with another `localhost`",
        "set `driver-opts: network=host`, or name the registry by an address that the builder's container reaches",
    ),
    entry(
        FinalWhenReachable,
        &["no such host"],
        "this process finds the registry, and the builder does not know the name: its container has a network of its own",
        "set `driver-opts: network=host`, or give the builder a DNS server that knows the name",
    ),
    // What looks like a denial and is none.
    entry(
        Passing,
        &["secondary rate limit"],
        "GitHub limits how often it is called; it looks like a denial and is none",
        "wait a few minutes and run the job again; fewer jobs at the same time avoid it",
    ),
    entry(
        Passing,
        &["rate limit"],
        "the registry limits how often it is called",
        WAIT,
    ),
    entry(
        Passing,
        &["signature not valid in the specified time frame"],
        "a link into the build cache expired while the image was pushed; the registry refused nothing",
        "run the job again, or keep the cache in the registry: `cache: registry`",
    ),
    entry(
        Passing,
        &["actions-cache", "403"],
        "a link into the build cache expired while the image was pushed; the registry refused nothing",
        "run the job again, or keep the cache in the registry: `cache: registry`",
    ),
    entry(
        Passing,
        &["egress is over the account limit"],
        "the registry sends no more data for this account for now",
        WAIT,
    ),
    // Who may do what.
    entry(
        Final,
        &["permission_denied: write_package"],
        "the package exists and does not give this repository write access",
        "open {settings} → Manage Actions access → add {repository} with role Write; if it is listed there, add `packages: write` to the job's `permissions:`",
    ),
    entry(
        Final,
        &["not allowed to create organization package"],
        "the token may not create packages of `{owner}`: `packages: write` is missing, or the owner forbids it, or the run belongs to somebody else",
        "add `packages: write` to the job's `permissions:`; if it is there, ask an owner of `{owner}` to allow package creation",
    ),
    entry(
        Final,
        &["not allowed to write organization package"],
        "the token may not write packages of `{owner}`: `packages: write` is missing, or it is the token of a fork, of Dependabot or of another app",
        PERMISSION,
    ),
    entry(
        Final,
        &["not allowed to read organization package"],
        "the token may not read a package that the build needs",
        "add `packages: read` to the job's `permissions:`, and on the settings page of that package → Manage Actions access add {repository} with role Read",
    ),
    entry(
        Final,
        &["requested installation does not exist"],
        "the token of a workflow in `{repository}` was used for packages of `{owner}`, and it is good for its own owner only",
        "publish to {registry} under the owner of the repository, or give a classic personal token with `write:packages` as `password`",
    ),
    entry(
        Final,
        &["permission_denied: create_package"],
        "the account of the token may not create packages of `{owner}`",
        "ask an owner of `{owner}` to allow package creation, or publish under an owner of your own",
    ),
    entry(
        Final,
        &["does not match expected scopes"],
        "the personal token has no scope `write:packages`, or it is a fine-grained one, which the registry does not take",
        "use the workflow's own token (no input is needed), or a classic personal token with `write:packages`",
    ),
    entry(
        Final,
        &["forbids access via a personal access token (classic)"],
        "`{owner}` refuses classic personal tokens, and the registry takes no other personal ones",
        "use the workflow's own token: leave out `password` and `username`",
    ),
    entry(
        Final,
        &["resource not accessible by integration"],
        "the workflow's token lacks a permission",
        PERMISSION,
    ),
    entry(
        Final,
        &["user cannot be authenticated with the token provided"],
        "the token is expired, revoked or mistyped",
        TOKEN_OF_GITHUB,
    ),
    entry(
        Final,
        &["saml enforcement"],
        "`{owner}` asks for SAML, and the personal token is not authorised for it",
        "authorise the token for {owner} on https://github.com/settings/tokens → Configure SSO",
    ),
    entry(
        Final,
        &["could not be authenticated by the github packages service"],
        "the token is missing, expired or without scope",
        TOKEN_OF_GITHUB,
    ),
    entry(
        Final,
        &["owner not found"],
        "there is no user or organisation `{owner}`",
        "correct the owner in `images`; after a rename the old name is gone",
    ),
    entry(
        Final,
        &["billing-related"],
        "the bill of `{owner}` is not settled, or its plan has no packages",
        "see the billing page of `{owner}`: https://github.com/settings/billing or the organisation's",
    ),
    entry(
        Final,
        &["ip allow list"],
        "`{owner}` lets only known addresses in, and this runner has another one",
        "run the job on a runner whose address is on the list",
    ),
    entry(
        Final,
        &["requested access to the resource is denied"],
        "no login was sent, or it may not push to that name",
        ACCESS,
    ),
    entry(
        Final,
        &["immutable"],
        "the registry does not let a tag move once it is there",
        "publish under another tag, or allow it in the registry's settings",
    ),
    // Attestations, which later steps write.
    entry(
        Final,
        &["missing \"id-token\" permission"],
        "the job may not ask for an identity",
        "add `id-token: write` to the job's `permissions:`; runs of forks cannot have it",
    ),
    entry(
        Final,
        &["feature not available for"],
        "GitHub keeps no attestations for this private repository; the image is pushed all the same",
        "attest only where the repository is public or the plan includes it",
    ),
    entry(
        Final,
        &["no credential", "found"],
        "the step looks for a login in `~/.docker/config.json`, and a login made inside an action is not there",
        "put docker/login-action before the step, or set `push-to-registry: false`",
    ),
    entry(
        Final,
        &["error uploading artifact to container registry"],
        "the digest to attest is not in that registry",
        "attest the outputs `image` and `digest` of this step",
    ),
    entry(
        Final,
        &["docker.pkg.github.com"],
        "docker.pkg.github.com was closed in 2025",
        "publish to ghcr.io/{owner}/{package}",
    ),
    entry(
        Final,
        &["denied: denied"],
        "the registry knows no such token",
        LOGIN,
    ),
    entry(
        Final,
        &["failed to fetch", "token", "401 unauthorized"],
        "the registry gave out no bearer: no login was sent for something private, or a wrong one",
        LOGIN,
    ),
    entry(
        Final,
        &["failed to fetch", "token", "403 forbidden"],
        "the registry gave out no bearer: no login was sent for something private, or a wrong one",
        LOGIN,
    ),
    entry(
        Final,
        &["authentication required"],
        "the registry wants a login and got none it takes",
        LOGIN,
    ),
    // Names and contents.
    entry(
        Final,
        &["must be lowercase"],
        "a name holds capitals, which no registry takes",
        "write it in lowercase; names in `images`, `cache-from` and `cache-to` are lowercased by themselves",
    ),
    entry(
        Final,
        &["tag is needed when pushing"],
        "the engine was given no name to push",
        "let one line of `images` be enabled",
    ),
    entry(
        Final,
        &["name invalid"],
        "the registry does not take that name",
        "write `images: {registry}/<owner>/<name>` with lowercase letters, digits and single `.`, `_` or `-`",
    ),
    entry(
        Final,
        &["name_invalid"],
        "the registry does not take that name",
        "write `images: {registry}/<owner>/<name>` with lowercase letters, digits and single `.`, `_` or `-`",
    ),
    entry(
        Final,
        &["invalid reference format"],
        "a name or tag holds characters that no registry takes, or an expression in it was empty",
        "look at the names in `images`, `cache-from` and `cache-to`: `ghcr-publish plan` shows them",
    ),
    entry(
        Final,
        &["maximum permissible limit of 4.00mib"],
        "the registry takes at most 4 MiB in one ranged request, and the client sent more",
        "use a newer buildx; the one in this action's image sends layers whole",
    ),
    entry(
        Final,
        &["invalid checksum digest format"],
        "the older Docker registry of a GitHub server does not name digests as engines expect",
        "publish to the server's container registry: `registry: containers.<host>`",
    ),
    // What passes. Words about a missing part come before bare status codes.
    entry(
        Passing,
        &["blob upload unknown"],
        "the registry lost the upload session",
        WAIT,
    ),
    entry(
        Passing,
        &["blob_upload_unknown"],
        "the registry lost the upload session",
        WAIT,
    ),
    entry(
        Passing,
        &["blob_upload_invalid"],
        "the registry lost the upload session",
        WAIT,
    ),
    entry(Passing, &["manifest_blob_unknown"], LAGGING, WAIT),
    entry(Passing, &["manifest blob unknown"], LAGGING, WAIT),
    entry(Passing, &["blob_unknown"], LAGGING, WAIT),
    entry(Passing, &["unknown blob"], LAGGING, WAIT),
    entry(Passing, &["blob unknown"], LAGGING, WAIT),
    entry(Passing, &["manifest_unknown"], LAGGING, WAIT),
    entry(Passing, &["manifest unknown"], LAGGING, WAIT),
    entry(
        Passing,
        &["digest_invalid"],
        "the registry read other bytes than were sent",
        WAIT,
    ),
    entry(
        Final,
        &["name unknown"],
        "there is no package of that name yet, or the token may not see it",
        "see whether the name is right and the token may read it",
    ),
    entry(
        Final,
        &["name_unknown"],
        "there is no package of that name yet, or the token may not see it",
        "see whether the name is right and the token may read it",
    ),
    entry(
        Passing,
        &["toomanyrequests"],
        "the registry limits how often it is called",
        WAIT,
    ),
    entry(
        Passing,
        &["too many requests"],
        "the registry limits how often it is called",
        WAIT,
    ),
    entry(
        Passing,
        &["closed pipe"],
        "an old BuildKit hides the true error behind this one",
        "use a newer BuildKit",
    ),
    entry(
        Passing,
        &["cannot reuse body"],
        "the registry asked for a new login in the middle of an upload",
        WAIT,
    ),
    entry(
        Final,
        &["manifest invalid"],
        "the registry does not take this kind of manifest",
        "for an older registry set `provenance: false` and `sbom: false`, and build for one platform",
    ),
    entry(
        Final,
        &["manifest_invalid"],
        "the registry does not take this kind of manifest",
        "for an older registry set `provenance: false` and `sbom: false`, and build for one platform",
    ),
    entry(
        Final,
        &["failed commit on ref", "400 bad request"],
        "the registry does not take this kind of manifest",
        "for an older registry set `provenance: false` and `sbom: false`, and build for one platform",
    ),
    entry(
        Unclear,
        &["unexpected status", "403 forbidden"],
        "the registry refused without a reason: access is missing, or a limit was reached",
        ACCESS,
    ),
];
