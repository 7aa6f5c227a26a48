//! The argument vector and the environment of the child, as values.

use std::path::Path;

use crate::plan::build::BuildRequest;
use crate::vars::Vars;

/// Variables of ours that the engine may see; everything else, tokens above all, stays here.
const ALLOWED: &[&str] = &[
    "ALL_PROXY",
    "BUILDKIT_HOST",
    "BUILDX_BUILDER",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "NO_PROXY",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Settings of buildx that hold whatever the person's environment says: no build arguments or event
/// payload in the metadata file, no attestations unless asked for, no call of `git`.
const FIXED: &[(&str, &str)] = &[
    ("BUILDX_METADATA_PROVENANCE", "disabled"),
    ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),
    ("BUILDX_GIT_INFO", "false"),
];

/// The child's whole environment.
pub(super) fn environment(
    vars: &Vars,
    docker_config: &Path,
    buildx_config: &Path,
) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let allowed = vars
        .iter()
        .filter(|(name, _)| ALLOWED.contains(name))
        .map(own);
    let fixed = FIXED.iter().copied().map(own);
    let folders = [
        ("DOCKER_CONFIG", docker_config),
        ("BUILDX_CONFIG", buildx_config),
    ];
    let folders = folders.map(|(name, path)| (name.to_owned(), path.display().to_string()));
    allowed.chain(fixed).chain(folders).collect()
}

/// The arguments of `buildx build`: each value in its own `--flag=value`, the context behind `--`.
pub(super) fn build_arguments(request: &BuildRequest, metadata_file: &Path) -> Vec<String> {
    let BuildRequest {
        context,
        file: _,
        target,
        platforms,
        build_args,
        labels,
        annotations,
        no_cache,
        pull,
        names,
        push,
    } = request;
    let mut arguments = vec!["build".to_owned(), "--progress=rawjson".to_owned()];
    arguments.push(format!("--metadata-file={}", metadata_file.display()));
    arguments.push(format!("--file={}", request.dockerfile()));
    arguments.extend(target.iter().map(|target| format!("--target={target}")));
    arguments.extend(
        platforms
            .iter()
            .map(|platform| format!("--platform={platform}")),
    );
    arguments.extend(
        build_args
            .iter()
            .map(|(name, value)| format!("--build-arg={name}={value}")),
    );
    arguments.extend(
        labels
            .iter()
            .map(|(key, value)| format!("--label={key}={value}")),
    );
    arguments.extend(
        annotations
            .iter()
            .map(|annotation| format!("--annotation={annotation}")),
    );
    arguments.extend(no_cache.then(|| "--no-cache".to_owned()));
    arguments.extend(pull.then(|| "--pull".to_owned()));
    arguments.extend(names.iter().map(|name| format!("--tag={name}")));
    arguments.push(output(*push));
    arguments.extend(["--".to_owned(), context.clone()]);
    arguments
}

/// Annotations belong to OCI manifests only, so the OCI media types are asked for.
fn output(push: bool) -> String {
    format!("--output=type=image,oci-mediatypes=true,push={push}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ImageName, Tag, Tagged};
    use expect_test::expect;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    fn request() -> BuildRequest {
        BuildRequest {
            context: "examples/hello".to_owned(),
            file: None,
            target: Some("final".to_owned()),
            platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
            build_args: vec![pair("VERSION", "1, 2=3")],
            labels: vec![pair("a", "b c")],
            annotations: vec!["index,manifest:k=--v".to_owned()],
            no_cache: true,
            pull: true,
            names: vec![Tagged {
                name: ImageName::parse("acme/x", "ghcr.io").unwrap(),
                tag: Tag::sanitized("1").unwrap(),
            }],
            push: true,
        }
    }

    #[test]
    fn every_part_of_the_request_is_one_argument() {
        let arguments = build_arguments(&request(), Path::new("/run/x/metadata.json"));
        expect![[r"
            build
            --progress=rawjson
            --metadata-file=/run/x/metadata.json
            --file=examples/hello/Dockerfile
            --target=final
            --platform=linux/amd64
            --platform=linux/arm64
            --build-arg=VERSION=1, 2=3
            --label=a=b c
            --annotation=index,manifest:k=--v
            --no-cache
            --pull
            --tag=ghcr.io/acme/x:1
            --output=type=image,oci-mediatypes=true,push=true
            --
            examples/hello"]]
        .assert_eq(&arguments.join("\n"));
    }

    #[test]
    fn the_child_sees_nothing_but_the_list() {
        let vars = Vars::of(&[
            ("PATH", "/bin"),
            ("GITHUB_TOKEN", "t"),
            ("INPUT_PASSWORD", "p"),
            ("ACTIONS_RUNTIME_TOKEN", "r"),
            ("DOCKER_AUTH_CONFIG", "x"),
        ]);
        let environment = environment(&vars, Path::new("/run/x"), Path::new("/run/x/buildx"));
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        expect![[r"
            PATH=/bin
            BUILDX_METADATA_PROVENANCE=disabled
            BUILDX_NO_DEFAULT_ATTESTATIONS=1
            BUILDX_GIT_INFO=false
            DOCKER_CONFIG=/run/x
            BUILDX_CONFIG=/run/x/buildx"]]
        .assert_eq(&environment.join("\n"));
    }
}
