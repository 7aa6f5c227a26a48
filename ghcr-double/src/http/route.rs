//! `Route`: what a path addresses (pure).

use hyper::Method;

use crate::github::{Api, Site};
use crate::http::endpoint::Endpoint;
use crate::reference::is_digest;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Token,
    Ping,
    Uploads {
        name: String,
    },
    Upload {
        name: String,
        session: String,
    },
    Blob {
        name: String,
        digest: String,
    },
    Manifest {
        name: String,
        reference: String,
    },
    Tags {
        name: String,
    },
    Referrers {
        name: String,
        subject: String,
    },
    Storage {
        digest: String,
    },
    Api {
        path: Vec<String>,
    },
    /// The attestation store of the API: all of it, or the attestations of one digest.
    Attestations {
        repository: String,
        digest: Option<String>,
    },
    /// The comments on a pull request, or one comment of a repository.
    Comments {
        repository: String,
        comments: Comments,
    },
    /// The GraphQL API.
    GraphQl,
    /// The versions of a container package: all of them, one, or the restoration of one.
    Versions {
        owner: Owner,
        package: String,
        version: Versions,
    },
    /// A page of the web interface, or of any server behind a DNS wildcard.
    Website {
        path: String,
    },
    Unknown,
}

/// Whose packages a path of the API is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Organization(String),
    User(String),
    /// The holder of the token.
    Caller,
}

/// The comments that a path of the API is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comments {
    /// Those on the pull request with this number.
    Of(String),
    /// The one with this id.
    One(String),
}

/// The versions of a package that a path of the API is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    All,
    One(String),
    Restore(String),
}

impl Route {
    /// The blob storage is on every host name, because all of them redirect to it.
    pub(crate) fn parse(site: Site, path: &str) -> Self {
        if let Some(digest) = path.strip_prefix("/storage/") {
            let digest = digest.to_owned();
            return Self::Storage { digest };
        }
        let api = match site.api {
            Api::Root => path.strip_prefix('/'),
            Api::Prefixed => path.strip_prefix("/api/v3/"),
            Api::Absent => None,
        };
        if let Some(rest) = api {
            return Self::api(rest);
        }
        // On GHES it is not below the REST API (https://docs.github.com/en/enterprise-server/graphql).
        if site.api == Api::Prefixed && path == "/api/graphql" {
            return Self::GraphQl;
        }
        if site.registry.is_none() {
            let path = path.to_owned();
            return Self::Website { path };
        }
        if path == "/token" {
            return Self::Token;
        }
        match path.strip_prefix("/v2/") {
            Some("") => Self::Ping,
            Some(rest) => Self::registry(rest),
            None if path == "/v2" => Self::Ping,
            None => Self::Unknown,
        }
    }

    fn api(path: &str) -> Self {
        let path: Vec<String> = path.split('/').map(decode).collect();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let known = match parts.as_slice() {
            ["repos", owner, name, "attestations", digest @ ..] => {
                Self::attestations(&format!("{owner}/{name}"), digest)
            }
            ["repos", owner, name, "issues", rest @ ..] => {
                Self::comments(&format!("{owner}/{name}"), rest)
            }
            ["graphql"] => Some(Self::GraphQl),
            ["orgs", owner, "packages", "container", rest @ ..] => {
                Self::versions(Owner::Organization((*owner).to_owned()), rest)
            }
            ["users", owner, "packages", "container", rest @ ..] => {
                Self::versions(Owner::User((*owner).to_owned()), rest)
            }
            ["user", "packages", "container", rest @ ..] => Self::versions(Owner::Caller, rest),
            _ => None,
        };
        known.unwrap_or(Self::Api { path })
    }

    fn attestations(repository: &str, digest: &[&str]) -> Option<Self> {
        let digest = match digest {
            [] => None,
            [digest] => Some((*digest).to_owned()),
            _ => return None,
        };
        let repository = repository.to_owned();
        Some(Self::Attestations { repository, digest })
    }

    fn comments(repository: &str, rest: &[&str]) -> Option<Self> {
        let comments = match rest {
            ["comments", id] => Comments::One((*id).to_owned()),
            [number, "comments"] => Comments::Of((*number).to_owned()),
            _ => return None,
        };
        let repository = repository.to_owned();
        Some(Self::Comments {
            repository,
            comments,
        })
    }

