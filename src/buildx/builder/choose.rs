//! Which builder serves a request: a function of the inputs, the engine, and what the request needs.

use crate::docker::api::ImageStore;
use std::fmt;

use crate::inputs::builder::{BuilderInputs, Recipe};
use crate::inputs::spec::Spec;
use crate::plan::build::BuildRequest;
use crate::tls::Trust;

/// The features that a request needs and not every builder has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs(Vec<Need>);

/// A feature that not every builder has. The answers of the engine's builder are tested in
/// `tests/it/real/builders.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    SeveralPlatforms,
    /// Provenance or an SBOM from BuildKit.
    Attestations,
    /// Any but the inline cache.
    CacheExport,
    /// An image in a file: the outputs of the types `oci` and `docker` with a destination.
    ImageFile,
    /// A pushed image whose layers are compressed with zstd or estargz, or not at all. A graph driver takes the option and
    /// pushes layers that are compressed with gzip
    /// (<https://docs.docker.com/build/exporters/#compression>).
    Compression,
    /// A graph driver takes the option and ignores it; the containerd store refuses it, since it unpacks
    /// what it builds.
    RewrittenTimestamps,
    /// `allow: security.insecure`
    InsecureEntitlement,
    /// `ca-cert`: an engine reads the CA certificates it trusts from the disk of its own machine
    /// (<https://docs.docker.com/engine/security/certificates/>).
    PrivateCa,
}

/// The builder that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuilderChoice {
    /// The default of buildx: the engine's builder, or the one that the user selected.
    Current,
    Named(String),
    /// One that is created, because the inputs say so or for the reason given.
    Made {
        recipe: Recipe,
        reason: Option<String>,
    },
}

impl Needs {
    pub(crate) fn of(request: &BuildRequest, trust: &Trust) -> Self {
        let exports_cache = |cache: &Spec| cache.kind() != "inline";
        let is_file = |output: &Spec| match output.kind() {
            "oci" => true,
            "docker" => output.get("dest").is_some(),
            _ => false,
        };
        let is_compressed = |output: &Spec| {
            let compression = output.get("compression");
            output.kind() == "image" && compression.is_some_and(|it| it != "gzip")
        };
        let is_insecure = |right: &String| right.starts_with("security.insecure");
        let needs = [
            (
                request.parameters.platforms.len() > 1,
                Need::SeveralPlatforms,
            ),
            (!request.attestations.is_empty(), Need::Attestations),
            (
                request.cache_to.iter().any(exports_cache),
                Need::CacheExport,
            ),
            (
                request.layout.is_some() || request.outputs.iter().any(is_file),
                Need::ImageFile,
            ),
            (
                request.push && request.outputs.iter().any(is_compressed),
                Need::Compression,
            ),
            (request.timestamp.is_some(), Need::RewrittenTimestamps),
            (
                request.parameters.sandbox.allow.iter().any(is_insecure),
                Need::InsecureEntitlement,
            ),
            (trust.pem().is_some(), Need::PrivateCa),
        ];
        let needs = needs.into_iter().filter(|(needed, _)| *needed);
        Self(needs.map(|(_, need)| need).collect())
    }

    /// Whether it depends on the engine's store who can build this.
    pub(crate) fn depend_on_store(&self) -> bool {
        let decides = |need: &Need| {
            need.is_beyond(ImageStore::Graph) != need.is_beyond(ImageStore::Containerd)
        };
        self.0.iter().any(decides)
    }

    fn first_beyond(&self, store: ImageStore) -> Option<Need> {
        self.0.iter().copied().find(|need| need.is_beyond(store))
    }
}

impl Need {
    /// Whether the engine's builder cannot do it.
    fn is_beyond(self, store: ImageStore) -> bool {
        match self {
            Self::SeveralPlatforms
            | Self::Attestations
            | Self::CacheExport
            | Self::ImageFile
            | Self::Compression => store != ImageStore::Containerd,
            Self::RewrittenTimestamps | Self::InsecureEntitlement | Self::PrivateCa => true,
        }
    }
}

/// Chooses the builder; one that the user selected for buildx (`chosen`) is used.
pub(crate) fn choose(
    inputs: &BuilderInputs,
    chosen: Chosen,
    store: ImageStore,
    needs: &Needs,
) -> BuilderChoice {
    let insecure = needs.0.contains(&Need::InsecureEntitlement);
    let made = |recipe: Recipe, reason| BuilderChoice::Made {
        recipe: if insecure {
            recipe.allowing_insecure()
        } else {
            recipe
        },
        reason,
    };
    match (inputs, chosen, needs.first_beyond(store)) {
        (BuilderInputs::Named(name), _, _) => BuilderChoice::Named(name.clone()),
        (BuilderInputs::Made(recipe), _, _) => made(recipe.clone(), None),
        (BuilderInputs::Automatic, Chosen::ByPerson, _)
        | (BuilderInputs::Automatic, Chosen::ByNobody, None) => BuilderChoice::Current,
        (BuilderInputs::Automatic, Chosen::ByNobody, Some(need)) => {
            made(Recipe::container(), Some(reason(store, need)))
        }
    }
}

