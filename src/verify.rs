//! `ghcr-publish verify`: what a registry holds of an image, and who signed it. Writes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::console::Console;
use crate::context::server::Server;
use crate::context::{RepositoryName, api_url_of};
use crate::credentials::{self, Credentials};
use crate::deadline::{Deadline, Pace};
use crate::error::{Explanation, Problem};
use crate::github::GitHub;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::inputs::Inputs;
use crate::inputs::verify::ImageReference;
use crate::proxy;
use crate::registry::copy_source::CopySource;
use crate::registry::verify::Verified;
use crate::registry::{Registry, Repository};
use crate::sigstore::bundle::MEDIA_TYPE;
use crate::sigstore::instance::issuer_of;
use crate::sigstore::statement::PROVENANCE;
use crate::sigstore::verify::{Expected, Policy, Root, Verified as Attested};
use crate::tls::Trust;
use crate::vars::Vars;
use crate::workspace::Workspace;

/// For short outages: whoever verifies waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// In KiB.
const MAX_ROOT_KIB: u64 = 1024;

/// What verifying needs.
struct Verifier {
    inputs: Inputs,
    credentials: Credentials,
    server: Server,
    server_url: String,
    trust: Trust,
    github: GitHub,
    trusted_root: Option<String>,
    console: Console,
}

