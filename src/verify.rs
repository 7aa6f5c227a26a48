//! `ghcr-publish verify`: what a registry holds of an image, and who signed it. Writes nothing.

mod provenance;

use std::future::ready;
use std::time::Duration;

use crate::console::Console;
use crate::context::api_url_of;
use crate::context::server::Server;
use crate::credentials::{self, Credentials};
use crate::deadline::{Deadline, Pace};
use crate::error::{Explanation, Problem};
use crate::github::GitHub;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::inputs::verify::ImageReference;
use crate::proxy;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::verify::Verified;
use crate::registry::{Registry, Repository};
use crate::report::result::Failure;
use crate::report::result::verification::{ImageResult, Verification};
use crate::sigstore::verify::Root;
use crate::tls::Trust;
use crate::vars::Vars;
use crate::verify::provenance::Provenance;

/// For short outages: whoever verifies waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For a host that is not found, or refuses connections.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What verifying needs.
struct Verifier {
    inputs: Inputs,
    credentials: Credentials,
    server: Server,
    server_url: String,
    trust: Trust,
    github: GitHub,
    /// The root in the input `trusted-root`.
    trusted_root: Option<Root>,
    console: Console,
}

/// Verifies every reference, one line per check; `verification` says how far it came. The errors are the first thing
/// that is wrong with each.
pub(crate) async fn verify(
    with: &[(String, String)],
    verification: &mut Verification,
    vars: &Vars,
    console: Console,
) -> Vec<anyhow::Error> {
    let verifier = match Verifier::new(with, vars, console) {
        Ok(verifier) => verifier,
        Err(error) => return vec![error],
    };
    let mut failures = Vec::new();
    for reference in &verifier.inputs.verify.references {
        let mut result = ImageResult {
            reference: reference.text.clone(),
            ..ImageResult::default()
        };
        if let Err(error) = verifier.check(reference, &mut result).await {
            console.answer(&format!("✗ {}", Explanation::of(&error).what));
            result.error = Some(Failure::of(&error));
            failures.push(error);
        }
        verification.images.push(result);
    }
    failures
}

impl Verifier {
    fn new(with: &[(String, String)], vars: &Vars, console: Console) -> anyhow::Result<Self> {
        let mut inputs = Inputs::from_vars(vars, with)?;
        inputs.secrets().for_each(|secret| console.mask(secret));
        let warnings = inputs.warnings.iter();
        warnings.for_each(|warning| console.warning(None, warning));
        if inputs.verify.references.is_empty() {
            let fix = "name an image: `references` in a workflow, `ghcr-publish verify ghcr.io/acme/app:1.2.3` on the command line";
            return Err(Problem::new("no image to verify is named", fix).into());
        }
        let server_url = vars
            .get("GITHUB_SERVER_URL")
            .unwrap_or("https://github.com");
        let server_url = server_url.trim_end_matches('/').to_owned();
        let server = Server::of(&server_url);
        if let Some(text) = credentials::withhold_token(&mut inputs, &server, vars) {
            console.notice(&text);
        }
        let trust = Trust::read(inputs.destination.ca_cert.as_ref(), vars.workspace())?;
        let trust = trust.behind(proxy::proxies(vars)?);
        let trusted_root = Root::of_input(&inputs.attest, vars)?;
        let api = api_url_of(vars, &server_url);
        let github = GitHub::new(&api, inputs.github_token.clone(), trust.clone(), console);
        Ok(Self {
            credentials: Credentials::new(&inputs, vars, &server)?,
            inputs,
            server,
            server_url,
            trust,
            github,
            trusted_root,
            console,
        })
    }

    /// One line for each check that passes; the first that does not is the error.
    async fn check(
        &self,
        reference: &ImageReference,
        result: &mut ImageResult,
    ) -> anyhow::Result<()> {
        let registry = self.connect(reference.name.registry()).await?;
        let deadline = Deadline::after(TIMEOUT, Pace::REAL);
        let repository = registry.read_only(reference.name.repository(), deadline);
        let image = self.resolve(reference, repository).await?;
        self.say_digest(reference, &image, result);
        let verified = repository.verify_manifest(image, ready(())).await;
        let verified = verified.map_err(|error| incomplete(reference, &error))?;
        self.say_parts(&verified, result);
        let image = &verified.manifest;
        let provenance = self.provenance(reference, repository, image).await?;
        self.say_provenance(&provenance, result);
        Ok(())
    }

    async fn connect(&self, host: &str) -> anyhow::Result<Registry> {
        Registry::new(
            host,
            self.server.kind(host),
            self.credentials.login(host).await?,
            &self.trust,
            Pace::REAL,
            self.console,
        )
    }