fn reason(store: ImageStore, need: Need) -> String {
    match store {
        _ if need.is_beyond(ImageStore::Containerd) => {
            format!("the engine's builder cannot {need}")
        }
        ImageStore::Graph => {
            format!("the engine keeps its images in a graph driver, which cannot {need}")
        }
        ImageStore::Containerd | ImageStore::Unknown => {
            format!("it is unknown whether the engine can {need}")
        }
    }
}

/// Whether somebody selected a builder outside the inputs: `BUILDX_BUILDER`, or `docker buildx use`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    ByPerson,
    ByNobody,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeveralPlatforms => "build for several platforms",
            Self::Attestations => "attach attestations",
            Self::CacheExport => "export a cache",
            Self::ImageFile => "write an image to a file",
            Self::Compression => "push layers with another compression than gzip",
            Self::RewrittenTimestamps => "rewrite timestamps",
            Self::InsecureEntitlement => "grant `security.insecure`",
            Self::PrivateCa => "trust a private CA",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn several() -> Needs {
        Needs(vec![Need::SeveralPlatforms])
    }

    #[track_caller]
    fn check(inputs: &BuilderInputs, store: ImageStore, needs: &Needs, expected: &str) {
        let choice = choose(inputs, Chosen::ByNobody, store, needs);
        let shown = match choice {
            BuilderChoice::Current => "current".to_owned(),
            BuilderChoice::Named(name) => format!("named {name}"),
            BuilderChoice::Made { recipe, reason } => {
                let driver = recipe.driver.as_str();
                reason.map_or(driver.to_owned(), |reason| format!("{driver}: {reason}"))
            }
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_engine_builds_when_it_can() {
        let automatic = BuilderInputs::Automatic;
        for store in [
            ImageStore::Containerd,
            ImageStore::Graph,
            ImageStore::Unknown,
        ] {
            check(&automatic, store, &Needs::default(), "current");
        }
        check(&automatic, ImageStore::Containerd, &several(), "current");
        check(
            &automatic,
            ImageStore::Graph,
            &several(),
            "docker-container: the engine keeps its images in a graph driver, which cannot build for several platforms",
        );
        check(
            &automatic,
            ImageStore::Unknown,
            &several(),
            "docker-container: it is unknown whether the engine can build for several platforms",
        );
    }

    #[test]
    fn builder_is_created_only_for_unsupported_requirements() {
        let automatic = BuilderInputs::Automatic;
        for need in [
            Need::Attestations,
            Need::CacheExport,
            Need::ImageFile,
            Need::Compression,
        ] {
            let needs = Needs(vec![need]);
            assert!(needs.depend_on_store());
            check(&automatic, ImageStore::Containerd, &needs, "current");
            let reason = format!(
                "docker-container: the engine keeps its images in a graph driver, which cannot {need}"
            );
            check(&automatic, ImageStore::Graph, &needs, &reason);
        }
        for need in [
            Need::RewrittenTimestamps,
            Need::InsecureEntitlement,
            Need::PrivateCa,
        ] {
            let needs = Needs(vec![need]);
            assert!(!needs.depend_on_store());
            let reason = format!("docker-container: the engine's builder cannot {need}");
            for store in [
                ImageStore::Containerd,
                ImageStore::Graph,
                ImageStore::Unknown,
            ] {
                check(&automatic, store, &needs, &reason);
            }
        }
    }

    #[test]
    fn created_builder_allows_the_requested_entitlement() {
        let needs = Needs(vec![Need::InsecureEntitlement]);
        let mut own = Recipe::container();
        own.nodes[0].buildkitd_flags = Some("--debug".to_owned());
        for (recipe, expected) in [
            (
                Recipe::container(),
                "--allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure",
            ),
            (own, "--debug"),
        ] {
            let inputs = BuilderInputs::Made(recipe);
            match choose(&inputs, Chosen::ByNobody, ImageStore::Unknown, &needs) {
                BuilderChoice::Made { recipe, .. } => {
                    assert_eq!(recipe.nodes[0].buildkitd_flags.as_deref(), Some(expected));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn selected_builder_is_used() {
        for store in [ImageStore::Containerd, ImageStore::Graph] {
            let named = BuilderInputs::Named("mine".to_owned());
            check(&named, store, &several(), "named mine");
            let made = BuilderInputs::Made(Recipe::container());
            check(&made, store, &Needs::default(), "docker-container");
        }
        let choice = choose(
            &BuilderInputs::Automatic,
            Chosen::ByPerson,
            ImageStore::Graph,
            &several(),
        );
        assert_eq!(choice, BuilderChoice::Current);
    }

    #[test]
    fn image_store_is_read_from_the_engine() {
        let status = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let containerd = status("driver-type", "io.containerd.snapshotter.v1");
        assert_eq!(ImageStore::of(&containerd), ImageStore::Containerd);
        assert_eq!(
            ImageStore::of(&status("Backing Filesystem", "extfs")),
            ImageStore::Graph
        );
        assert_eq!(ImageStore::of(&[]), ImageStore::Graph);
    }
}