/// Verifies every reference, one line per check; with `as_json` the result goes to stdout. The errors are the first
/// thing that is wrong with each.
pub(crate) async fn verify(
    with: &[(String, String)],
    vars: &Vars,
    as_json: bool,
    console: Console,
) -> Vec<anyhow::Error> {
    let verifier = match Verifier::new(with, vars, console) {
        Ok(verifier) => verifier,
        Err(error) => return vec![error],
    };
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for reference in &verifier.inputs.verify.references {
        let mut result = json!({ "reference": reference.text });
        if let Err(error) = verifier.check(reference, &mut result).await {
            let explanation = Explanation::of(&error);
            console.say(&format!("✗ {}", explanation.what));
            result["error"] = explanation.to_string().into();
            failures.push(error);
        }
        results.push(result);
    }
    if as_json {
        console.result(&format!("{}\n", Value::from(results)));
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
            let fix = "name an image, for example `ghcr-publish verify ghcr.io/acme/app:1.2.3`";
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
        let path = inputs.attest.trusted_root.as_ref();
        let workspace = Workspace(vars.workspace());
        let root = path.map(|path| workspace.read("trusted-root", path, MAX_ROOT_KIB));
        let root = root.transpose()?;
        let trusted_root = root.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if let Some(json) = &trusted_root {
            Root::given(json)?;
        }
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
    async fn check(&self, reference: &ImageReference, result: &mut Value) -> anyhow::Result<()> {
        let host = reference.name.registry();
        let registry = Registry::new(
            host,
            self.server.kind(host),
            self.credentials.login(host).await?,
            &self.trust,
            Pace::REAL,
            self.console,
        )?;
        let deadline = Deadline::after(TIMEOUT, Pace::REAL);
        let repository = registry.read_only(reference.name.repository(), deadline);
        let image = self.resolve(reference, repository).await?;
        let digest = image.digest.clone();
        result["digest"] = digest.as_str().into();
        self.console
            .say(&format!("✓ {} → {digest}", reference.text));
        let verified = repository.verify_manifest(image).await;
        let verified = verified.map_err(|error| {
            let what = format!("`{}` is not complete in the registry", reference.text);
            Problem::new(what, "publish the image again").because(error.to_string())
        })?;
        self.say_parts(&verified, result);
        let attested = self
            .attested(reference, repository, &verified.manifest)
            .await?;
        let (attested, store) = attested;
        let commit = attested.commit.as_deref().unwrap_or("unknown");
        self.console.say(&format!(
            "✓ provenance signed by {} at {}, commit {commit} (found {store})",
            attested.identity, attested.signed_at
        ));
        result["attestation"] = json!({
            "identity": attested.identity,
            "repository": attested.repository,
            "ref": attested.git_ref,
            "commit": attested.commit,
            "signedAt": attested.signed_at,
        });
        Ok(())
    }

    /// The manifest under the tag, the digest, or both.
    async fn resolve(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
    ) -> anyhow::Result<Manifest> {
        let unreadable = |error: String| {
            let what = format!("cannot read `{}`", reference.text);
            let fix = "check the name and, for a private image, the login";
            Problem::new(what, fix).because(error)
        };
        let Some(tag) = &reference.tag else {
            let digest = reference.digest.as_ref();
            let digest =
                digest.ok_or_else(|| unreadable("it has neither tag nor digest".into()))?;
            let read = CopySource::Repository(repository).manifest(digest).await;
            return Ok(read.map_err(|error| unreadable(error.to_string()))?);
        };
        let shown = repository.manifest_of(tag).await;
        let shown = shown.map_err(|error| unreadable(error.to_string()))?;
        let shown = shown.ok_or_else(|| unreadable(format!("the tag `{tag}` does not exist")))?;
        match &reference.digest {
            Some(digest) if *digest != shown.digest => Err(Problem::new(
                format!("`{}:{tag}` shows another image", reference.name),
                "verify the digest that you deploy, or find out who moved the tag",
            )
            .because(format!("it shows {}, not {digest}", shown.digest))
            .into()),
            _ => Ok(shown),
        }
    }

    fn say_parts(&self, verified: &Verified, result: &mut Value) {
        let platforms = verified.platforms.iter();
        let platforms: Vec<&str> = platforms.map(|image| image.platform.as_str()).collect();
        result["platforms"] = json!(platforms);
        let parts = match verified.digests.len() {
            1 => "1 manifest and all its blobs".to_owned(),
            count => format!("{count} manifests and all their blobs"),
        };
        let platforms = match platforms.is_empty() {
            true => "no platform".to_owned(),
            false => platforms.join(", "),
        };
        let text = format!("✓ {platforms}: {parts}");
        self.console.say(&text);
    }

    /// A valid attestation, and where it was found.
    async fn attested(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
        image: &Manifest,
    ) -> anyhow::Result<(Attested, &'static str)> {
        let source = self.source(reference, repository, image).await?;
        let verify = &self.inputs.verify;
        let issuer = self.inputs.attest.issuer.clone();
        let policy = Policy {
            issuer: issuer.unwrap_or_else(|| issuer_of(&self.server)),
            server: self.server_url.clone(),
            repository: Some(source.to_string()),
            workflow: verify.workflow.clone(),
            git_ref: verify.git_ref.clone(),
            identity: None,
        };
        let mut refusals = Vec::new();
        let attached = repository.attached(&image.digest, MEDIA_TYPE).await;
        let attached = attached.inspect_err(|error| refusals.push(error.to_string()));
        for (_, bytes) in attached.unwrap_or_default() {
            let bundle = String::from_utf8_lossy(&bytes);
            match self.valid(&bundle, &image.digest, &policy) {
                Ok(attested) => return Ok((attested, "in the registry")),
                Err(why) => refusals.push(why),
            }
        }
        let (digest, kind) = (&image.digest, Some(PROVENANCE));
        let listed = self
            .github
            .attestations(&source, digest, kind, repository.deadline);
        let listed = listed.await;
        let listed = listed.inspect_err(|error| refusals.push(error.to_string()));
        for bundle in listed.unwrap_or_default() {
            match self.valid(&bundle, &image.digest, &policy) {
                Ok(attested) => return Ok((attested, "on GitHub")),
                Err(why) => refusals.push(why),
            }
        }
        let what = format!("no valid attestation of `{}`", reference.text);
        let (because, fix) = match refusals.is_empty() {
            true => (
                "neither the registry nor GitHub has a provenance of it".to_owned(),
                "publish it with `attest: true`".to_owned(),
            ),
            false => (
                refusals.join("; "),
                "if you trust this signer, name it with `--repository`, `--workflow` or `--ref`"
                    .to_owned(),
            ),
        };
        Err(Problem::new(what, fix).because(because).into())
    }

    fn valid(&self, bundle: &str, digest: &Digest, policy: &Policy) -> Result<Attested, String> {
        let root = match &self.trusted_root {
            Some(json) => Root::given(json).map_err(|problem| problem.to_string())?,
            None => Root::embedded_for(bundle).map_err(|refusal| refusal.to_string())?,
        };
        let expected = Expected {
            digest,
            predicate_type: PROVENANCE,
            policy,
        };
        root.verify(bundle, &expected)
            .map_err(|refusal| refusal.to_string())
    }

    /// The repository that must have signed: the input's, else the one that the image names.
    async fn source(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
        image: &Manifest,
    ) -> anyhow::Result<RepositoryName> {
        let named = match &self.inputs.verify.repository {
            Some(repository) => Some(repository.clone()),
            None => {
                let source = CopySource::Repository(repository).source_url(image).await;
                let source = source.ok().flatten().unwrap_or_default();
                let path = source.strip_prefix(&format!("{}/", self.server_url));
                path.map(|path| {
                    path.trim_end_matches(".git")
                        .trim_end_matches('/')
                        .to_owned()
                })
            }
        };
        let name = named.as_deref().and_then(|name| name.split_once('/'));
        let Some((owner, name)) = name.filter(|(_, name)| !name.contains('/')) else {
            return Err(Problem::new(
                format!("`{}` does not say which repository it is from", reference.text),
                "name the repository that must have signed it: `--repository OWNER/REPO`",
            )
            .because(format!(
                "it has no annotation or label `org.opencontainers.image.source` with a repository of {}",
                self.server_url
            ))
            .into());
        };
        Ok(RepositoryName {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}
