//! The private `DOCKER_CONFIG`: our logins on top of the person's own configuration, gone when we are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::credentials::{self, Credentials};
use crate::problem::Problem;
use crate::trust::Trust;
use crate::vars::Vars;

/// A folder only we can read, outside the home, the workspace and `RUNNER_TEMP`, which other steps see.
#[derive(Debug)]
pub(crate) struct PrivateConfig {
    folder: TempDir,
    /// Locked as long as we live: the kernel lets go of it however we end.
    _alive: fs::File,
    buildx: PathBuf,
}

const PREFIX: &str = "ghcr-publish-";
const CONFIG: &str = "config.json";

impl PrivateConfig {
    /// Writes the configuration for pushing to `registries`.
    pub(crate) fn write(
        vars: &Vars,
        credentials: &Credentials,
        registries: &[&str],
    ) -> anyhow::Result<Self> {
        let problem = || {
            Problem::new(
                "cannot write the private docker configuration",
                "let one of `/dev/shm`, `/run` or `/tmp` be writable",
            )
        };
        remove_leftovers(vars);
        let folder = private_folder(vars).with_context(problem)?;
        let alive = fs::File::open(folder.path()).with_context(problem)?;
        alive.lock().with_context(problem)?;
        let config = overlay(credentials, registries);
        write_private(&folder.path().join(CONFIG), config.to_string().as_bytes())
            .with_context(problem)?;
        let base = credentials.docker().map(|docker| docker.folder.as_path());
        if let Some(base) = base {
            link_contexts(base, folder.path()).with_context(problem)?;
        }
        let buildx = base.map_or_else(|| folder.path().join("buildx"), |base| base.join("buildx"));
        Ok(Self {
            folder,
            _alive: alive,
            buildx,
        })
    }

    /// Adds a file only we can read; it goes with the folder.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        write_private(&path, bytes)
            .with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(path)
    }

    /// A folder with the private authorities and nothing else, if there are any.
    pub(crate) fn authorities(&self, trust: &Trust) -> anyhow::Result<Option<PathBuf>> {
        let Some(pem) = trust.pem() else {
            return Ok(None);
        };
        let folder = self.folder.path().join("authorities");
        fs::create_dir_all(&folder)
            .with_context(|| format!("could not make `{}`", folder.display()))?;
        self.add("authorities/ca.pem", pem.as_bytes())?;
        Ok(Some(folder))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where buildx keeps its builders: the person's own, so that theirs can be named.
    pub(crate) fn buildx_folder<'a>(&'a self, vars: &'a Vars) -> &'a Path {
        vars.path("BUILDX_CONFIG").unwrap_or(&self.buildx)
    }

    /// Where buildx keeps a builder of ours, which the person never sees.
    pub(crate) fn own_buildx_folder(&self) -> PathBuf {
        self.folder().join("buildx")
    }
}

