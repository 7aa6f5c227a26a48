//! `PrivateDirectory`: only we can read it, no other step sees it, and it goes with us, however we end.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::vars::Vars;

/// A directory outside the home, the workspace and `RUNNER_TEMP`, which other steps see.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    directory: TempDir,
    /// Locked while the program runs: the kernel releases it however the program ends.
    _alive: File,
}

const PREFIX: &str = "ghcr-publish-";
/// Written under the lock: a directory without it was made a moment ago, or is somebody else's.
const MARK: &str = "in-use";

impl PrivateDirectory {
    /// In memory where that is possible, for what is small and secret.
    pub(crate) fn for_secrets(vars: &Vars) -> io::Result<Self> {
        Self::in_one_of(secret_places(vars), vars)
    }

    /// On a disk, for images: files in memory count as memory of the program.
    pub(crate) fn for_images(vars: &Vars) -> io::Result<Self> {
        Self::in_one_of(roomy_places(vars), vars)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn in_one_of<'a>(places: impl Iterator<Item = &'a Path>, vars: &Vars) -> io::Result<Self> {
        remove_leftovers(vars);
        let shared = [
            vars.path("HOME"),
            Some(vars.workspace()),
            vars.path("RUNNER_TEMP"),
        ];
        let shared = shared.into_iter().flatten();
        let shared: Vec<&Path> = shared.filter(|path| path.parent().is_some()).collect();
        let outside = places.filter(|place| !shared.iter().any(|shared| place.starts_with(shared)));
        let mut refused = io::Error::other("every candidate directory is shared with other steps");
        for place in outside {
            match Self::in_place(place) {
                Ok(directory) => return Ok(directory),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn in_place(place: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let alive = File::open(directory.path())?;
        alive.lock()?;
        File::create(directory.path().join(MARK))?;
        Ok(Self {
            directory,
            _alive: alive,
        })
    }
}

/// Removes what runs left that were killed: the directories with our mark whose lock no process holds. One
/// of another user is not ours to remove.
pub(crate) fn remove_leftovers(vars: &Vars) {
    let places = secret_places(vars).chain(roomy_places(vars));
    let entries = places.filter_map(|place| fs::read_dir(place).ok());
    for entry in entries.flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours || !is_directory || !entry.path().join(MARK).exists() {
            continue;
        }
        let is_left = File::open(entry.path()).is_ok_and(|directory| directory.try_lock().is_ok());
        if is_left {
            // Another run may remove it at the same time, which is as well.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Directories for secrets, the best one first.
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

/// Directories for large files, the best one first.
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
    fn next_run_removes_directories_of_a_killed_run() {
        let runtime = tempfile::tempdir().unwrap();
        let vars = Vars::of(&[("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]);
        let alive = PrivateDirectory::for_secrets(&vars).unwrap();
        // The kernel releases only the locks of a process that is killed.
        let killed = runtime.path().join("ghcr-publish-killed");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(MARK), "").unwrap();
        let other = runtime.path().join("ghcr-publish-of-another-kind");
        fs::create_dir(&other).unwrap();
        drop(PrivateDirectory::for_secrets(&vars).unwrap());
        assert!(!killed.exists());
        assert!(other.exists() && alive.path().join(MARK).exists());
    }
}
