//! What changed since another image: in the log, the summary and the output `changes`.

mod output;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::console::size;
use crate::image::changes::{Difference, Kind, PlatformChange};
use crate::image::contents::{Field, Layer, one_line};
use crate::publish::compare::{Comparison, difference_text, size_text};
use crate::registry::identity::{REVISION, SOURCE, is_same_repository};
use crate::report::Report;
use crate::report::markdown::{code, link};

pub(super) use output::output;

/// Platforms in the line of the log.
const MAX_PLATFORMS: usize = 4;
/// Settings, labels and layers that are shown.
const MAX_SETTINGS: usize = 20;
const MAX_LABELS: usize = 20;
const MAX_LAYERS: usize = 5;
/// Characters of a foreign text.
const MAX_TEXT: usize = 80;
/// Marks in a bar.
const BAR: u64 = 10;

/// The sizes since another image, for the log: `41.2 MB, +1.3 MB (+3.3 %) since main`.
pub(super) fn text(comparison: &Comparison) -> String {
    let platforms = &comparison.platforms;
    let since = &comparison.since;
    let mut texts: Vec<String> = match platforms.as_slice() {
        [only] => vec![size_text(only)],
        several => {
            let of = |change: &PlatformChange| {
                let platform = one_line(&change.platform, MAX_TEXT);
                format!("{platform} {}", size_text(change))
            };
            several.iter().take(MAX_PLATFORMS).map(of).collect()
        }
    };
    if platforms.len() > MAX_PLATFORMS {
        texts.push(format!(
            "{} more platforms",
            platforms.len() - MAX_PLATFORMS
        ));
    }
    format!("{} since {since}", texts.join("; "))
}

/// What changed since another image, as Markdown: a table of the platforms, what differs, and the rest folded. Nothing
/// without a comparison.
pub(super) fn markdown(report: &Report) -> Option<String> {
    let comparison = report.comparison()?;
    let since = code(&comparison.since);
    if comparison.before == comparison.after {
        return Some(format!("The same image as {since}.\n\n"));
    }
    let rows: String = comparison.platforms.iter().map(row).collect();
    let mut text = format!(
        "#### Changes since {since}\n\n| Platform | Size | Difference | New bytes | |\n|---|--:|--:|--:|---|\n{rows}\n"
    );
    let (labels, settings) = differences(comparison)
        .into_iter()
        .partition::<Vec<_>, _>(|(difference, _)| difference.field == Field::Label);
    text += &list(&settings, MAX_SETTINGS);
    let url = compare_url(report);
    let link = url.map(|url| link("Compare the commits", &url));
    if let Some(link) = link.filter(|link| !link.is_empty()) {
        let _infallible = writeln!(text, "{link}\n");
    }
    Some(text + &folded(comparison, &labels))
}

fn row(change: &PlatformChange) -> String {
    let platform = code(&one_line(&change.platform, MAX_TEXT));
    let Some(after) = &change.after else {
        return format!("| {platform} | removed | | | |\n");
    };
    let difference = match change.kind() {
        Kind::Added => "new platform".to_owned(),
        Kind::Unchanged => "unchanged".to_owned(),
        Kind::Changed | Kind::Removed => difference_text(change),
    };
    let (fetched, total) = (change.fetched(), after.size);
    format!(
        "| {platform} | {} | {difference} | {} | {} |\n",
        size(total),
        size(fetched),
        bar(fetched, total)
    )
}

/// The share of `part` in `whole`: `▰▰▱▱▱▱▱▱▱▱`. What is not nothing has a mark, and what is not everything lacks one.
fn bar(part: u64, whole: u64) -> String {
    let marks = match (part, whole) {
        (0, _) | (_, 0) => 0,
        (part, whole) if part >= whole => BAR,
        (part, whole) => {
            let share =
                (u128::from(part) * u128::from(BAR) + u128::from(whole) / 2) / u128::from(whole);
            u64::try_from(share).unwrap_or(BAR).clamp(1, BAR - 1)
        }
    };
    (0..BAR)
        .map(|mark| if mark < marks { '▰' } else { '▱' })
        .collect()
}

/// Each setting that differs, with the platforms where it does; none if it does wherever two images are compared.
fn differences(comparison: &Comparison) -> Vec<(Difference, Vec<&str>)> {
    let changes = comparison.platforms.iter();
    let compared = changes.clone().filter(|change| change.sizes().is_some());
    let compared = compared.count();
    let mut places: BTreeMap<Difference, Vec<&str>> = BTreeMap::new();
    for change in changes {
        for difference in change.differences() {
            let platforms = places.entry(difference).or_default();
            platforms.push(&change.platform);
        }
    }
    for platforms in places.values_mut() {
        if platforms.len() == compared {
            platforms.clear();
        }
    }
    places.into_iter().collect()
}

