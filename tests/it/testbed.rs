//! The scripts of `testbed/` on machines that are not this one: other sources of packages, other systems, failing commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::process;

/// A directory that represents a machine: its programs in `bin`, its sources of packages in `apt`.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = text.replace("HERE", self.0.path().to_str().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        self
    }

    /// What bash does here with its own programs first.
    fn bash(&self, arguments: &[&str]) -> Output {
        let path = std::env::join_paths(
            std::iter::once(self.path("bin"))
                .chain(["/usr/sbin", "/usr/bin", "/bin"].map(Into::into)),
        );
        process("bash")
            .args(arguments)
            .current_dir(self.0.path())
            .env("PATH", path.unwrap())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("DOCKER_HOST")
            .output()
            .unwrap()
    }

    /// Runs commands that know the functions of `testbed/NAME`; what they print, and whether they succeed.
    fn says(&self, library: &str, commands: &str) -> (String, bool) {
        let library = testbed(library).display().to_string();
        let script = format!("set -euo pipefail\n. '{library}'\n{commands}\n");
        let output = self.bash(&["-c", &script]);
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8(said).unwrap(), output.status.success())
    }
}

fn testbed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testbed")
        .join(name)
}

const DEB822: &str = "\
Types: deb
URIs: http://archive.test/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://archive.test/debian
 http://second.test/debian
# A comment may be anywhere.
suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/archive.gpg
";

const ONE_LINE: &str = "\
# deb http://old.test/debian bookworm main
deb http://archive.test/debian-security bookworm-security main
deb-src http://sources.test/debian bookworm main
deb [ arch=amd64 signed-by=/keys/archive.gpg ] http://archive.test/debian bookworm main contrib # ours
";

#[track_caller]
fn check_mirror(machine: &Machine, mirror: &str, sid: Option<&str>) {
    let (said, succeeded) = machine.says("packages.sh", "debian_mirror ./apt");
    assert_eq!((said.as_str(), succeeded), (mirror, true));
    let (said, succeeded) = machine.says("packages.sh", "sid_source ./apt");
    assert_eq!(succeeded, sid.is_some(), "{said}");
    if let Some(sid) = sid {
        assert_eq!(said, sid);
    }
}

const SID: &str = "\
Types: deb
URIs: http://archive.test/debian
Suites: sid
Components: main
Signed-By: /keys/archive.gpg
";

#[test]
fn the_debian_mirror_is_found_in_both_formats_of_sources() {
    let deb822 = Machine::new().with("apt/sources.list.d/debian.sources", DEB822);
    check_mirror(&deb822, "http://archive.test/debian\n", Some(SID));
    let one_line = Machine::new().with("apt/sources.list", ONE_LINE);
    check_mirror(&one_line, "http://archive.test/debian\n", Some(SID));
    let both = Machine::new()
        .with("apt/sources.list", "# See sources.list.d.\n")
        .with("apt/sources.list.d/main.list", ONE_LINE);
    check_mirror(&both, "http://archive.test/debian\n", Some(SID));
}

#[test]
fn sources_of_others_and_disabled_ones_are_no_debian_mirror() {
    let machine = Machine::new()
        .with(
            "apt/sources.list.d/a.list",
            "deb [arch=amd64] http://vendor.test/linux/debian bookworm stable\ndeb http://pg.test/debian bookworm-pgdg main\n",
        )
        .with(
            "apt/sources.list.d/b.sources",
            "Enabled: no\nTypes: deb\nURIs: http://disabled.test/debian\nSuites: bookworm\nComponents: main\n\n\
             Types: deb-src\nURIs: http://sources.test/debian\nSuites: bookworm\nComponents: main\n",
        )
        .with("apt/sources.list.d/c.sources.disabled", DEB822);
    check_mirror(&machine, "", None);
    check_mirror(&Machine::new(), "", None);
    let ubuntu = "deb http://archive.test/ubuntu noble main\n";
    check_mirror(&Machine::new().with("apt/sources.list", ubuntu), "", None);
}

