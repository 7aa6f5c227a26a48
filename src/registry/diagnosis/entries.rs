//! The known error messages as data. The first match counts, so more specific entries come first.

use crate::registry::diagnosis::{
    Persistence, Persistence::Permanent, Persistence::PermanentWhenReachable,
    Persistence::PermanentWhenRepeated, Persistence::Transient, Persistence::Unclear, Provider,
};

/// One failure.
pub(super) struct Entry {
    /// Lowercase texts, of which the message contains one: all parts of it that ` … ` separates, in any order.
    pub(super) says: &'static [&'static str],
    pub(super) persistence: Persistence,
    pub(super) because: &'static str,
    pub(super) fix: &'static str,
}

const fn entry(
    persistence: Persistence,
    says: &'static [&'static str],
    because: &'static str,
    fix: &'static str,
) -> Entry {
    Entry {
        says,
        persistence,
        because,
        fix,
    }
}

const PERMISSION: &str = "add `packages: write` to the job's `permissions:`; in a reusable workflow the caller grants it too";
const WAIT: &str = "run the job again in a few minutes";
/// What only GitHub says gets GitHub's advice; for what every registry may say it depends on the registry.
const TOKEN_OF_GITHUB: &str = Provider::GitHub.login();
const LOGIN: &str = "{login}";
const ACCESS: &str = "{access}";
pub(crate) const NEEDS_TLS: &str = "set up TLS for the registry: plain HTTP works only at a loopback address such as `localhost:5000`";
const LAGGING: &str = "the registry does not have all of the pushed content yet";

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Permanent,
        &["failed to verify certificate"],
        "the server's certificate is from an unknown CA",
        "set the input `ca-cert` to the CA's certificate; configure an existing builder and the engine separately",
    ),
    // What the builder cannot reach. A registry that restarts looks the same for a moment.
    entry(
        PermanentWhenRepeated,
        &[
            "server gave http response to https client",
            "first record does not look like a tls handshake",
        ],
        "the builder uses TLS, and the registry responds in plain HTTP",
        NEEDS_TLS,
    ),
    entry(
        PermanentWhenReachable,
        &["connect: connection refused"],
        "this process can connect to the registry, and the builder cannot: its container has its own network and `localhost`",
        "set `driver-opts: network=host`, or use a registry address that the builder's container can reach",
    ),
    entry(
        PermanentWhenReachable,
        &["no such host"],
        "this process can resolve the registry's name, and the builder cannot: its container has its own network",
        "set `driver-opts: network=host`, or configure a DNS server for the builder that resolves the name",
    ),
    // What looks like a denial and is none.
    entry(
        Transient,
        &["secondary rate limit"],
        "GitHub's secondary rate limit is exceeded; it is reported like a denied access",
        "run the job again in a few minutes; run fewer jobs at the same time to avoid it",
    ),
    entry(
        Transient,
        &["rate limit"],
        "the registry's rate limit is exceeded",
        WAIT,
    ),
    entry(
        Transient,
        &[
            "signature not valid in the specified time frame",
            "actions-cache … 403",
        ],
        "a link to the build cache expired during the push; the registry denied nothing",
        "run the job again, or keep the cache in the registry: `cache: registry`",
    ),
    entry(
        Transient,
        &["egress is over the account limit"],
        "the account's limit for data transfer is exceeded",
        WAIT,
    ),
    // Who may do what.
    entry(
        Permanent,
        &["permission_denied: write_package"],
        "the package exists, and this repository has no write access to it",
        "open {settings} → Manage Actions access → add {repository} with role Write; if it is listed there, add `packages: write` to the job's `permissions:`",
    ),
    entry(
        Permanent,
        &["not allowed to create organization package"],
        "the token may not create packages of `{owner}`: `packages: write` is missing, or the owner forbids it, or the run belongs to another owner",
        "add `packages: write` to the job's `permissions:`; if it is there, ask an owner of `{owner}` to allow package creation",
    ),
    entry(
        Permanent,
        &["not allowed to write organization package"],
        "the token may not write packages of `{owner}`: `packages: write` is missing, or it is the token of a fork, of Dependabot or of another app",
        PERMISSION,
    ),
    entry(
        Permanent,
        &["not allowed to read organization package"],
        "the token may not read a package that the build needs",
        "add `packages: read` to the job's `permissions:`, and on the settings page of that package → Manage Actions access add {repository} with role Read",
    ),
    entry(
        Permanent,
        &["requested installation does not exist"],
        "the token of a workflow in `{repository}` was used for packages of `{owner}`, and it is valid for its own owner only",
        "publish to {registry} under the owner of the repository, or give a classic personal token with `write:packages` as `password`",
    ),
    entry(
        Permanent,
        &["permission_denied: create_package"],
        "the account of the token may not create packages of `{owner}`",
        "ask an owner of `{owner}` to allow package creation, or publish under an owner of your own",
    ),
    entry(
        Permanent,
        &["does not match expected scopes"],
        "the personal access token lacks the scope `write:packages`, or is fine-grained, which the registry does not support",
        "use the workflow's own token (no input is needed), or a classic personal token with `write:packages`",
    ),
    entry(
        Permanent,
        &["forbids access via a personal access token (classic)"],
        "`{owner}` forbids classic personal access tokens, and the registry supports no other kind",
        "use the workflow's own token: leave out `password` and `username`",
    ),
    entry(
        Permanent,
        &["resource not accessible by integration"],
        "the workflow's token lacks a permission",
        PERMISSION,
    ),
    entry(
        Permanent,
        &["user cannot be authenticated with the token provided"],
        "the token is expired, revoked or mistyped",
        TOKEN_OF_GITHUB,
    ),
    entry(
        Permanent,
        &["saml enforcement"],
        "`{owner}` requires SAML single sign-on, and the personal access token is not authorized for it",
        "authorize the token for {owner} on https://github.com/settings/tokens → Configure SSO",
    ),
    entry(
        Permanent,
        &["could not be authenticated by the github packages service"],
        "the token is missing, expired or without scope",
        TOKEN_OF_GITHUB,
    ),
    entry(
        Permanent,
        &["owner not found"],
        "there is no user or organisation `{owner}`",
        "correct the owner in `images`; a renamed owner has only its new name",
    ),
    entry(
        Permanent,
        &["billing-related"],
        "`{owner}` has a billing problem, or its plan does not include packages",
        "check the billing page of `{owner}`: https://github.com/settings/billing or the organisation's",
    ),
    entry(
        Permanent,
        &["ip allow list"],
        "the IP allow list of `{owner}` does not include this runner's address",
        "run the job on a runner whose address is on the IP allow list",
    ),
    entry(
        Permanent,
        &["requested access to the resource is denied"],
        "no credentials were sent, or they do not allow pushing to that name",
        ACCESS,
    ),
    entry(
        Permanent,
        &["immutable"],
        "tags are immutable in this registry",
        "publish another tag, or allow mutable tags in the registry's settings",
    ),
    // Attestations, which later steps write.
    entry(
        Permanent,
        &["missing \"id-token\" permission"],
        "the job has no permission to request an OIDC token",
        "add `id-token: write` to the job's `permissions:`; runs for pull requests from forks cannot have it",
    ),
    entry(
        Permanent,
        &["feature not available for"],
        "GitHub stores no attestations for this private repository; the image is pushed",
        "attest only where the repository is public or the plan includes it",
    ),
    entry(
        Permanent,
        &["no credential … found"],
        "the step reads credentials from `~/.docker/config.json`, which does not contain those of another action",
        "replace that step by `attest: true` on this one; or set `keep-login: true` here, and `HOME` to `$RUNNER_TEMP/_github_home` in the `env:` of that step",
    ),
    entry(
        Permanent,
        &["error uploading artifact to container registry"],
        "the registry does not have the digest to attest",
        "attest the outputs `image` and `digest` of this step",
    ),
    entry(
        Permanent,
        &["docker.pkg.github.com"],
        "docker.pkg.github.com was shut down in 2025",
        "publish to ghcr.io/{owner}/{package}",
    ),
    entry(
        Permanent,
        &["denied: denied"],
        "the registry rejected the token",
        LOGIN,
    ),
    entry(
        Permanent,
        &[
            "failed to fetch … token … 401 unauthorized",
            "failed to fetch … token … 403 forbidden",
        ],
        "the registry issued no token: the credentials are missing or wrong",
        LOGIN,
    ),
    entry(
        Permanent,
        &["authentication required"],
        "the registry requires authentication and accepted no credentials",
        LOGIN,
    ),
    // Names and contents.
    entry(
        Permanent,
        &["must be lowercase"],
        "the name contains uppercase letters, which registries do not accept",
        "write it in lowercase; names in `images`, `cache-from` and `cache-to` are lowercased automatically",
    ),
    entry(
        Permanent,
        &["tag is needed when pushing"],
        "the engine was given no name to push",
        "enable at least one line of `images`",
    ),
    entry(
        Permanent,
        &["name invalid", "name_invalid"],
        "the registry does not accept this name",
        "write `images: {registry}/<owner>/<name>` with lowercase letters, digits and single `.`, `_` or `-`",
    ),
    entry(
        Permanent,
        &["invalid reference format"],
        "a name or tag contains invalid characters, or an expression in it was empty",
        "check the names in `images`, `cache-from` and `cache-to`: `ghcr-publish plan` shows them",
    ),
    entry(
        Permanent,
        &["maximum permissible limit of 4.00mib"],
        "the registry accepts at most 4 MiB in one ranged request, and the client sent more",
        "use a newer buildx; the one in this action's image sends layers whole",
    ),
    entry(
        Permanent,
        &["invalid checksum digest format"],
        "the older Docker registry of a GitHub server does not name digests as engines expect",
        "publish to the server's container registry: `registry: containers.<host>`",
    ),
    // What passes. Words about a missing part come before bare status codes.
    entry(
        Transient,
        &[
            "blob upload unknown",
            "blob_upload_unknown",
            "blob_upload_invalid",
        ],
        "the registry lost the upload session",
        WAIT,
    ),
    entry(
        Transient,
        &[
            "manifest_blob_unknown",
            "manifest blob unknown",
            "blob_unknown",
            "unknown blob",
            "blob unknown",
            "manifest_unknown",
            "manifest unknown",
        ],
        LAGGING,
        WAIT,
    ),
    entry(
        Transient,
        &["digest_invalid"],
        "the registry received other content than was sent",
        WAIT,
    ),
    entry(
        Permanent,
        &["name unknown", "name_unknown"],
        "the package does not exist, or the token cannot read it",
        "check the name, and that the token can read the package",
    ),
    entry(
        Transient,
        &["toomanyrequests", "too many requests"],
        "the registry's rate limit is exceeded",
        WAIT,
    ),
    entry(
        Transient,
        &["closed pipe"],
        "an old BuildKit reports this in place of the real error",
        "use a newer BuildKit",
    ),
    entry(
        Transient,
        &["cannot reuse body"],
        "the registry requested new authentication during an upload",
        WAIT,
    ),
    entry(
        Permanent,
        &[
            "manifest invalid",
            "manifest_invalid",
            "failed commit on ref … 400 bad request",
        ],
        "the registry does not accept this kind of manifest",
        "for an older registry set `provenance: false` and `sbom: false`, and build for one platform",
    ),
    entry(
        Unclear,
        &["unexpected status … 403 forbidden"],
        "the registry denied access without a reason: a permission is missing, or a limit was reached",
        ACCESS,
    ),
];
