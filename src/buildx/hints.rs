//! Fixes for a build that names a missing stage or file: suggests the nearest existing one.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use crate::buildx::policy;
use crate::buildx::progress::Failure;
use crate::error;
use crate::error::{nearest, one_of};
use crate::plan::build::BuildRequest;
use crate::plan::build::context_source::ContextSource;
use crate::workspace::Workspace;

/// How much of a Dockerfile is read, and how many entries of a directory.
const MAX_DOCKERFILE: u64 = 1024 * 1024;
const MAX_ENTRIES: usize = 1000;
/// How many names a message lists.
const MAX_LISTED: usize = 10;

/// The way out of a failed build.
pub(crate) fn fix(failure: &Failure, request: &BuildRequest, workspace: &Path) -> String {
    let known = stage(&failure.cause, request, workspace);
    if let Some(fix) = known.or_else(|| policy::fix(&failure.cause, request)) {
        return fix;
    }
    let fix = match &failure.place {
        Some(error::FilePosition { file, line }) => format!("correct line {line} of `{file}`"),
        None if !failure.log.is_empty() => {
            "fix the error that the last lines of the step's log show".to_owned()
        }
        None => format!(
            "fix the cause in `{}` or in the inputs of this step",
            request.dockerfile()
        ),
    };
    match file(failure, request, workspace) {
        Some(hint) => format!("{fix}: {hint}"),
        None => fix,
    }
}

/// The end of a sentence that offers `names`, the nearest to `word` among them.
pub(crate) fn offer(word: &str, names: &[String]) -> String {
    let listed: Vec<&str> = names.iter().take(MAX_LISTED).map(String::as_str).collect();
    let more = match names.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" ({more} more)"),
    };
    let near = nearest(word, names.iter().map(String::as_str)).filter(|_| names.len() > 1);
    let near = near.map(|near| format!("; did you mean `{near}`?"));
    format!("{}{more}{}", one_of(&listed), near.unwrap_or_default())
}

/// For a `target` that is no stage.
fn stage(cause: &str, request: &BuildRequest, workspace: &Path) -> Option<String> {
    let (_, rest) = cause.split_once("target stage \"")?;
    let (target, _) = rest.split_once("\" could not be found")?;
    let dockerfile = request.dockerfile();
    let stages = stages(&dockerfile, request, workspace)?;
    Some(if stages.is_empty() {
        format!("remove the input `target`: no stage of `{dockerfile}` has a name")
    } else {
        let offer = offer(target, &stages);
        format!("set the input `target` to a stage of `{dockerfile}`: {offer}")
    })
}

/// The names of the stages of a Dockerfile on this machine.
fn stages(dockerfile: &str, request: &BuildRequest, workspace: &Path) -> Option<Vec<String>> {
    if !matches!(request.context, ContextSource::Directory(_)) {
        return None;
    }
    let opened = Workspace(workspace).file("file", dockerfile).ok()?;
    let mut text = Vec::new();
    opened.take(MAX_DOCKERFILE).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(text.lines().filter_map(stage_name).collect())
}

/// `FROM image AS name`
fn stage_name(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [from, .., a, name]
            if from.eq_ignore_ascii_case("from") && a.eq_ignore_ascii_case("as") =>
        {
            Some((*name).to_owned())
        }
        _ => None,
    }
}

/// For a file of the build context that `COPY` or `ADD` does not find.
fn file(failure: &Failure, request: &BuildRequest, workspace: &Path) -> Option<String> {
    let ContextSource::Directory(context) = &request.context else {
        return None;
    };
    let (before, _) = failure.cause.split_once("\": not found")?;
    let path = &before[before.rfind('"')? + 1..];
    let is_of_stage = |line: &String| line.contains(">>>") && line.contains("--from=");
    if failure.excerpt.iter().any(is_of_stage) {
        return None;
    }
    let root = workspace.join(context);
    let mut there = PathBuf::new();
    for part in Path::new(path).components() {
        let Component::Normal(part) = part else {
            continue;
        };
        let next = root.join(&there).join(part);
        match next.symlink_metadata() {
            // What a link points to may lie outside of the checkout.
            Ok(metadata) if metadata.is_symlink() => return None,
            Ok(_) => there.push(part),
            Err(_) => return near_file(&root, &there, part.to_str()?),
        }
    }
    let ignores = [
        ".dockerignore",
        &format!("{}.dockerignore", request.dockerfile()),
    ]
    .map(|file| root.join(file).is_file());
    let is_ignored = ignores.contains(&true);
    is_ignored.then(|| {
        let there = there.display();
        format!("`{there}` exists, and `.dockerignore` keeps it out of the build context")
    })
}

