//! The packages of the double, their versions, and the time that the API shows.

use std::time::Duration;

use crate::double::Double;
use crate::github::package::Package;
use crate::http::request::View;

impl Double {
    /// The package of that name, including one that a push created.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<Package> {
        self.shared.lock().packages.get(name).cloned()
    }

    /// Adds or replaces a package while the double runs.
    pub fn set_package(&self, name: &str, package: Package) {
        let packages = &mut self.shared.lock().packages;
        packages.insert(name.to_owned(), package);
    }

    /// The id of the version with this digest or tag, if it is not deleted.
    #[must_use]
    pub fn version_id(&self, name: &str, reference: &str) -> Option<u64> {
        let store = &self.shared.lock().store;
        let mut versions = store.versions(name, View::Current).into_iter();
        let found = versions.find(|version| {
            version.digest == reference || version.tags.iter().any(|tag| tag == reference)
        });
        found.map(|version| version.id)
    }

    /// Sets how often a version was downloaded: more than 5000 times, a public one cannot be deleted. Reads do not count.
    pub fn set_downloads(&self, name: &str, digest: &str, downloads: u64) {
        let store = &mut self.shared.lock().store;
        store.set_downloads(name, digest, downloads);
    }

    /// Deletes a version as another client would; false if there is none with this digest.
    pub fn delete_manifest(&self, name: &str, digest: &str) -> bool {
        self.shared.lock().store.delete(name, digest)
    }

    /// The time that the API shows, since 1970.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.shared.lock().store.clock.now())
    }

    /// Sets the time that the API shows, since 1970, for what is pushed and deleted from now on.
    pub fn set_time(&self, time: Duration) {
        self.shared.lock().store.clock.set(time.as_secs());
    }
}
