//! `PrivateFolder`: only we can read it, no other step sees it, and it goes with us, however we end.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::vars::Vars;

/// A folder outside the home, the workspace and `RUNNER_TEMP`, which other steps see.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    folder: TempDir,
    /// Locked as long as we live: the kernel lets go of it however we end.
    _alive: File,
}

const PREFIX: &str = "ghcr-publish-";
/// Written under the lock: a folder without it was made a moment ago, or is somebody else's.
const MARK: &str = "in-use";

impl PrivateFolder {
    /// In memory where that is possible, for what is small and secret.
    pub(crate) fn for_secrets(vars: &Vars) -> io::Result<Self> {
        Self::in_one_of(secret_places(vars), vars)
    }

    /// On a disk, for images: what lies in memory counts as ours.
    pub(crate) fn for_images(vars: &Vars) -> io::Result<Self> {
        Self::in_one_of(roomy_places(vars), vars)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn in_one_of<'a>(places: impl Iterator<Item = &'a Path>, vars: &Vars) -> io::Result<Self> {
        remove_leftovers(vars);
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
        let mut refused = io::Error::other("every place for it is shared with other steps");
        for place in outside {
            match Self::in_place(place) {
                Ok(folder) => return Ok(folder),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn in_place(place: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let alive = File::open(folder.path())?;
        alive.lock()?;
        File::create(folder.path().join(MARK))?;
        Ok(Self {
            folder,
            _alive: alive,
        })
    }
}

/// Removes what runs left that were killed: the folders with our mark whose lock nobody holds any more. One
/// of another user is not ours to remove.
pub(crate) fn remove_leftovers(vars: &Vars) {
    let places = secret_places(vars).chain(roomy_places(vars));
    let entries = places.filter_map(|place| fs::read_dir(place).ok());
    for entry in entries.flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours || !is_folder || !entry.path().join(MARK).exists() {
            continue;
        }
        let is_left = File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left {
            // Another run may remove it at the same time, which is as well.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Where what is secret may lie, the best place first.
fn secret_places(vars: &Vars) -> impl Iterator<Item = &Path> {
    let places = [
        vars.path("XDG_RUNTIME_DIR"),
        Some(Path::new("/dev/shm")),
        Some(Path::new("/run")),
        vars.path("TMPDIR"),
        Some(Path::new("/tmp")),
    ];
    places.into_iter().flatten()
}

/// Where what is large may lie, the best place first.
fn roomy_places(vars: &Vars) -> impl Iterator<Item = &Path> {
    let places = [
        vars.path("TMPDIR"),
        Some(Path::new("/var/tmp")),
        Some(Path::new("/tmp")),
    ];
    places.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_with_the_next() {
        let runtime = tempfile::tempdir().unwrap();
        let vars = Vars::of(&[("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]);
        let alive = PrivateFolder::for_secrets(&vars).unwrap();
        // The kernel lets go of the locks of a process that is killed, and of nothing else.
        let killed = runtime.path().join("ghcr-publish-killed");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(MARK), "").unwrap();
        let other = runtime.path().join("ghcr-publish-of-another-kind");
        fs::create_dir(&other).unwrap();
        drop(PrivateFolder::for_secrets(&vars).unwrap());
        assert!(!killed.exists());
        assert!(other.exists() && alive.path().join(MARK).exists());
    }
}
