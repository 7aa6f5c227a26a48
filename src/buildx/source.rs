//! The path of a file of the build in the repository.

use std::path::{Component, Path, PathBuf};

/// The path of `file`, which is given from the workspace, as it is in the repository: the checkout may lie
/// in a directory of the workspace.
pub(crate) fn path_in_repository(file: &str, workspace: &Path) -> String {
    let path = plain(
        Path::new(file)
            .strip_prefix(workspace)
            .unwrap_or(Path::new(file)),
    );
    let mut directories = path.ancestors().skip(1);
    let checkout = directories.find(|directory| workspace.join(directory).join(".git").exists());
    let path = checkout
        .and_then(|directory| path.strip_prefix(directory).ok())
        .unwrap_or(&path);
    path.display().to_string()
}

/// Without `.` and, where that is clear, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::ParentDir
            | Component::Normal(_)
            | Component::RootDir
            | Component::Prefix(_) => {
                plain.push(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_starts_where_the_checkout_is() {
        let workspace = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(workspace.path().join("src/.git")).unwrap();
        let check = |file: &str, expected: &str| {
            assert_eq!(path_in_repository(file, workspace.path()), expected);
        };
        check("./app/../app/./Dockerfile", "app/Dockerfile");
        check("src/app/Dockerfile", "app/Dockerfile");
        check(
            &workspace
                .path()
                .join("src/Dockerfile")
                .display()
                .to_string(),
            "Dockerfile",
        );
        check("../Dockerfile", "../Dockerfile");
    }
}
