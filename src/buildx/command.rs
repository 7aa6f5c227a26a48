//! The argument vector and the environment of the child, as values.

mod arguments;
pub(crate) mod environment;

#[cfg(test)]
mod properties;

use std::path::PathBuf;

use crate::buildx::command::arguments::Arguments;
use crate::plan::build::BuildRequest;

/// Our files that the child reads and writes.
pub(crate) struct Files {
    pub(crate) metadata: PathBuf,
    /// Id and file of each secret.
    pub(crate) secrets: Vec<(String, PathBuf)>,
    /// The directory for the layout of an image that we push.
    pub(crate) layout: Option<PathBuf>,
}

/// Where the builder puts an image that is not pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageDestination {
    /// The engine of this machine builds, and keeps the image.
    Engine,
    /// A separate builder, which exports the image to the engine when it is loaded.
    Builder,
}

/// How a pushed image is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Under its tag.
    Tag,
    /// By its digest only: no tag points to the image yet.
    Digest,
}

/// The settings of the arguments that are not part of the request.
pub(crate) struct Settings<'a> {
    /// The value of `--builder`; without it buildx uses the current one.
    pub(crate) builder: Option<&'a str>,
    pub(crate) store: ImageDestination,
    pub(crate) naming: Naming,
    /// Whether a policy must be enforced.
    pub(crate) is_policy_strict: bool,
}

