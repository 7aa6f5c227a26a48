//! `Endpoint`: the class of a request in scripts and counts.

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
    /// `DELETE …/manifests/<digest or tag>`.
    ManifestDelete,
    /// `GET …/tags/list`.
    TagList,
    /// `POST /repos/<owner>/<name>/attestations` of the API.
    AttestationPost,
    /// `GET /repos/<owner>/<name>/attestations/<digest>` of the API.
    AttestationGet,
    /// `GET /repos/<owner>/<name>/pulls/<number>` of the API.
    PullRequestGet,
    /// `GET /repos/<owner>/<name>/issues/<number>/comments` of the API.
    CommentList,
    /// `POST /repos/<owner>/<name>/issues/<number>/comments` of the API.
    CommentPost,
    /// `PATCH /repos/<owner>/<name>/issues/comments/<id>` of the API.
    CommentPatch,
    /// `POST /graphql` of the API.
    GraphQl,
    /// `GET …/packages/container/<name>/versions` of the API.
    VersionList,
    /// `GET …/packages/container/<name>/versions/<id>` of the API.
    VersionGet,
    /// `DELETE …/packages/container/<name>/versions/<id>` of the API.
    VersionDelete,
    /// `POST …/packages/container/<name>/versions/<id>/restore` of the API.
    VersionRestore,
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