#[test]
fn a_file_of_mirrors_stands_for_its_first_mirror() {
    let machine = Machine::new()
        .with(
            "mirrors",
            "# ours\nhttps://near.test/debian/\tpriority:1\nhttp://far.test/debian\n",
        )
        .with(
            "apt/sources.list.d/debian.sources",
            "Types: deb\nURIs: mirror+file:HERE/mirrors\nSuites: trixie\nComponents: main\n",
        );
    let sid = "Types: deb\nURIs: https://near.test/debian/\nSuites: sid\nComponents: main\n";
    check_mirror(&machine, "https://near.test/debian/\n", Some(sid));
}

/// A machine whose `apt-cache policy` knows packages as `NAME PRIORITY`.
fn knowing(packages: &[(&str, &str)]) -> Machine {
    let cases = packages.iter().map(|(name, priority)| {
        format!(
            "{name}) printf '{name}:\\n  Installed: (none)\\n  Version table:\\n     1.2-3 {priority}\\n        {priority} http://archive.test/debian x/main amd64 Packages\\n' ;;\n"
        )
    });
    let cases: String = cases.collect();
    let script = format!("#!/bin/sh\ncase $2 in\n{cases}esac\n");
    Machine::new().with("bin/apt-cache", &script)
}

#[track_caller]
fn check_engine_packages(packages: &[(&str, &str)], expected: &str) {
    let install = "apt_update() { :; }; add_sid() { echo 'sid is added'; }; apt_install() { echo \"$@\"; }\n\
                   install_engine docker-cli docker.io docker-buildx 2>/dev/null";
    let (said, succeeded) = knowing(packages).says("engines.sh", install);
    assert!(succeeded, "{said}");
    assert_eq!(said, expected);
}

#[test]
fn the_engine_comes_whole_from_one_suite() {
    check_engine_packages(
        &[
            ("docker-cli", "500"),
            ("docker.io", "500"),
            ("docker-buildx", "500"),
        ],
        "docker-cli docker.io containerd iptables iproute2 docker-buildx\n",
    );
    // Ubuntu: docker.io brings the client.
    check_engine_packages(
        &[("docker.io", "500"), ("docker-buildx", "500")],
        "docker.io containerd iptables iproute2 docker.io containerd iptables iproute2 docker-buildx\n",
    );
    // Debian 12, where `sid` is known from an earlier time: its buildx is not the system's own.
    check_engine_packages(
        &[
            ("docker-cli", "40"),
            ("docker.io", "500"),
            ("docker-buildx", "40"),
        ],
        "sid is added\ndocker-cli/sid docker.io/sid containerd/sid iptables iproute2 docker-buildx/sid\n",
    );
}