    /// The manifest under the tag, the digest, or both.
    async fn resolve(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
    ) -> anyhow::Result<Manifest> {
        let unreadable = |error: String| {
            let what = format!("cannot read `{}`", reference.text);
            let fix = "check the name and, for a private image, the credentials; a workflow needs `packages: read` in the job's `permissions:`";
            Problem::new(what, fix).because(error)
        };
        let Some(tag) = &reference.tag else {
            let digest = reference.digest.as_ref();
            let digest =
                digest.ok_or_else(|| unreadable("it has neither tag nor digest".into()))?;
            let read = async |repository| CopySource::Repository(repository).manifest(digest).await;
            let read = read_if_it_responds(repository, read).await;
            return Ok(read.map_err(|error| unreadable(error.to_string()))?);
        };
        let read = async |repository: Repository<'_>| repository.manifest_of(tag).await;
        let shown = read_if_it_responds(repository, read).await;
        let shown = shown.map_err(|error| unreadable(error.to_string()))?;
        let shown = shown.ok_or_else(|| unreadable(format!("the tag `{tag}` does not exist")))?;
        match &reference.digest {
            Some(digest) if *digest != shown.digest => {
                Err(another_image(reference, tag, digest, &shown).into())
            }
            _ => Ok(shown),
        }
    }

    fn say_digest(&self, reference: &ImageReference, image: &Manifest, result: &mut ImageResult) {
        result.digest = Some(image.digest.clone());
        let text = format!("✓ {} → {}", reference.text, image.digest);
        self.console.answer(&text);
    }

    fn say_parts(&self, verified: &Verified, result: &mut ImageResult) {
        let platforms = verified.platforms.iter();
        result.platforms = platforms.map(|image| image.platform.clone()).collect();
        for image in &verified.platforms {
            let blobs = counted(image.blobs, "blob");
            let text = format!("✓ {}: manifest and {blobs}", image.platform);
            self.console.answer(&text);
        }
        let below = verified.digests.len() - 1;
        let others = match verified.platforms.as_slice() {
            [image] if image.digest == verified.manifest.digest => below,
            platforms => below.saturating_sub(platforms.len()),
        };
        if others > 0 {
            let others = counted(others, "other manifest");
            self.console.answer(&format!("✓ {others} with all blobs"));
        } else if verified.platforms.is_empty() {
            self.console
                .answer("✓ no platform: manifest and all its blobs");
        }
    }

    fn say_provenance(&self, provenance: &Provenance, result: &mut ImageResult) {
        let Provenance { verified, store } = provenance;
        let commit = verified.commit.as_deref().unwrap_or("unknown");
        self.console.answer(&format!(
            "✓ provenance signed by {} at {}, commit {commit} (found {store})",
            verified.identity, verified.signed_at
        ));
        result.attestation = Some(provenance.to_result());
    }
}

/// Reads until the deadline if there is a server that responds: one that does not exist has no outage.
async fn read_if_it_responds<'a, T>(
    repository: Repository<'a>,
    read: impl AsyncFn(Repository<'a>) -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    match read(repository.at_most(RESPONSE_TIMEOUT)).await {
        Err(error) if error.is_transient() && !error.is_down() => read(repository).await,
        first => first,
    }
}

fn incomplete(reference: &ImageReference, error: &RegistryError) -> Problem {
    let (what, fix) = match error {
        RegistryError::NotFound(_) | RegistryError::Invalid { .. } => (
            format!("`{}` is not complete in the registry", reference.text),
            "publish the image again, and find out whether a clean-up deletes what it needs",
        ),
        _ => (
            format!("cannot read all of `{}`", reference.text),
            "check the registry's status and the credentials, then verify again",
        ),
    };
    Problem::new(what, fix).because(error.to_string())
}

/// Why the tag does not show `digest`.
fn another_image(
    reference: &ImageReference,
    tag: &Tag,
    digest: &Digest,
    shown: &Manifest,
) -> Problem {
    let (name, index) = (&reference.name, &shown.digest);
    let listed = shown.content().map(|content| content.manifests);
    let mut listed = listed.into_iter().flatten();
    if listed.any(|child| child.digest == digest.as_str()) {
        return Problem::new(
            format!("`{name}:{tag}` shows an index, not the image of one platform"),
            format!("verify the index: `{name}:{tag}@{index}`"),
        )
        .because(format!("{digest} is an image in the index"));
    }
    Problem::new(
        format!("`{name}:{tag}` shows another image"),
        "verify the digest that you deploy, or find out who moved the tag",
    )
    .because(format!("it shows {index}, not {digest}"))
}

/// `1 blob`, `2 blobs`
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