    /// The name of a package is one part of the path, with `%2F` for its slashes.
    fn versions(owner: Owner, rest: &[&str]) -> Option<Self> {
        let (package, version) = match rest {
            [package, "versions"] => (package, Versions::All),
            [package, "versions", id] => (package, Versions::One((*id).to_owned())),
            [package, "versions", id, "restore"] => (package, Versions::Restore((*id).to_owned())),
            _ => return None,
        };
        Some(Self::Versions {
            owner,
            package: (*package).to_owned(),
            version,
        })
    }

    /// The last keyword decides, because a name may itself contain `blobs` or `manifests`.
    fn registry(rest: &str) -> Self {
        if let Some(name) = rest.strip_suffix("/tags/list") {
            let name = name.to_owned();
            return Self::Tags { name };
        }
        let uploads = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(name) = uploads.strip_suffix("/blobs/uploads") {
            let name = name.to_owned();
            return Self::Uploads { name };
        }
        let Some((head, last)) = rest.rsplit_once('/') else {
            return Self::Unknown;
        };
        let before = |keyword: &str| head.strip_suffix(keyword).map(str::to_owned);
        let last = last.to_owned();
        if let Some(name) = before("/blobs/upload") {
            return Self::Upload {
                name,
                session: last,
            };
        }
        if let Some(name) = before("/blobs") {
            return Self::Blob { name, digest: last };
        }
        if let Some(name) = before("/manifests") {
            return Self::Manifest {
                name,
                reference: last,
            };
        }
        before("/referrers").map_or(Self::Unknown, |name| Self::Referrers {
            name,
            subject: last,
        })
    }

    pub(crate) fn endpoint(&self, method: &Method) -> Endpoint {
        let read = *method == Method::GET || *method == Method::HEAD;
        match self {
            Self::Token => Endpoint::Token,
            Self::Ping => Endpoint::Ping,
            Self::Website { path } if path == "/v2/" => Endpoint::Ping,
            Self::Uploads { .. } if *method == Method::POST => Endpoint::BlobPost,
            Self::Upload { .. } if *method == Method::PATCH => Endpoint::BlobPatch,
            Self::Upload { .. } if *method == Method::PUT => Endpoint::BlobPut,
            Self::Blob { .. } if *method == Method::HEAD => Endpoint::BlobHead,
            Self::Blob { .. } if *method == Method::GET => Endpoint::BlobGet,
            Self::Manifest { .. } if read => Endpoint::ManifestRead,
            Self::Manifest { reference, .. } if *method == Method::PUT => {
                if is_digest(reference) {
                    Endpoint::ManifestPut
                } else {
                    Endpoint::TagPut
                }
            }
            Self::Manifest { .. } if *method == Method::DELETE => Endpoint::ManifestDelete,
            Self::Tags { .. } if read => Endpoint::TagList,
            Self::Attestations { digest: None, .. } if *method == Method::POST => {
                Endpoint::AttestationPost
            }
            Self::Attestations {
                digest: Some(_), ..
            } if *method == Method::GET => Endpoint::AttestationGet,
            Self::Versions { version, .. } => version.endpoint(method),
            Self::Comments { comments, .. } => comments.endpoint(method),
            Self::GraphQl => Endpoint::GraphQl,
            Self::Api { path } if path.get(3).is_some_and(|part| part == "pulls") => {
                Endpoint::PullRequestGet
            }
            Self::Api { .. } | Self::Attestations { .. } => Endpoint::Api,
            _ => Endpoint::Other,
        }
    }
}

impl Comments {
    fn endpoint(&self, method: &Method) -> Endpoint {
        match (self, method.as_str()) {
            (Self::Of(_), "GET") => Endpoint::CommentList,
            (Self::Of(_), "POST") => Endpoint::CommentPost,
            (Self::One(_), "PATCH") => Endpoint::CommentPatch,
            _ => Endpoint::Api,
        }
    }
}

impl Versions {
    fn endpoint(&self, method: &Method) -> Endpoint {
        match (self, method.as_str()) {
            (Self::All, "GET") => Endpoint::VersionList,
            (Self::One(_), "GET") => Endpoint::VersionGet,
            (Self::One(_), "DELETE") => Endpoint::VersionDelete,
            (Self::Restore(_), "POST") => Endpoint::VersionRestore,
            _ => Endpoint::Api,
        }
    }
}

/// Decodes percent-encoding, and `+` as a space.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
