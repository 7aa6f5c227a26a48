//! `Double`: the running registry, to be looked into and tampered with.

use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::background::Background;
use crate::builder::Builder;
use crate::fault::Fault;
use crate::package::Package;
use crate::respond::{Shared, respond};
use crate::route::Endpoint;
use crate::seen::Seen;
use crate::state::State;
use crate::store::Manifest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A registry that behaves like ghcr.io; it stops when dropped.
#[derive(Debug)]
pub struct Double {
    server: Background,
    shared: Arc<Shared>,
}

impl Double {
    /// An empty world: no tokens, no packages.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn start(address: SocketAddr, state: State) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(state));
        let serving = Arc::clone(&shared);
        let respond = move |request| respond(request, Arc::clone(&serving));
        let server = Background::start(address, respond)?;
        Ok(Self { server, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// `127.0.0.1:<port>`, for image names.
    #[must_use]
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The base of the GitHub API: `http://127.0.0.1:<port>/api/v3`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/api/v3", self.url())
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        let mut state = self.shared.lock();
        let moment = state.store.moment();
        state.script.add(fault, moment);
    }

    /// Forgets all faults.
    pub fn clear_script(&self) {
        self.shared.lock().script.clear();
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// How many requests of a class arrived so far.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        let seen = &self.shared.lock().seen;
        seen.iter()
            .filter(|seen| endpoint == Endpoint::Any || seen.endpoint == endpoint)
            .count()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.lock().seen.clear();
    }

    /// The tags of a name and the digests they hold.
    #[must_use]
    pub fn tags(&self, name: &str) -> BTreeMap<String, String> {
        let state = self.shared.lock();
        let contents = state.store.names.get(name);
        contents.map(|known| known.tags.clone()).unwrap_or_default()
    }

    /// Media type and bytes of a manifest, by digest or tag.
    #[must_use]
    pub fn manifest(&self, name: &str, reference: &str) -> Option<(String, Bytes)> {
        let state = self.shared.lock();
        let (_, manifest) = state.store.manifest(name, reference)?;
        Some((manifest.media_type.clone(), manifest.bytes.clone()))
    }

    /// The digests of all manifests of a name.
    #[must_use]
    pub fn manifests(&self, name: &str) -> Vec<String> {
        let state = self.shared.lock();
        let contents = state.store.names.get(name);
        contents
            .map(|known| known.manifests.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The bytes of a blob, if the name holds it.
    #[must_use]
    pub fn blob(&self, name: &str, digest: &str) -> Option<Bytes> {
        let store = &self.shared.lock().store;
        let held = store.has_blob(name, digest);
        store.blob(digest).filter(|_| held).cloned()
    }

    /// The package of that name, also one that a push created.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<Package> {
        self.shared.lock().packages.get(name).cloned()
    }

    /// Changes or adds a package while the double runs.
    pub fn set_package(&self, name: &str, package: Package) {
        let packages = &mut self.shared.lock().packages;
        packages.insert(name.to_owned(), package);
    }

    /// Stores a blob, unasked, and gives its digest.
    pub fn put_blob(&self, name: &str, bytes: impl Into<Bytes>) -> String {
        self.shared.lock().store.put_blob(name, bytes.into())
    }

    /// Stores a manifest under a digest or tag, unasked and unchecked, and gives its digest.
    pub fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> String {
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        let store = &mut self.shared.lock().store;
        store.put_manifest(name, reference, manifest)
    }

    /// Stores a small linux/amd64 image with these annotations under a tag, and gives its digest.
    pub fn put_image(&self, name: &str, tag: &str, annotations: &[(&str, &str)]) -> String {
        let layer = Bytes::from_static(&[0; 1024]);
        let diff_id = self.put_blob(name, layer);
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        })
        .to_string();
        let size = config.len();
        let config = self.put_blob(name, config);
        let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config, "size": size },
            "layers": [{ "mediaType": LAYER, "digest": diff_id, "size": 1024 }],
            "annotations": annotations,
        });
        self.put_manifest(name, tag, MANIFEST, manifest.to_string())
    }
}
