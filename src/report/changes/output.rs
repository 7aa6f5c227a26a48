//! The output `changes`.

use serde_json::{Value, json};

use crate::image::changes::{Difference, PlatformChange};
use crate::image::contents::{Contents, Field, Layer, Value as Setting};
use crate::publish::compare::Comparison;
use crate::report::Report;
use crate::report::changes::compare_url;

/// In bytes; the outputs of a job have at most 1 MiB
/// (<https://docs.github.com/en/actions/reference/limits>).
const MAX_OUTPUT: usize = 64 * 1024;
const MAX_LAYERS: usize = 10;
const MAX_DIFFERENCES: usize = 100;
/// Characters of a foreign text.
const MAX_TEXT: usize = 500;

/// An object with `with`, `from`, `to`, `compare-url` and `platforms`; none without a comparison. An object that would be
/// longer than 64 KiB has empty lists `new-layers` and `config`.
pub(in crate::report) fn output(report: &Report) -> Option<Value> {
    let comparison = report.comparison()?;
    let url = compare_url(report);
    let complete = object(comparison, url.as_deref(), platform);
    match complete.to_string().len() <= MAX_OUTPUT {
        true => Some(complete),
        false => Some(object(comparison, url.as_deref(), sizes)),
    }
}

fn object(comparison: &Comparison, url: Option<&str>, each: fn(&PlatformChange) -> Value) -> Value {
    json!({
        "with": comparison.with.to_string(),
        "from": comparison.before.as_str(),
        "to": comparison.after.as_str(),
        "compare-url": url,
        "platforms": comparison.platforms.iter().map(each).collect::<Value>(),
    })
}

fn platform(change: &PlatformChange) -> Value {
    let layers = change.new_layers().into_iter().take(MAX_LAYERS);
    let differences = change.differences().into_iter().take(MAX_DIFFERENCES);
    let mut platform = sizes(change);
    platform["new-layers"] = layers.map(layer).collect();
    platform["config"] = differences.map(|it| difference(&it)).collect();
    platform
}

fn sizes(change: &PlatformChange) -> Value {
    let [before, after] = change.sides().map(|side| side.map(image));
    let difference = change.difference().and_then(|it| i64::try_from(it).ok());
    let tenths = change.per_mille().and_then(|it| i32::try_from(it).ok());
    json!({
        "platform": cut(&change.platform),
        "change": change.kind().as_str(),
        "before": before,
        "after": after,
        "difference": difference,
        "percent": tenths.map(|tenths| f64::from(tenths) / 10.0),
        "fetched": change.fetched(),
        "new-layers": [],
        "config": [],
    })
}

fn image(contents: &Contents) -> Value {
    let base = |field| match contents.settings.get(&(field, String::new()))? {
        Setting::Text(text) => Some(cut(text)),
        Setting::Present | Setting::Hidden(_) => None,
    };
    json!({
        "digest": contents.digest.as_str(),
        "size": contents.size,
        "layers": contents.layers.len(),
        "base-name": base(Field::BaseName),
        "base-digest": base(Field::BaseDigest),
    })
}

fn layer(layer: &Layer) -> Value {
    json!({
        "digest": cut(&layer.digest),
        "size": layer.size,
        "instruction": layer.instruction.as_deref().map(cut),
    })
}

fn difference(difference: &Difference) -> Value {
    let name = Some(&difference.name).filter(|name| !name.is_empty());
    json!({
        "field": difference.field.as_str(),
        "name": name.map(|name| cut(name)),
        "change": difference.kind.as_str(),
        "before": difference.before.as_deref().map(cut),
        "after": difference.after.as_deref().map(cut),
    })
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
