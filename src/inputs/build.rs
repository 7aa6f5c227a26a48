//! `BuildInputs`: the inputs of the build itself.

use crate::error::{InputError, Problem};
use crate::image::platform;
use crate::image::platform::canonical;
use crate::inputs::cache::{CacheKey, CacheKind};
use crate::inputs::list::Entry;
use crate::inputs::raw::RawInputs;
use crate::inputs::sandbox::Sandbox;
use crate::inputs::secrets::BuildSecret;
use crate::inputs::source::Source;
use crate::inputs::spec::Spec;
use crate::inputs::{cache, list, results, source};
use crate::secret::Secret;

/// The inputs of the build; each list in the order it was written.
#[derive(Clone, Debug)]
pub(crate) struct BuildInputs {
    pub(crate) parameters: Parameters,
    pub(crate) context: Option<Source>,
    /// Other contexts, by name.
    pub(crate) contexts: Vec<(String, Source)>,
    pub(crate) cache: CacheKind,
    pub(crate) cache_from: Vec<Spec>,
    pub(crate) cache_to: Vec<Spec>,
    pub(crate) attestations: Vec<Spec>,
    pub(crate) outputs: Vec<Spec>,
    /// Whether the engine keeps the image for `docker run`.
    pub(crate) load: bool,
    pub(crate) reproducible: bool,
}

/// What buildx is given as the inputs say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The Dockerfile: a path relative to the workspace, or to the repository if the engine fetches that, or a web
    /// address. If it is not named, it is the one of the context.
    pub(crate) file: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) platforms: Vec<String>,
    pub(crate) build_args: Vec<(String, String)>,
    /// The build arguments as a plan shows them: with the value if an expression is in it, else by name.
    pub(crate) shown_args: Vec<String>,
    pub(crate) secrets: Vec<BuildSecret>,
    pub(crate) sandbox: Sandbox,
    pub(crate) cache_keys: Vec<CacheKey>,
    pub(crate) no_cache: bool,
    pub(crate) no_cache_filters: Vec<String>,
    pub(crate) pull: bool,
    /// A question in place of a build.
    pub(crate) call: Option<Call>,
}

/// The input `call`: a question about the Dockerfile, in place of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Check,
    Outline,
    Targets,
}

impl Call {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Outline => "outline",
            Self::Targets => "targets",
        }
    }
}

impl BuildInputs {
    pub(super) fn read(raw: &RawInputs, secrets: Vec<BuildSecret>) -> Result<Self, Problem> {
        let platforms = platforms("platforms", raw.untrimmed("platforms"))?;
        let load = raw.flag("load", false)?;
        if load && platforms.len() > 1 {
            return Err(loads_one_platform());
        }
        let mut cache_from = cache::parse("cache-from", raw.untrimmed("cache-from"))?;
        let begin = cache_from.len();
        cache_from.extend(cache::parse("cache-to", raw.untrimmed("cache-to"))?);
        let cache_keys = cache::take_keys(&mut cache_from)?;
        let cache_to = cache_from.split_off(begin);
        Ok(Self {
            parameters: Parameters {
                file: file(raw)?,
                target: raw.text("target").map(str::to_owned),
                platforms,
                build_args: build_args(raw)?,
                shown_args: Vec::new(),
                secrets,
                sandbox: Sandbox::read(raw)?,
                cache_keys,
                no_cache: raw.flag("no-cache", false)?,
                no_cache_filters: texts(raw, "no-cache-filters")?,
                pull: raw.flag("pull", false)?,
                call: raw.parsed("call", call)?.flatten(),
            },
            context: context(raw)?,
            contexts: contexts(raw)?,
            cache: raw.parsed("cache", cache::kind)?.unwrap_or(CacheKind::None),
            cache_from,
            cache_to,
            attestations: results::attestations(raw)?,
            outputs: results::outputs(raw.untrimmed("outputs"))?,
            load,
            reproducible: raw.flag("reproducible", false)?,
        })
    }

    /// Refuses a build argument that contains one of `tokens`: everyone with the image can read it.
    pub(super) fn refuse_secret_arguments<'a>(
        &self,
        tokens: impl Iterator<Item = &'a Secret>,
    ) -> Result<(), Problem> {
        let tokens: Vec<&str> = tokens.map(Secret::expose).collect();
        let carries = |value: &str| tokens.iter().any(|token| value.contains(token));
        match self.parameters.build_args.iter().find(|(_, value)| carries(value)) {
            None => Ok(()),
            Some((name, _)) => Err(Problem::new(
                format!("the input `build-args` sets `{name}` to the token"),
                format!("pass it as a secret: `secrets: {name}=…`, and `RUN --mount=type=secret,id={name}` in the Dockerfile"),
            )
            .because("build arguments are visible in the image history and in the provenance")),
        }
    }
}

fn loads_one_platform() -> Problem {
    let host = platform::of_host();
    Problem::new(
        "the input `load` is `true`, but `platforms` lists more than one platform",
        format!("set `platforms: {host}` to load the image of this machine only; push the other platforms in a separate step"),
    )
    .because("the engine loads images of one platform only")
}

