//! The platforms that a builder can run, and the emulation for those that it cannot.

use crate::docker::api::Task;

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

/// qemu for every platform there is one for, registered with the kernel by its own installer
/// (<https://github.com/tonistiigi/binfmt>, qemu 10.2.3).
const BINFMT: &str = "docker.io/tonistiigi/binfmt@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0";

/// The platforms of `requested` that are not in `listed`.
pub(crate) fn foreign<'a>(requested: &'a [String], listed: &[String]) -> Vec<&'a str> {
    let listed: Vec<String> = listed.iter().map(|platform| normal(platform)).collect();
    let foreign = requested.iter().map(String::as_str);
    foreign
        .filter(|platform| !listed.contains(&normal(platform)))
        .collect()
}

/// What installs the emulation for `platforms`; nothing when there is none for any of them.
pub(crate) fn installer(platforms: &[&str]) -> Option<Task> {
    let mut names: Vec<&str> = platforms
        .iter()
        .filter_map(|platform| emulator(platform))
        .collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| Task {
        image: BINFMT.to_owned(),
        arguments: vec!["--install".to_owned(), names.join(",")],
    })
}

/// What the installer calls the emulator of a platform.
fn emulator(platform: &str) -> Option<&str> {
    let rest = platform.strip_prefix("linux/")?;
    let architecture = rest.split('/').next().unwrap_or(rest);
    let known = [
        "386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64",
        "s390x",
    ];
    known.contains(&architecture).then_some(architecture)
}

/// The platform the kernel's name for an architecture stands for.
pub(crate) fn native(architecture: &str) -> String {
    let architecture = match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm/v7",
        "armv6l" => "arm/v6",
        "i386" | "i686" => "386",
        other => other,
    };
    format!("linux/{architecture}")
}

/// One spelling for what means the same
/// (<https://github.com/containerd/platforms/blob/v1.0.0-rc.1/database.go>).
fn normal(platform: &str) -> String {
    let platform = platform.trim().to_ascii_lowercase();
    let platform = platform
        .replace("/x86_64", "/amd64")
        .replace("/aarch64", "/arm64");
    match platform.as_str() {
        "linux/arm" => "linux/arm/v7".to_owned(),
        "linux/armhf" => "linux/arm/v7".to_owned(),
        "linux/armel" => "linux/arm/v6".to_owned(),
        other => {
            let plain = other
                .strip_suffix("/v8")
                .filter(|rest| rest.ends_with("/arm64"))
                .or_else(|| {
                    other
                        .strip_suffix("/v1")
                        .filter(|rest| rest.ends_with("/amd64"))
                });
            plain.unwrap_or(other).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(requested: &str, listed: &str, expected: &[&str], emulators: Option<&str>) {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let requested = list(requested);
        let foreign = foreign(&requested, &list(listed));
        assert_eq!(foreign, expected);
        let names = installer(&foreign).map(|task| task.arguments[1].clone());
        assert_eq!(names.as_deref(), emulators);
    }

    #[test]
    fn only_what_the_builder_does_not_list_is_emulated() {
        let amd = "linux/amd64 linux/amd64/v2 linux/386";
        check("linux/amd64", amd, &[], None);
        check("linux/amd64/v2 linux/386", amd, &[], None);
        check("linux/x86_64", amd, &[], None);
        check(
            "linux/amd64 linux/arm64",
            amd,
            &["linux/arm64"],
            Some("arm64"),
        );
        check(
            "linux/arm/v7 linux/arm/v6 linux/s390x",
            amd,
            &["linux/arm/v7", "linux/arm/v6", "linux/s390x"],
            Some("arm,s390x"),
        );
        check(
            "linux/arm64/v8 linux/arm",
            "linux/arm64 linux/arm/v7",
            &[],
            None,
        );
    }

    #[test]
    fn platform_without_an_emulator_installs_nothing() {
        check("windows/amd64", "linux/amd64", &["windows/amd64"], None);
        check("linux/sparc64", "linux/amd64", &["linux/sparc64"], None);
    }

    #[test]
    fn the_kernel_names_its_platform() {
        assert_eq!(native("x86_64"), "linux/amd64");
        assert_eq!(native("aarch64"), "linux/arm64");
        assert_eq!(native("riscv64"), "linux/riscv64");
    }

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
