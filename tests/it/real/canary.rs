//! Secrets of a build by the real engine, looked for in everything that is pushed.

mod properties {
    use std::fs;

    use memchr::memmem;
    use serde_json::Value;

    use super::super::world::{Crane, DebianRegistry, publication};
    use crate::properties::encodings;
    use crate::support::{TOKEN, process};
    use testkit::proof::Proof;
    use testkit::runner;

    const BUILD: &str = "canary*of the+build 05";
    const FILE: &str = "canary*of the+file 06";

    /// The image uses its secrets, and keeps what has nothing to do with them.
    const DOCKERFILE: &str = "FROM testbed/debian:trixie\n\
        RUN --mount=type=secret,id=npm --mount=type=secret,id=file cat /run/secrets/npm /run/secrets/file && env && cat /proc/1/cmdline /proc/self/environ && date > /made\n\
        COPY hello.txt /hello.txt\n";

    /// Every manifest and blob below `reference`, by what it is.
    fn parts(crane: &Crane, image: &str, digest: &str, parts: &mut Vec<(String, Vec<u8>)>) {
        let manifest = crane.run(&["manifest", &format!("{image}@{digest}")]);
        let content: Value = serde_json::from_str(&manifest).unwrap();
        parts.push((format!("manifest {digest}"), manifest.into_bytes()));
        let list = |name: &str| content[name].as_array().cloned().unwrap_or_default();
        let text = |descriptor: &Value| descriptor["digest"].as_str().unwrap().to_owned();
        for child in list("manifests") {
            self::parts(crane, image, &text(&child), parts);
        }
        for blob in list("layers").iter().chain(content.get("config")) {
            let digest = text(blob);
            let bytes = crane.bytes(&["blob", &format!("{image}@{digest}")]);
            parts.push((format!("blob {digest}, unpacked"), unpacked(&bytes)));
            parts.push((format!("blob {digest}"), bytes));
        }
    }

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blob");
        fs::write(&path, bytes).unwrap();
        process("gzip")
            .arg("-dc")
            .arg(path)
            .output()
            .unwrap()
            .stdout
    }

    #[test]
    fn no_secret_is_in_anything_that_is_pushed() {
        let mut proof =
            Proof::of("canary, real engine: layers, config, history, attestations, metadata");
        let registry = DebianRegistry::start();
        let action = publication(None).event("push_tag");
        for name in ["Dockerfile", "npmrc"] {
            let text = if name == "npmrc" { FILE } else { DOCKERFILE };
            fs::write(action.path("workspace").join(name), text).unwrap();
        }
        let run = action
            .env("BUILD_SECRET", BUILD)
            .input("registry", registry.host())
            .input("provenance", "mode=max")
            .input("secret-envs", "npm=BUILD_SECRET")
            .input("secret-files", "file=npmrc")
            .input("no-cache", "true")
            .run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let crane = Crane::new(&registry.host());
        let mut sinks = Vec::new();
        parts(
            &crane,
            run.output("image"),
            run.output("digest"),
            &mut sinks,
        );
        assert!(sinks.len() > 6, "there are config, layers and attestations");
        let page =
            runner::shown(format!("{}\n{}\n{}", run.stdout, run.stderr, run.summary).as_bytes());
        sinks.push(("log and summary".to_owned(), page.into_bytes()));
        let outputs = run.outputs.values().cloned().collect::<String>();
        sinks.push(("outputs".to_owned(), outputs.into_bytes()));
        for (name, bytes) in &sinks {
            for secret in [TOKEN, BUILD, FILE] {
                // The log of a step shows a file it prints: the runner knows the values of inputs only.
                let is_printed = secret == FILE && name.starts_with("log");
                for form in encodings(secret) {
                    let found = memmem::find(bytes, &form).is_some() && !is_printed;
                    proof.case(if found {
                        Err(format!("{secret} in {name}"))
                    } else {
                        Ok(())
                    });
                }
            }
        }
        proof.end();
    }
}
