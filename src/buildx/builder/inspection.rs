//! What `buildx inspect` says of a builder.

/// The driver and the platforms of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inspection {
    pub(crate) driver: String,
    /// Of all nodes together.
    pub(crate) platforms: Vec<String>,
}

impl Inspection {
    /// Reads the text that is meant for people: there is no other form of it. A platform that was given
    /// to a node, not found out, has a `*`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut inspection = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            match key {
                "Driver" => value.trim().clone_into(&mut inspection.driver),
                "Platforms" => {
                    let platforms = value.split(',').map(|one| one.trim().trim_end_matches('*'));
                    let platforms = platforms.filter(|platform| !platform.is_empty());
                    inspection.platforms.extend(platforms.map(str::to_owned));
                }
                _ => {}
            }
        }
        inspection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_of_all_nodes_are_read() {
        let inspection = Inspection::parse(
            "Name:          fleet\nDriver:        remote\n\nNodes:\nName:      fleet0\nEndpoint:  tcp://a:1234\nStatus:    running\nPlatforms: linux/amd64*, linux/386\n\nName:      fleet1\nEndpoint:  tcp://b:1234\nPlatforms: linux/arm64*\nLabels:\n a: b\n",
        );
        let platforms = ["linux/amd64", "linux/386", "linux/arm64"];
        assert_eq!(inspection.driver, "remote");
        assert_eq!(inspection.platforms, platforms);
    }
}
