//! `Denial`: the errors with which GHCR refuses a request, quoted from public reports up to November 2026.

/// One refusal: its HTTP status, error code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The token endpoint, to credentials that are wrong, expired or of a kind that GHCR does not accept.
    InvalidCredentials,
    /// `Basic` credentials sent to `/v2/` instead of the token endpoint.
    BasicOnRegistry,
    /// A bearer token that belongs to no account (also seen in an outage in 2022).
    NotAuthenticated,
    /// A request without a token for a package that is not public.
    AuthenticationRequired,
    /// The older Docker registry, to a request with no token or a wrong one, also for public packages.
    NotAuthenticatedForPackages,
    /// A push without a token.
    AccessDenied,
    /// The package exists and does not grant the repository write access.
    WritePackage,
    /// The package does not exist and the user may not create it.
    CreatePackage,
    /// `packages: write` is missing, or the organization forbids new packages; the package does not exist.
    InstallationMayNotCreate,
    /// `packages: write` is missing; the package exists.
    InstallationMayNotWrite,
    /// `packages: read` is missing, or the package does not grant the repository read access.
    InstallationMayNotRead,
    /// The token of a workflow, used for the package of another owner.
    InstallationDoesNotExist,
    /// No user or organization has that name.
    OwnerNotFound,
    /// A personal access token without `write:packages`, or a fine-grained one.
    ScopesDoNotMatch,
    /// This organization forbids classic personal access tokens.
    ClassicTokensForbidden(String),
    /// GitHub's secondary rate limit, which is reported as 403 DENIED.
    SecondaryRateLimit,
    /// The registry's own rate limit; the message contains the delay.
    TooManyRequests,
    /// The owner has a billing problem.
    Billing,
}

impl Denial {
    /// The HTTP status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotAuthenticated
            | Self::AuthenticationRequired
            | Self::NotAuthenticatedForPackages => 401,
            Self::OwnerNotFound => 404,
            Self::TooManyRequests => 429,
            _ => 403,
        }
    }

    /// The code in `errors[].code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAuthenticated
            | Self::AuthenticationRequired
            | Self::NotAuthenticatedForPackages => "UNAUTHORIZED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            _ => "DENIED",
        }
    }

    /// The text in `errors[].message`.
    #[must_use]
    pub fn message(&self) -> String {
        let text = match self {
            Self::InvalidCredentials => "denied",
            Self::BasicOnRegistry => "invalid token",
            Self::NotAuthenticated => {
                "unauthenticated: User cannot be authenticated with the token provided."
            }
            Self::AuthenticationRequired => "authentication required",
            Self::NotAuthenticatedForPackages => {
                "Your request could not be authenticated by the GitHub Packages service. Please ensure your access \
                 token is valid and has the appropriate scopes configured."
            }
            Self::AccessDenied => "requested access to the resource is denied",
            Self::WritePackage => "permission_denied: write_package",
            Self::CreatePackage => "permission_denied: create_package",
            Self::InstallationMayNotCreate => {
                "installation not allowed to Create organization package"
            }
            Self::InstallationMayNotWrite => {
                "installation not allowed to Write organization package"
            }
            Self::InstallationMayNotRead => "installation not allowed to Read organization package",
            Self::InstallationDoesNotExist => {
                "permission_denied: The requested installation does not exist"
            }
            Self::OwnerNotFound => "not_found: owner not found",
            Self::ScopesDoNotMatch => {
                "permission_denied: The token provided does not match expected scopes"
            }
            Self::ClassicTokensForbidden(organization) => {
                return format!(
                    "permission_denied: {organization} forbids access via a personal access token (classic). \
                     Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions."
                );
            }
            Self::SecondaryRateLimit => {
                "permission_denied: Error from intermediary with HTTP status code 403 \"Forbidden\" - with-body: \
                 { \"message\": \"You have exceeded a secondary rate limit. Please wait a few minutes before you \
                 try again.\" }"
            }
            Self::TooManyRequests => "retry-after: 1.16676ms, allowed: 44000/minute",
            Self::Billing => {
                "Encountered a billing-related error. Please verify the billing status for this account."
            }
        };
        text.to_owned()
    }
}