fn context(raw: &RawInputs) -> Result<Option<Source>, Problem> {
    let Some(text) = raw.text("context") else {
        return Ok(None);
    };
    Source::parse(text)
        .map(Some)
        .map_err(|error| refused("context", text, error))
}

fn file(raw: &RawInputs) -> Result<Option<String>, Problem> {
    let Some(text) = raw.text("file") else {
        return Ok(None);
    };
    if text == "-" {
        let error = InputError::new("standard input is not available", "name a file");
        return Err(refused("file", text, error));
    }
    source::refuse_login(text).map_err(|error| refused("file", text, error))?;
    Ok(Some(text.to_owned()))
}

/// The text is shown unless it holds a login.
fn refused(input: &str, text: &str, error: InputError) -> Problem {
    let what = match source::refuse_login(text) {
        Ok(()) => format!("invalid value `{text}` for the input `{input}`"),
        Err(_) => format!("invalid value in the input `{input}`"),
    };
    Problem::new(what, error.fix).because(error.because)
}

fn build_args(raw: &RawInputs) -> Result<Vec<(String, String)>, Problem> {
    let entries = list::entries("build-args", raw.untrimmed("build-args"))?;
    entries.iter().map(build_arg).collect()
}

fn build_arg(entry: &Entry) -> Result<(String, String), Problem> {
    match entry.text().split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err(Problem::new(
            format!("invalid line `{}` in the input `build-args`", entry.text()),
            "write one `name=value` per line, for example `VERSION=1.2.3`",
        )),
    }
}

fn contexts(raw: &RawInputs) -> Result<Vec<(String, Source)>, Problem> {
    let entries = list::entries("build-contexts", raw.untrimmed("build-contexts"))?;
    let contexts = entries.iter().map(|entry| {
        let pair = entry.text().split_once('=');
        let Some((name, text)) = pair.filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(entry.problem(InputError::new(
                "it is not `name=source`",
                "write for example `docs=./docs` or `alpine=docker-image://alpine:3`",
            )));
        };
        match Source::parse_named(text.trim()) {
            Ok(source) => Ok((name.trim().to_owned(), source)),
            Err(error) if source::refuse_login(text).is_err() => Err(entry.private_problem(error)),
            Err(error) => Err(entry.problem(error)),
        }
    });
    contexts.collect()
}

fn texts(raw: &RawInputs, name: &'static str) -> Result<Vec<String>, Problem> {
    let entries = list::comma_entries(name, raw.untrimmed(name))?;
    Ok(entries
        .iter()
        .map(|entry| entry.text().to_owned())
        .collect())
}

fn call(text: &str) -> Result<Option<Call>, &'static str> {
    match text {
        "build" => Ok(None),
        "check" | "lint" => Ok(Some(Call::Check)),
        "outline" => Ok(Some(Call::Outline)),
        "targets" => Ok(Some(Call::Targets)),
        _ => Err("write `build`, `check`, `outline` or `targets`"),
    }
}

/// The platforms in the spelling the engine shows, none twice.
pub(crate) fn platforms(input: &'static str, text: &str) -> Result<Vec<String>, Problem> {
    let mut platforms = Vec::new();
    for entry in list::comma_entries(input, text)? {
        let platform = canonical(entry.text()).map_err(|error| unknown(input, &entry, error))?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

fn unknown(input: &str, entry: &Entry, error: InputError) -> Problem {
    let what = format!("invalid platform `{}` in the input `{input}`", entry.text());
    Problem::new(what, error.fix).because(error.because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(platforms("platforms", text).unwrap(), expected);
    }

    #[test]
    fn every_spelling_becomes_the_canonical_platform() {
        check("linux/amd64,linux/arm64", &["linux/amd64", "linux/arm64"]);
        check(
            "Linux/x86_64, amd64\nlinux/arm64/v8",
            &["linux/amd64", "linux/arm64"],
        );
        check("linux/arm", &["linux/arm/v7"]);
        check(
            "armhf\nlinux/arm/6\n386",
            &["linux/arm/v7", "linux/arm/v6", "linux/386"],
        );
        check("windows(10.0.17763)/amd64", &["windows(10.0.17763)/amd64"]);
        check("linux/amd64/v2", &["linux/amd64/v2"]);
        check("local", &["local"]);
        check("", &[]);
    }

    #[test]
    fn unknown_platform_is_refused_with_the_nearest_name() {
        let refused = |text: &str| {
            Explanation::of(&platforms("platforms", text).unwrap_err().into()).to_string()
        };
        expect_test::expect![[r#"
            invalid platform `linux/amd46` in the input `platforms`
              because: unknown architecture `amd46`
              fix: write `amd64`, `arm64`, `arm`, `386`, `ppc64le`, `ppc64`, `s390x`, `riscv64`, `loong64`, `mips`, `mipsle`, `mips64`, `mips64le` or `wasm`; did you mean `amd64`?"#]]
        .assert_eq(&refused("linux/amd46"));
        assert!(refused("linus/amd64").contains("did you mean `linux`?"));
        assert!(refused("linux/arm/v7/x").contains("more than three parts"));
        assert!(refused("linux/arm/v7 x").contains("`v7 x` is not a variant"));
        assert!(refused("linux/amd64;linux/arm64").contains("`amd64;linux`"));
    }
}
