//! The refusals of GHCR in its own words, as collected from public reports up to November 2026.

/// One refusal: its status, its code and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Credentials that are wrong, expired or of a kind GHCR does not take, at the token endpoint.
    InvalidCredentials,
    /// `Basic` sent straight to `/v2/`.
    BasicOnRegistry,
    /// A bearer that belongs to no account (also an outage of 2022).
    NotAuthenticated,
    /// A request without a token for something that is not public.
    AuthenticationRequired,
    /// The older Docker registry to whoever shows no token or a wrong one, also for what is public.
    NotAuthenticatedForPackages,
    /// A push without a token.
    AccessDenied,
    /// The package exists and does not give the repository write access.
    WritePackage,
    /// The package does not exist and the user may not create it.
    CreatePackage,
    /// `packages: write` is missing, or the organisation forbids new packages; the package does not exist.
    InstallationMayNotCreate,
    /// `packages: write` is missing; the package exists.
    InstallationMayNotWrite,
    /// `packages: read` is missing, or the package does not give the repository read access.
    InstallationMayNotRead,
    /// The token of a workflow used for another owner.
    InstallationDoesNotExist,
    /// Nobody has that name.
    OwnerNotFound,
    /// A personal token without `write:packages`, or a fine-grained one.
    ScopesDoNotMatch,
    /// The organisation named here refuses classic personal tokens.
    ClassicTokensForbidden(String),
    /// GitHub's secondary rate limit, which looks like a denial and is none.
    SecondaryRateLimit,
    /// The registry's own limit, with its hint in the message.
    TooManyRequests,
    /// The account's bill was not paid.
    Billing,
}

impl Denial {
    /// The HTTP status that carries it.
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

    /// The text in `errors[].message`, word for word.
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