fn list(differences: &[(Difference, Vec<&str>)], most: usize) -> String {
    let mut text = String::new();
    for (difference, platforms) in differences.iter().take(most) {
        let platforms = platforms.iter().map(|name| code(&one_line(name, MAX_TEXT)));
        let platforms: Vec<String> = platforms.collect();
        let place = match platforms.is_empty() {
            true => String::new(),
            false => format!(" ({})", platforms.join(", ")),
        };
        let _infallible = writeln!(text, "- {}{place}", sentence(difference));
    }
    if differences.len() > most {
        let _infallible = writeln!(text, "- {} more", differences.len() - most);
    }
    match text.is_empty() {
        true => text,
        false => text + "\n",
    }
}

/// For example ``User: `root` → `1000` ``, ``Environment variable `A` added``.
fn sentence(difference: &Difference) -> String {
    let title = match difference.field {
        Field::BaseName => "Base image",
        Field::BaseDigest => "Base image digest",
        Field::Entrypoint => "Entrypoint",
        Field::Command => "Command",
        Field::User => "User",
        Field::WorkingDirectory => "Working directory",
        Field::HealthCheck => "Health check",
        Field::StopSignal => "Stop signal",
        Field::Port => "Port",
        Field::Volume => "Volume",
        Field::Variable => "Environment variable",
        Field::Label => "Label",
    };
    let shown = |text: &String| code(&one_line(text, MAX_TEXT));
    let name = match difference.name.is_empty() {
        true => title.to_owned(),
        false => format!("{title} {}", shown(&difference.name)),
    };
    match (&difference.before, &difference.after) {
        (None, None) => format!("{name} {}", difference.kind.as_str()),
        (None, Some(after)) => format!("{name} added: {}", shown(after)),
        (Some(before), None) => format!("{name} removed: {}", shown(before)),
        (Some(before), Some(after)) => format!("{name}: {} → {}", shown(before), shown(after)),
    }
}

/// The layers that are new and the labels that differ, for those who open them.
fn folded(comparison: &Comparison, labels: &[(Difference, Vec<&str>)]) -> String {
    let layers = comparison.platforms.iter().filter_map(new_layers);
    let text = layers.collect::<String>() + &list(labels, MAX_LABELS);
    match text.is_empty() {
        true => text,
        false => format!("<details><summary>Layers and labels</summary>\n\n{text}</details>\n\n"),
    }
}

/// The largest new layers of a platform that both images have.
fn new_layers(change: &PlatformChange) -> Option<String> {
    let (before, after) = change.before.as_ref().zip(change.after.as_ref())?;
    let layers = change.new_layers().into_iter().take(MAX_LAYERS);
    let row = |layer: &Layer| {
        format!(
            "| {} | {} |\n",
            size(layer.size),
            code(&layer.title(MAX_TEXT))
        )
    };
    let rows: String = layers.map(row).collect();
    let platform = code(&one_line(&change.platform, MAX_TEXT));
    let (before, after) = (before.layers.len(), after.layers.len());
    (!rows.is_empty()).then(|| {
        format!("{platform}: {after} layers, before {before}. The largest new ones:\n\n| Size | Layer |\n|--:|---|\n{rows}\n")
    })
}

/// The page that compares the commits of both images, if both are of this repository.
fn compare_url(report: &Report) -> Option<String> {
    let own = report.session.as_ref()?.context.repository_facts().html_url;
    let mut changes = report.comparison()?.platforms.iter();
    changes.find_map(|change| {
        let [before, after] = change.sides().map(|side| {
            let side = side?;
            let is_own = is_same_repository(side.said(SOURCE)?, &own);
            let revision = side.said(REVISION)?.trim_end_matches("-dirty");
            let is_commit = matches!(revision.len(), 40 | 64)
                && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
            (is_own && is_commit).then_some(revision)
        });
        let (before, after) = (before?, after?);
        (before != after).then(|| format!("{own}/compare/{before}...{after}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_a_share() {
        let check = |part, whole, expected: &str| assert_eq!(bar(part, whole), expected);
        check(0, 100, "▱▱▱▱▱▱▱▱▱▱");
        check(1, 100, "▰▱▱▱▱▱▱▱▱▱");
        check(50, 100, "▰▰▰▰▰▱▱▱▱▱");
        check(99, 100, "▰▰▰▰▰▰▰▰▰▱");
        check(100, 100, "▰▰▰▰▰▰▰▰▰▰");
        check(5, 0, "▱▱▱▱▱▱▱▱▱▱");
        check(u64::MAX - 1, u64::MAX, "▰▰▰▰▰▰▰▰▰▱");
    }
}
