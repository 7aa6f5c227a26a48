//! Reports the answer of buildx to `--call=check`.

use serde::Deserialize;

use crate::console::Console;
use crate::error::{FilePosition, Problem};

/// The result of `--call=check,format=json`
/// (<https://github.com/moby/buildkit/blob/v0.25.0/frontend/subrequests/lint/lint.go>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    warnings: Option<Vec<Warning>>,
    build_error: Option<BuildError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Warning {
    rule_name: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    url: String,
    location: Option<Location>,
}

#[derive(Debug, Deserialize)]
struct BuildError {
    message: String,
    location: Option<Location>,
}

#[derive(Debug, Deserialize)]
struct Location {
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Debug, Deserialize)]
struct Range {
    start: Position,
}

#[derive(Debug, Deserialize)]
struct Position {
    #[serde(default)]
    line: u32,
}

/// Each finding of a check as an annotation; some findings are a failure.
pub(crate) fn check(text: &str, dockerfile: &str, console: Console) -> Result<(), Problem> {
    let Ok(check) = serde_json::from_str::<Check>(text) else {
        return Err(Problem::new(
            "the check returned no result",
            "update the builder: checks need BuildKit 0.15 or newer",
        )
        .because("the answer of the engine is not the result of a check"));
    };
    let warnings = check.warnings.unwrap_or_default();
    for warning in &warnings {
        let Warning {
            rule_name,
            detail,
            url,
            location,
        } = warning;
        let place = place(location.as_ref(), dockerfile);
        console.warning(place.as_ref(), &format!("{rule_name}: {detail} ({url})"));
    }
    if let Some(error) = check.build_error {
        let place = place(error.location.as_ref(), dockerfile);
        let fix = format!("correct `{dockerfile}`");
        return Err(Problem::new("the check found an error", fix)
            .because(error.message)
            .at(place));
    }
    match warnings.len() {
        0 => {
            console.say(&format!("the check of {dockerfile} found no problems"));
            Ok(())
        }
        found => Err(Problem::new(
            format!(
                "the check of `{dockerfile}` found {found} {}",
                if found == 1 { "warning" } else { "warnings" }
            ),
            "fix the warnings, or skip a rule with `# check=skip=RuleName` at the top of the file",
        )),
    }
}

fn place(location: Option<&Location>, dockerfile: &str) -> Option<FilePosition> {
    let line = location?.ranges.first()?.start.line;
    Some(FilePosition {
        file: dockerfile.to_owned(),
        line,
    })
}
