//! `--with NAME=VALUE`: the inputs of the command line.

use crate::inputs::names::NAMES;
use crate::inputs::raw::{nearest, normal};

/// The inputs that hold one entry a line, so that another `--with` adds a line.
const LISTS: &[&str] = &[
    "add-hosts",
    "allow",
    "annotations",
    "append",
    "attests",
    "build-args",
    "build-contexts",
    "cache-from",
    "cache-to",
    "driver-opts",
    "flavor",
    "images",
    "labels",
    "no-cache-filters",
    "outputs",
    "platforms",
    "registry-auth",
    "secret-envs",
    "secret-files",
    "secrets",
    "ssh",
    "tags",
    "ulimit",
];

/// Reads one `--with`; the name must be that of an input.
pub fn name_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or("write NAME=VALUE, for example --with push=false")?;
    let name = normal(name);
    if NAMES.contains(&name.as_str()) {
        return Ok((name, value.to_owned()));
    }
    Err(unknown(&name))
}

fn unknown(name: &str) -> String {
    match nearest(name) {
        Some(near) => format!("there is no input `{name}`; did you mean `{near}`?"),
        None => format!("there is no input `{name}`; action.yml lists them"),
    }
}

/// Each input once: a repeated list has all its lines.
pub fn merged(given: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            None => merged.push((name, value)),
            Some((_, lines)) if LISTS.contains(&name.as_str()) => {
                lines.push('\n');
                lines.push_str(&value);
            }
            Some(_) => {
                return Err(format!(
                    "`--with {name}` is given twice, and takes one value"
                ));
            }
        }
    }
    Ok(merged)
}
