//! `Route`: what a path addresses, and `Endpoint`: the class of a request in scripts and counts (pure).

use hyper::Method;

use crate::github::{Api, Site};
use crate::reference::is_digest;

/// The classes of requests, for scripted faults and for counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/token`, any method.
    Token,
    /// `GET /v2/`, also on hosts without a registry.
    Ping,
    /// `POST …/blobs/uploads/`.
    BlobPost,
    /// `PATCH …/blobs/upload/<session>`.
    BlobPatch,
    /// `PUT …/blobs/upload/<session>?digest=`.
    BlobPut,
    /// `HEAD …/blobs/<digest>`.
    BlobHead,
    /// `GET …/blobs/<digest>`.
    BlobGet,
    /// `PUT …/manifests/<digest>`.
    ManifestPut,
    /// `PUT …/manifests/<tag>`.
    TagPut,
    /// `GET` and `HEAD …/manifests/<digest or tag>`.
    ManifestRead,
    /// `GET …/tags/list`.
    TagList,
    /// `POST /repos/<owner>/<name>/attestations` of the API.
    AttestationPost,
    /// `GET /repos/<owner>/<name>/attestations/<digest>` of the API.
    AttestationGet,
    /// Every other path under `/api/v3`, or on the host of the API.
    Api,
    /// The OIDC tokens of a job, at a [`crate::Sigstore`].
    IdToken,
    /// `POST /api/v2/signingCert` of Fulcio.
    SigningCertificate,
    /// `POST /api/v1/log/entries` of Rekor.
    LogEntryPost,
    /// `GET /api/v1/log/entries/<uuid>` of Rekor.
    LogEntryGet,
    /// `POST /api/v1/timestamp` of a timestamp authority.
    Timestamp,
    /// Every request that belongs to no other class.
    Other,
    /// All requests, whatever their class.
    Any,
}

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
    /// A page of the web interface, or of any server behind a DNS wildcard.
    Website {
        path: String,
    },
    Unknown,
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
        let ["repos", owner, name, "attestations", digest @ ..] = parts.as_slice() else {
            return Self::Api { path };
        };
        let repository = format!("{owner}/{name}");
        match digest {
            [] => Self::Attestations {
                repository,
                digest: None,
            },
            [digest] => Self::Attestations {
                repository,
                digest: Some((*digest).to_owned()),
            },
            _ => Self::Api { path },
        }
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
            Self::Tags { .. } if read => Endpoint::TagList,
            Self::Attestations { digest: None, .. } if *method == Method::POST => {
                Endpoint::AttestationPost
            }
            Self::Attestations {
                digest: Some(_), ..
            } if *method == Method::GET => Endpoint::AttestationGet,
            Self::Api { .. } | Self::Attestations { .. } => Endpoint::Api,
            _ => Endpoint::Other,
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
mod tests {
    use super::{Endpoint, Route, decode};
    use crate::github::Server;
    use hyper::Method;

    fn name(route: &Route) -> Option<&str> {
        match route {
            Route::Uploads { name }
            | Route::Upload { name, .. }
            | Route::Blob { name, .. }
            | Route::Manifest { name, .. }
            | Route::Tags { name }
            | Route::Referrers { name, .. } => Some(name),
            _ => None,
        }
    }

    #[track_caller]
    fn check(method: &Method, path: &str, expected_name: Option<&str>, expected: Endpoint) {
        let route = Route::parse(Server::Github.site("ghcr.test"), path);
        assert_eq!(
            (name(&route), route.endpoint(method)),
            (expected_name, expected),
            "{path}"
        );
    }

    #[test]
    fn names_may_have_many_components() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let name = Some("o/blobs/manifests/x");
        let at = |rest: &str| format!("/v2/o/blobs/manifests/x/{rest}");
        check(
            &Method::POST,
            &at("blobs/uploads/"),
            name,
            Endpoint::BlobPost,
        );
        check(
            &Method::PATCH,
            &at("blobs/upload/1"),
            name,
            Endpoint::BlobPatch,
        );
        check(&Method::PUT, &at("blobs/upload/1"), name, Endpoint::BlobPut);
        check(
            &Method::DELETE,
            &at("blobs/upload/1"),
            name,
            Endpoint::Other,
        );
        check(
            &Method::HEAD,
            &at(&format!("blobs/{digest}")),
            name,
            Endpoint::BlobHead,
        );
        check(
            &Method::PUT,
            &at("manifests/latest"),
            name,
            Endpoint::TagPut,
        );
        check(
            &Method::PUT,
            &at(&format!("manifests/{digest}")),
            name,
            Endpoint::ManifestPut,
        );
        check(
            &Method::HEAD,
            &at("manifests/latest"),
            name,
            Endpoint::ManifestRead,
        );
        check(&Method::GET, &at("tags/list"), name, Endpoint::TagList);
        check(
            &Method::GET,
            &at(&format!("referrers/{digest}")),
            name,
            Endpoint::Other,
        );
    }

    #[test]
    fn other_routes_have_no_name() {
        check(&Method::GET, "/v2/", None, Endpoint::Ping);
        check(&Method::GET, "/token", None, Endpoint::Token);
        check(&Method::GET, "/api/v3/repos/o/r", None, Endpoint::Api);
        let attestations = "/api/v3/repos/o/r/attestations";
        check(&Method::POST, attestations, None, Endpoint::AttestationPost);
        check(&Method::GET, attestations, None, Endpoint::Api);
        let read = format!("{attestations}/sha256:{}", "a".repeat(64));
        check(&Method::GET, &read, None, Endpoint::AttestationGet);
        check(&Method::GET, &format!("{read}/x"), None, Endpoint::Api);
        check(&Method::GET, "/", None, Endpoint::Other);
        check(&Method::GET, "/v2/_catalog", None, Endpoint::Other);
    }

    #[test]
    fn percent_encoding_is_decoded() {
        assert_eq!(decode("repo%2Fimage+x%"), "repo/image x%");
    }
}
