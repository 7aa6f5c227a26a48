//! Where the Docker engine stores its images.

/// Where the engine keeps its images, which decides what its own builder can do
/// (<https://docs.docker.com/build/builders/drivers/docker/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Containerd,
    /// One of the older storage drivers.
    Graph,
    /// The engine was not asked, or cannot be.
    Unknown,
}

impl Store {
    /// `driver_status` as the engine's `/info` has it.
    pub(crate) fn of(driver_status: &[(String, String)]) -> Self {
        let containerd = ("driver-type", "io.containerd.snapshotter.v1");
        let is_containerd =
            |(key, value): &(String, String)| (key.as_str(), value.as_str()) == containerd;
        if driver_status.iter().any(is_containerd) {
            Self::Containerd
        } else {
            Self::Graph
        }
    }
}
