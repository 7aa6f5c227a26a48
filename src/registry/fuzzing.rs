//! Entry points of the fuzz targets for registry responses.

use reqwest::{StatusCode, Url};

use crate::deadline::{retry_after, retry_after_in_message};
use crate::image::digest::Digest;
use crate::image::manifest::{Content, Platform};
use crate::registry::auth::{Granted, is_trusted};
use crate::registry::challenge::Challenge;
use crate::registry::{diagnosis, error};

/// A manifest, an image config, the response of a token endpoint.
pub fn manifest(text: &str) {
    if let Ok(content) = serde_json::from_str::<Content>(text) {
        let _size = content.size();
        for blob in content.blobs().chain(&content.manifests) {
            if let Ok(digest) = blob.digest.parse::<Digest>() {
                assert_eq!(digest.to_string(), blob.digest);
            }
            let _name = blob.platform.as_ref().and_then(Platform::name);
        }
    }
    let _name = serde_json::from_str::<Platform>(text).map(|platform| platform.name());
    if let Ok(granted) = serde_json::from_str::<Granted>(text) {
        let _ages = granted.life().map(|life| life * 5 / 6);
    }
}

/// A challenge: it sends no credentials to another host.
pub fn challenge(text: &str) {
    let registry = Url::parse("https://ghcr.io/v2/").expect("it is an address");
    if let Some(Challenge::Bearer { realm, .. }) = Challenge::parse(text)
        && let Ok(realm) = Url::parse(&realm)
        && is_trusted(&realm, &registry)
    {
        let host = realm.host_str().unwrap_or_default();
        assert!(
            realm.scheme() == "https" && (host == "ghcr.io" || host.ends_with(".ghcr.io")),
            "{realm}"
        );
    }
}

/// How long a server asks us to wait: a header, the server's clock, a message.
pub fn retry(text: &str) {
    let (value, date) = text.split_once('\n').unwrap_or((text, text));
    let _asked = retry_after(value, Some(date));
    let _hinted = retry_after_in_message(text);
}

/// The body of an error, of any status.
pub fn refused(text: &str) {
    for status in [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::BAD_GATEWAY,
    ] {
        let message = error::message(status, text.as_bytes());
        let _passes =
            error::is_transient(status, &message) || diagnosis::is_secondary_limit(&message);
    }
}