/// Removes what runs left that were killed. A folder is ours to remove when it holds a configuration, which
/// is written under the lock, and nobody holds the lock any more; one of another user is not.
pub(super) fn remove_leftovers(vars: &Vars) {
    let entries = places(vars).filter_map(|place| fs::read_dir(place).ok());
    for entry in entries.flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours || !is_folder || !entry.path().join(CONFIG).exists() {
            continue;
        }
        let is_left = fs::File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left {
            // Another run may remove it at the same time, which is as well.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Where the folder may be made, the best place first.
fn places(vars: &Vars) -> impl Iterator<Item = &Path> {
    let places = [
        vars.path("XDG_RUNTIME_DIR"),
        Some(Path::new("/dev/shm")),
        Some(Path::new("/run")),
        vars.path("TMPDIR"),
        Some(Path::new("/tmp")),
    ];
    places.into_iter().flatten()
}

fn private_folder(vars: &Vars) -> std::io::Result<TempDir> {
    folder_in(places(vars), vars)
}

/// A folder as private, on a disk: what lies in memory counts as ours.
pub(super) fn roomy_folder(vars: &Vars) -> std::io::Result<TempDir> {
    let places = [
        vars.path("TMPDIR"),
        Some(Path::new("/var/tmp")),
        Some(Path::new("/tmp")),
    ];
    folder_in(places.into_iter().flatten(), vars)
}

fn folder_in<'a>(places: impl Iterator<Item = &'a Path>, vars: &Vars) -> std::io::Result<TempDir> {
    let shared = [
        vars.path("HOME"),
        Some(vars.workspace()),
        vars.path("RUNNER_TEMP"),
    ];
    let shared: Vec<&Path> = shared
        .into_iter()
        .flatten()
        .filter(|path| path.parent().is_some())
        .collect();
    let outside = places.filter(|place| !shared.iter().any(|shared| place.starts_with(shared)));
    let mut refused = std::io::Error::other("every place for it is shared with other steps");
    for place in outside {
        let private = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(place);
        match private {
            Ok(folder) => return Ok(folder),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The person's `config.json` with our logins. A helper named `""` makes docker read the login from
/// the file although a credential store is configured.
fn overlay(credentials: &Credentials, registries: &[&str]) -> Value {
    let base = credentials.docker().map(|docker| docker.json.clone());
    let mut config = base.filter(Value::is_object).unwrap_or_else(|| json!({}));
    for registry in registries {
        let Some(login) = credentials.own_login(registry) else {
            continue;
        };
        let auth = STANDARD.encode(format!("{}:{}", login.username, login.password.expose()));
        let registry = credentials::key(registry);
        section(&mut config, "auths").insert(registry.to_owned(), json!({ "auth": auth }));
        if config.get("credsStore").is_some() || config.get("credHelpers").is_some() {
            section(&mut config, "credHelpers").insert(registry.to_owned(), json!(""));
        }
    }
    config
}

fn section<'a>(config: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !config[name].is_object() {
        config[name] = json!({});
    }
    config[name]
        .as_object_mut()
        .expect("it was just made an object")
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Docker contexts are looked up beside `config.json`.
fn link_contexts(base: &Path, folder: &Path) -> std::io::Result<()> {
    let contexts = base.join("contexts");
    if contexts.is_dir() {
        symlink(contexts, folder.join("contexts"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::server::Server;

    fn vars_with_home(config: Option<&str>) -> (TempDir, Vars) {
        let home = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            fs::create_dir(home.path().join(".docker")).unwrap();
            fs::write(home.path().join(".docker/config.json"), config).unwrap();
        }
        let vars = Vars::of(&[
            ("HOME", home.path().to_str().unwrap()),
            ("GITHUB_TOKEN", "t"),
            ("GITHUB_ACTOR", "joe"),
        ]);
        (home, vars)
    }

    fn write(vars: &Vars) -> PrivateConfig {
        let inputs = Inputs::from_vars(vars, &[]).unwrap();
        let credentials = Credentials::new(&inputs, vars, &Server::Public).unwrap();
        PrivateConfig::write(vars, &credentials, &["ghcr.io", "quay.io"]).unwrap()
    }

    #[test]
    fn only_we_can_read_it_and_it_goes_with_us() {
        let (home, vars) = vars_with_home(None);
        let config = write(&vars);
        let file = config.folder().join("config.json");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(config.folder()), mode(&file)), (0o700, 0o600));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            r#"{"auths":{"ghcr.io":{"auth":"am9lOnQ="}}}"#
        );
        assert!(!config.folder().starts_with(home.path()));
        drop(config);
        assert!(!file.exists());
    }

    #[test]
    fn what_a_killed_run_left_goes_with_the_next() {
        let runtime = tempfile::tempdir().unwrap();
        let (_home, vars) = vars_with_home(None);
        let with_runtime = |variables: &Vars| {
            let all = variables
                .iter()
                .chain([("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]);
            Vars::of(&all.collect::<Vec<_>>())
        };
        let vars = with_runtime(&vars);
        let alive = write(&vars);
        // The kernel lets go of the locks of a process that is killed, and of nothing else.
        let killed = runtime.path().join("ghcr-publish-killed");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join("config.json"), "{}").unwrap();
        let other = runtime.path().join("ghcr-publish-of-another-kind");
        fs::create_dir(&other).unwrap();
        drop(write(&vars));
        assert!(!killed.exists());
        assert!(other.exists() && alive.folder().join("config.json").exists());
    }

    #[test]
    fn the_persons_own_configuration_stays_below_ours() {
        let own = r#"{"credsStore":"desktop","auths":{"quay.io":{"auth":"x"}}}"#;
        let (home, vars) = vars_with_home(Some(own));
        let config = write(&vars);
        let text = fs::read_to_string(config.folder().join("config.json")).unwrap();
        let expected = r#"{"credsStore":"desktop","auths":{"quay.io":{"auth":"x"},"ghcr.io":{"auth":"am9lOnQ="}},"credHelpers":{"ghcr.io":""}}"#;
        assert_eq!(text, expected);
        assert_eq!(
            fs::read_to_string(home.path().join(".docker/config.json")).unwrap(),
            own
        );
        assert_eq!(
            config.buildx_folder(&vars),
            home.path().join(".docker/buildx")
        );
    }
}