/// The nearest entry of the directory `there`, which lies below `root`.
fn near_file(root: &Path, there: &Path, missing: &str) -> Option<String> {
    let entries = fs::read_dir(root.join(there)).ok()?;
    let entries = entries.take(MAX_ENTRIES).filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    let shown = |name: &str| there.join(name).display().to_string();
    let missing_path = shown(missing);
    Some(match nearest(missing, names.iter().map(String::as_str)) {
        Some(near) => format!(
            "the build context has no `{missing_path}`; did you mean `{}`?",
            shown(near)
        ),
        None => format!("the build context has no `{missing_path}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::inputs::Inputs;
    use crate::plan::Plan;
    use crate::vars::Vars;

    fn request(variables: &[(&str, &str)]) -> BuildRequest {
        let run = [
            ("GITHUB_REPOSITORY", "acme/app"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("INPUT_CONTEXT", "."),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let context = Context::from_vars(&vars).unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let now = chrono::DateTime::UNIX_EPOCH;
        Plan::new(&inputs, &context, |_| true, now).unwrap().build
    }

    /// A workspace with these files, each with the text `text`.
    fn workspace(files: &[&str], text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    #[track_caller]
    fn check_stage(dockerfile: &str, target: &str, expected: &str) {
        let directory = workspace(&["Dockerfile"], dockerfile);
        let failure = Failure {
            cause: format!("target stage \"{target}\" could not be found"),
            ..Failure::default()
        };
        assert_eq!(fix(&failure, &request(&[]), directory.path()), expected);
    }

    #[test]
    fn a_mistyped_target_names_the_stages() {
        let three = "FROM a AS base\nfrom --platform=x b as Build\nFROM base AS test\nFROM base";
        check_stage(
            three,
            "buid",
            "set the input `target` to a stage of `Dockerfile`: `base`, `Build` or `test`; did you mean `Build`?",
        );
        check_stage(
            three,
            "production",
            "set the input `target` to a stage of `Dockerfile`: `base`, `Build` or `test`",
        );
        check_stage(
            "FROM a",
            "x",
            "remove the input `target`: no stage of `Dockerfile` has a name",
        );
        let many: String = (0..12).map(|at| format!("FROM a AS s{at}\n")).collect();
        let directory = workspace(&["Dockerfile"], &many);
        let stages = stages("Dockerfile", &request(&[]), directory.path()).unwrap();
        assert!(offer("zzzz", &stages).ends_with("or `s9` (2 more)"));
    }

    fn missing(path: &str, line: &str) -> Failure {
        Failure {
            cause: format!("failed to calculate checksum of ref a::b: \"{path}\": not found"),
            place: Some(error::FilePosition {
                file: "Dockerfile".to_owned(),
                line: 2,
            }),
            excerpt: vec![format!("   2 | >>> {line}")],
            ..Failure::default()
        }
    }

    #[track_caller]
    fn check_file(files: &[&str], path: &str, line: &str, expected: &str) {
        let directory = workspace(files, "");
        let fix = fix(&missing(path, line), &request(&[]), directory.path());
        let plain = "correct line 2 of `Dockerfile`";
        let expected = match expected {
            "" => plain.to_owned(),
            hint => format!("{plain}: {hint}"),
        };
        assert_eq!(fix, expected);
    }

    #[test]
    fn a_file_that_is_missing_in_the_context_names_the_nearest_one() {
        let files = ["Dockerfile", "README.md", "src/main.rs", "src/lib.rs"];
        check_file(
            &files,
            "/src/mian.rs",
            "COPY src/mian.rs /",
            "the build context has no `src/mian.rs`; did you mean `src/main.rs`?",
        );
        check_file(
            &files,
            "/readme.md",
            "COPY readme.md /",
            "the build context has no `readme.md`; did you mean `README.md`?",
        );
        check_file(
            &files,
            "/scr/main.rs",
            "COPY scr/main.rs /",
            "the build context has no `scr`; did you mean `src`?",
        );
        check_file(
            &files,
            "/package-lock.json",
            "COPY package-lock.json /",
            "the build context has no `package-lock.json`",
        );
    }

    #[test]
    fn ignored_file_names_the_dockerignore() {
        let files = ["Dockerfile", ".dockerignore", "src/main.rs"];
        check_file(
            &files,
            "/src/main.rs",
            "COPY src/main.rs /",
            "`src/main.rs` exists, and `.dockerignore` keeps it out of the build context",
        );
        check_file(&["src/main.rs"], "/src/main.rs", "COPY src/main.rs /", "");
    }

    #[test]
    fn files_of_other_stages_and_links_get_no_suggestion() {
        check_file(&["main.rs"], "/mian.rs", "COPY --from=x mian.rs /", "");
        let directory = workspace(&["Dockerfile"], "");
        std::os::unix::fs::symlink("/etc", directory.path().join("out")).unwrap();
        let failure = missing("/out/passwdd", "COPY out/passwdd /");
        let fix = fix(&failure, &request(&[]), directory.path());
        assert_eq!(fix, "correct line 2 of `Dockerfile`");
    }

    #[test]
    fn without_a_position_the_fix_points_to_the_log() {
        let directory = workspace(&["Dockerfile"], "");
        let mut failure = Failure::default();
        let shown = |failure: &Failure| fix(failure, &request(&[]), directory.path());
        assert_eq!(
            shown(&failure),
            "fix the cause in `Dockerfile` or in the inputs of this step"
        );
        failure.log = vec!["x".to_owned()];
        assert_eq!(
            shown(&failure),
            "fix the error that the last lines of the step's log show"
        );
    }
}