#[test]
fn ways_are_tried_in_order_until_one_brings_the_program() {
    let commands = "\
first() { echo 'the registry does not answer'; return 1; }
second() { echo '#!/bin/sh' >\"$cache/bin/wanted\"; chmod +x \"$cache/bin/wanted\"; }
third() { echo third >\"$cache/third\"; }
obtain wanted 'first wanted' second third
type -P wanted
[ ! -e \"$cache/third\" ]
obtain wanted third";
    let machine = Machine::new();
    let (said, succeeded) = machine.says("ways.sh", commands);
    assert!(succeeded, "{said}");
    assert!(said.contains("cache/ghcr-publish/bin/wanted\n"), "{said}");
    assert!(!machine.path("cache/ghcr-publish/third").exists());
}

#[test]
fn a_program_that_no_way_brings_shows_what_each_way_said() {
    let commands = "\
first() { echo \"there is no $1\"; return 1; }
second() { :; }
obtain wanted 'first package' second || echo 'and that is all'";
    let (said, succeeded) = Machine::new().says("ways.sh", commands);
    assert!(succeeded, "{said}");
    let reasons = "\
bash: cannot install wanted. Attempts:
first package:
    there is no package
second:
    installed, but wanted does not run
";
    let printed = said.replace("and that is all\n", "");
    assert!(said.contains("and that is all"), "{said}");
    assert!(printed.ends_with(reasons), "{printed}");
}

#[test]
fn a_go_that_is_too_old_is_not_used() {
    for (version, usable, toolchain) in [
        ("go1.19.8", false, ""),
        ("go1.24.4", true, "go1.27.3"),
        ("go1.25.0", true, "go1.27.3"),
        ("go1.26.7", true, "go1.27.3"),
        ("go1.26.8", true, "local"),
    ] {
        let go = format!("#!/bin/sh\n[ \"$1\" != env ] || echo {version}\n");
        let machine = Machine::new().with("bin/go", &go);
        let (said, succeeded) = machine.says("ways.sh", "is_here go && echo \"$GOTOOLCHAIN\"");
        assert_eq!(succeeded, usable, "{version}: {said}");
        if usable {
            assert_eq!(said, format!("{toolchain}\n"), "{version}");
        }
    }
}

#[test]
fn a_script_that_fails_names_the_command_and_its_line() {
    let common = testbed("common.sh").display().to_string();
    let script = format!(
        "#!/usr/bin/env bash\nset -euo pipefail\n. '{common}'\nmirror() {{\n    sed -n p /nowhere 2>/dev/null | head -n 1\n}}\nfound=$(mirror)\necho \"$found\"\n"
    );
    let machine = Machine::new().with("wanting", &script);
    let output = machine.bash(&["wanting"]);
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "wanting: wanting line 5: `... | head -n 1` failed with status 2 0\n\
         wanting: wanting line 7: `found=$(mirror)` failed with status 2\n"
    );

    let broken = Machine::new().with("bin/docker", "#!/bin/sh\nexit 7\n");
    for script in ["testbed/reproducible", "release/bases"] {
        let path = testbed("..").join(script).display().to_string();
        let dockerfile = testbed("../Dockerfile").display().to_string();
        let output = broken.bash(&[&path, &dockerfile]);
        let said = String::from_utf8(output.stderr).unwrap();
        let name = script.split_once('/').unwrap().1;
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains(&format!("{name}: ")) && said.contains("failed with status 7"),
            "{said}"
        );
    }
}

#[test]
fn every_script_says_where_it_failed() {
    let mut scripts = 0;
    for directory in ["testbed", "release", ".ci", "fuzz"] {
        let entries = fs::read_dir(testbed("..").join(directory)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.is_file()) {
            let text = fs::read_to_string(&path).unwrap();
            if text.starts_with("#!/usr/bin/env bash") {
                scripts += 1;
                let sources = [". \"$(dirname \"$0\")/", ". testbed/common.sh"];
                assert!(
                    sources.iter().any(|source| text.contains(source)),
                    "{} sources no file with the trap",
                    path.display()
                );
            }
        }
    }
    assert!(scripts > 20, "{scripts} scripts");
}

#[test]
fn one_buildx_is_found_beside_another() {
    let plugin = "docker/cli-plugins/docker-buildx";
    let machine = Machine::new()
        .with(plugin, "#!/bin/sh\n")
        .with("bin/buildx", "#!/bin/sh\n");
    let found = |commands: &str| {
        let (said, succeeded) = machine.says("common.sh", commands);
        assert!(succeeded, "{said}");
        said.trim().to_owned()
    };
    let own = machine.path("bin/buildx").display().to_string();
    assert_eq!(found("DOCKER_CONFIG=$PWD/docker buildx_path"), own);
    let by_plugin = "PATH=/usr/bin:/bin DOCKER_CONFIG=$PWD/docker buildx_path";
    let plugin = machine.path(plugin).display().to_string();
    assert_eq!(found(by_plugin), plugin);
}
