//! The argument vector and the environment of the child, as values.

mod csv;
pub(crate) mod environment;

#[cfg(test)]
mod properties;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::inputs::build::Call;
use crate::inputs::sandbox::Sandbox;
use crate::inputs::spec::Spec;
use crate::plan::build::BuildRequest;
use crate::plan::build::context_source::ContextSource;

/// Files of ours that the child reads and writes.
pub(crate) struct Files {
    pub(crate) metadata: PathBuf,
    /// Id and place of each secret.
    pub(crate) secrets: Vec<(String, PathBuf)>,
    /// The folder for the layout of an image that we push.
    pub(crate) layout: Option<PathBuf>,
}

/// Where the builder puts an image that is not pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageStore {
    /// The engine of this machine builds, and keeps what it builds.
    Engine,
    /// A builder apart from it, which hands over what the engine is to keep.
    Builder,
}

/// How a pushed image is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Under its tag.
    Tag,
    /// By its digest alone: the image is there before any tag shows it.
    Digest,
}

/// What the arguments depend on beside the request.
pub(crate) struct Settings<'a> {
    /// What `--builder` says; without it buildx takes the current one.
    pub(crate) builder: Option<&'a str>,
    pub(crate) store: ImageStore,
    pub(crate) naming: Naming,
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
    arguments.settings(request);
    arguments.sandbox(&request.sandbox);
    arguments.secrets(&files.secrets);
    match request.call {
        Some(call) => arguments.call(call),
        None => {
            arguments.result(request, &files.metadata);
            arguments.image(request, settings.naming);
            let layout = files.layout.as_ref();
            let layout = layout.and_then(|folder| request.layout_in(folder));
            arguments.specs("output", layout.as_slice());
            let handed_over = request.handed_over();
            let output = handed_over.filter(|_| settings.store == ImageStore::Builder);
            arguments.specs("output", output.as_slice());
        }
    }
    arguments
        .0
        .extend(["--".to_owned(), context(&request.context)]);
    arguments.0
}

/// A folder stays one, even when its name reads like an address.
fn context(place: &ContextSource) -> String {
    match place {
        ContextSource::Folder(folder)
            if folder.contains([':', '@']) && !folder.starts_with('/') =>
        {
            format!("./{folder}")
        }
        ContextSource::Folder(_) | ContextSource::Repository { .. } | ContextSource::Address(_) => {
            place.to_string()
        }
    }
}

/// Arguments in the order in which they are added.
struct Arguments(Vec<String>);

impl Arguments {
    fn new() -> Self {
        Self(vec!["build".to_owned(), "--progress=rawjson".to_owned()])
    }

    fn flag(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}"));
    }

    fn each<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        values.into_iter().for_each(|value| self.flag(name, value));
    }

    fn pairs(&mut self, name: &str, pairs: &[(String, String)]) {
        for (key, value) in pairs {
            self.flag(name, &format!("{key}={value}"));
        }
    }

    fn specs(&mut self, name: &str, specs: &[Spec]) {
        for spec in specs {
            self.flag(name, &csv::spec(spec));
        }
    }

    /// The answer comes as JSON on standard output.
    fn call(&mut self, call: Call) {
        let format = match call {
            Call::Check => ",format=json",
            Call::Outline | Call::Targets => "",
        };
        self.flag("call", &format!("{}{format}", call.as_str()));
    }

    /// What is made, what is recorded of it, and where it goes.
    fn result(&mut self, request: &BuildRequest, metadata: &Path) {
        self.flag("metadata-file", &metadata.display().to_string());
        self.pairs("label", &request.labels);
        self.each("annotation", &request.annotations);
        self.specs("attest", &request.attestations);
        self.specs("cache-to", &request.cache_to);
    }

    /// What is made under which name: a tag for each name, or the names in the image's output
    /// (<https://github.com/moby/buildkit/blob/v0.25.0/README.md#imageregistry>).
    fn image(&mut self, request: &BuildRequest, naming: Naming) {
        if naming == Naming::Tag {
            for name in &request.names {
                self.flag("tag", &name.to_string());
            }
            return self.specs("output", &request.outputs);
        }
        let names = request.names.iter().map(|tagged| tagged.name.to_string());
        let names: BTreeSet<String> = names.collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",");
        for output in &request.outputs {
            let output = match output.kind() {
                "image" => output
                    .clone()
                    .with("name", &names)
                    .with("push-by-digest", "true")
                    .with("name-canonical", "true"),
                _ => output.clone(),
            };
            self.specs("output", &[output]);
        }
    }

    fn builder(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.flag("builder", name);
        }
    }

    fn sources(&mut self, request: &BuildRequest) {
        // In a context that the engine fetches, it looks for the Dockerfile itself.
        match (&request.context, &request.file) {
            (ContextSource::Folder(_), _) => self.flag("file", &request.dockerfile()),
            (_, Some(file)) => self.flag("file", file),
            (_, None) => {}
        }
        for (name, place) in &request.contexts {
            self.flag("build-context", &format!("{name}={}", context(place)));
        }
        self.specs("cache-from", &request.cache_from);
    }

    fn settings(&mut self, request: &BuildRequest) {
        self.each("target", &request.target);
        self.each("platform", &request.platforms);
        self.pairs("build-arg", &request.build_args);
        self.each("no-cache-filter", &request.no_cache_filters);
        let switches = [("--no-cache", request.no_cache), ("--pull", request.pull)];
        let on = switches.iter().filter(|(_, is_on)| *is_on);
        self.0.extend(on.map(|(name, _)| (*name).to_owned()));
    }

    fn sandbox(&mut self, sandbox: &Sandbox) {
        let Sandbox {
            network,
            add_hosts,
            allow,
            ssh,
            shm_size,
            ulimits,
            cgroup_parent,
        } = sandbox;
        self.each("network", network);
        for host in add_hosts {
            // The one flag whose value buildx takes for a list.
            self.flag("add-host", &csv::line(std::slice::from_ref(host)));
        }
        self.each("allow", allow);
        self.each("ssh", ssh);
        self.each("shm-size", shm_size);
        self.each("ulimit", ulimits);
        self.each("cgroup-parent", cgroup_parent);
    }

    fn secrets(&mut self, secrets: &[(String, PathBuf)]) {
        for (id, file) in secrets {
            let fields = [format!("id={id}"), format!("src={}", file.display())];
            self.flag("secret", &csv::line(&fields));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::context::Context;
    use crate::inputs::Inputs;
    use crate::plan::Plan;
    use crate::vars::Vars;

    /// The request that inputs, given as the runner gives them, come to.
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
        let secrets = request.secrets.iter().enumerate();
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
            store: ImageStore::Builder,
            naming: Naming::Tag,
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
    fn conditions_of_the_sandbox() {
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
    fn sources_of_files() {
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
    fn secrets_are_files() {
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
    fn caches_that_are_read_and_written() {
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
    fn attestations_and_outputs() {
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
    fn a_question_makes_nothing() {
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