/// The arguments of `buildx build`: each value in its own `--flag=value`, the context behind `--`.
pub(crate) fn build_arguments(
    request: &BuildRequest,
    files: &Files,
    settings: &Settings<'_>,
) -> Vec<String> {
    let mut arguments = Arguments::new();
    arguments.builder(settings.builder);
    arguments.sources(request);
    arguments.policy(settings.is_policy_strict);
    arguments.settings(request);
    arguments.sandbox(&request.parameters.sandbox);
    arguments.secrets(&files.secrets);
    match request.parameters.call {
        Some(call) => arguments.call(call),
        None => {
            arguments.result(request, &files.metadata);
            arguments.image(request, settings.naming);
            let layout = files.layout.as_ref();
            let layout = layout.and_then(|directory| request.layout_in(directory));
            arguments.specs("output", layout.as_slice());
            let handed_over = request.handed_over();
            let output = handed_over.filter(|_| settings.store == ImageDestination::Builder);
            arguments.specs("output", output.as_slice());
        }
    }
    arguments.ending_with(&request.context)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::context::Context;
    use crate::inputs::Inputs;
    use crate::plan::Plan;
    use crate::vars::Vars;

    /// The build request of the inputs.
    fn request(inputs: &[(&str, &str)]) -> BuildRequest {
        let run = [
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_REF", "refs/tags/v1"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("GITHUB_RUN_ID", "17"),
            ("TOKEN_OF_NPM", "hunter2"),
        ];
        let inputs: Vec<(String, String)> = inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let vars = Vars::of(&run);
        let inputs = Inputs::from_vars(&vars, &inputs).unwrap();
        let context = Context::from_vars(&vars).unwrap();
        let plan = Plan::new(&inputs, &context, |_| true, chrono::DateTime::UNIX_EPOCH);
        BuildRequest {
            labels: Vec::new(),
            annotations: Vec::new(),
            ..plan.unwrap().build
        }
    }

    pub(crate) fn bare_request() -> BuildRequest {
        request(&[])
    }

    fn arguments(request: &BuildRequest) -> String {
        let secrets = request.parameters.secrets.iter().enumerate();
        let files = Files {
            metadata: PathBuf::from("/run/x/metadata.json"),
            secrets: secrets
                .map(|(at, secret)| {
                    (
                        secret.id.clone(),
                        PathBuf::from(format!("/run/x/secret-{at}")),
                    )
                })
                .collect(),
            layout: Some(PathBuf::from("/private/image")),
        };
        let settings = Settings {
            builder: None,
            store: ImageDestination::Builder,
            naming: Naming::Tag,
            is_policy_strict: false,
        };
        let arguments = build_arguments(request, &files, &settings);
        let flags = arguments
            .iter()
            .filter_map(|argument| argument.split_once('='));
        let unknown = flags.filter(|(flag, _)| flag.starts_with("--") && !is_old(flag));
        assert!(unknown.into_iter().all(|(flag, _)| flag == "--call"));
        arguments.join("\n")
    }

    /// Whether the oldest buildx that is supported has a flag.
    fn is_old(flag: &str) -> bool {
        include_str!("../../tests/it/fixtures/buildx-0.13.1-help.txt").contains(&format!("{flag} "))
    }

    /// What differs from the arguments of a request without inputs.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn check(inputs: &[(&str, &str)], expected: Expect) {
        let plain = arguments(&bare_request());
        let plain: Vec<&str> = plain.lines().collect();
        let arguments = arguments(&request(inputs));
        let own: Vec<&str> = arguments
            .lines()
            .filter(|line| !plain.contains(line))
            .collect();
        expected.assert_eq(&own.join("\n"));
    }

    #[test]
    fn every_part_of_the_request_is_one_argument() {
        let request = BuildRequest {
            labels: vec![("a".to_owned(), "b c".to_owned())],
            annotations: vec!["index,manifest:k=--v".to_owned()],
            ..request(&[
                ("target", "final"),
                ("platforms", "linux/amd64,linux/arm64"),
                ("build-args", "VERSION=1, 2=3"),
                ("no-cache", "true"),
                ("pull", "true"),
                ("context", "examples/hello"),
            ])
        };
        expect![[r#"
            build
            --progress=rawjson
            --file=examples/hello/Dockerfile
            --target=final
            --platform=linux/amd64
            --platform=linux/arm64
            --build-arg=VERSION=1, 2=3
            --no-cache
            --pull
            --metadata-file=/run/x/metadata.json
            --label=a=b c
            --annotation=index,manifest:k=--v
            --tag=ghcr.io/acme/widget:v1
            --output=type=image,oci-mediatypes=true,push=true
            --
            examples/hello"#]]
        .assert_eq(&arguments(&request));
    }

    #[test]
    fn sandbox_flags() {
        check(
            &[
                ("network", "none"),
                ("add-hosts", "a:10.0.0.1,b:::1"),
                ("allow", "network.host,device=x"),
                ("shm-size", "2g"),
                ("ulimit", "nofile=1:2"),
                ("cgroup-parent", "/x"),
                ("ssh", "default,key=id_ed25519"),
            ],
            expect![[r#"
                --network=none
                --add-host=a:10.0.0.1
                --add-host=b:::1
                --allow=network.host
                --allow=device=x
                --ssh=default
                --ssh=key=id_ed25519
                --shm-size=2g
                --ulimit=nofile=1:2
                --cgroup-parent=/x"#]],
        );
    }

    #[test]
    fn context_and_dockerfile_flags() {
        check(
            &[("context", "-x"), ("file", "docker/Web")],
            expect![[r#"
                --file=docker/Web
                -x"#]],
        );
        check(
            &[("context", "github.com/acme/other"), ("file", "Web")],
            expect![[r#"
                --file=Web
                https://github.com/acme/other"#]],
        );
        check(
            &[
                ("context", "{{defaultContext}}:app"),
                (
                    "build-contexts",
                    "docs=./docs\nrepo={{defaultContext}}:docs\nalpine=docker-image://alpine:3\nodd=git@host/x",
                ),
                ("github-token", "ghs_token"),
            ],
            expect![[r#"
                --build-context=docs=./docs
                --build-context=repo=https://github.com/Acme/Widget.git#0123456789abcdef:docs
                --build-context=alpine=docker-image://alpine:3
                --build-context=odd=./git@host/x
                --secret=id=GIT_AUTH_TOKEN.github.com,src=/run/x/secret-0
                https://github.com/Acme/Widget.git#0123456789abcdef:app"#]],
        );
    }

    #[test]
    fn secret_flags_point_to_files() {
        check(
            &[
                ("secrets", "npm=hunter2\na,src=/etc/passwd=x"),
                ("secret-envs", "env=TOKEN_OF_NPM"),
                ("secret-files", "file=.npmrc"),
            ],
            expect![[r#"
                --secret=id=npm,src=/run/x/secret-0
                --secret="id=a,src",src=/run/x/secret-1
                --secret=id=env,src=/run/x/secret-2
                --secret=id=file,src=/run/x/secret-3"#]],
        );
    }

    #[test]
    fn cache_flags() {
        check(
            &[
                ("cache-from", "GHCR.io/Acme/X:Main\ntype=local,src=a"),
                ("cache-to", "type=registry,ref=Acme/X:Main,mode=max"),
                ("no-cache-filters", "base,final"),
            ],
            expect![[r#"
                --cache-from=type=registry,ref=ghcr.io/acme/x:Main
                --cache-from=type=local,src=a
                --no-cache-filter=base
                --no-cache-filter=final
                --cache-to=type=registry,ref=acme/x:Main,mode=max"#]],
        );
    }

    #[test]
    fn attestation_and_output_flags() {
        check(
            &[
                ("provenance", "max"),
                ("sbom", "generator=acme/scanner:1"),
                ("attests", "type=other,a=b"),
                (
                    "outputs",
                    "type=oci,\"dest=a,push=true.tar\"\ntype=image,compression=zstd",
                ),
                ("load", "true"),
            ],
            expect![[r#"
                --attest=type=provenance,mode=max,builder-id=https://github.com/Acme/Widget/actions/runs/17/attempts/1
                --attest=type=sbom,generator=acme/scanner:1
                --attest=type=other,a=b
                --output=type=image,oci-mediatypes=true,compression=zstd,push=true
                --output=type=oci,"dest=a,push=true.tar"
                --output=type=docker"#]],
        );
    }

    #[test]
    fn call_creates_no_image() {
        expect![[r#"
            build
            --progress=rawjson
            --file=Dockerfile
            --target=x
            --call=check,format=json
            --
            ."#]]
        .assert_eq(&arguments(&request(&[
            ("call", "check"),
            ("cache-to", "a/b"),
            ("outputs", "out"),
            ("target", "x"),
        ])));
        check(&[("call", "outline")], expect!["--call=outline"]);
    }
}
