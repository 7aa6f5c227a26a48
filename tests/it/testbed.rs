//! The scripts of `testbed/` on machines that are not this one: failing commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::process;

/// A folder that stands for a machine: its programs in `bin`, its sources of packages in `apt`.
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
}

fn testbed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testbed")
        .join(name)
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
    for folder in ["testbed", "release", ".ci"] {
        for entry in fs::read_dir(testbed("..").join(folder)).unwrap() {
            let path = entry.unwrap().path();
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
