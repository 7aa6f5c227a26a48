//! Replaces secrets in the result for programs.

use serde_json::Value;

use crate::secret::{SHORT, Secret};

/// `value` with `***` in place of each of `secrets`, and of each line of one.
pub(super) fn redacted<'a>(value: Value, secrets: impl Iterator<Item = &'a Secret>) -> Value {
    let texts = secrets.flat_map(|secret| {
        let text = secret.expose();
        std::iter::once(text).chain(text.lines()).map(str::trim)
    });
    let mut texts: Vec<&str> = texts.filter(|text| text.len() > SHORT).collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    match texts.is_empty() {
        true => value,
        false => without(value, &texts),
    }
}

fn without(value: Value, secrets: &[&str]) -> Value {
    let text = |text: String| {
        let secrets = secrets.iter();
        secrets.fold(text, |text, secret| text.replace(secret, "***"))
    };
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(values) => {
            let values = values.into_iter();
            values.map(|value| without(value, secrets)).collect()
        }
        Value::Object(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| (text(key), without(value, secrets)));
            Value::Object(entries.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_replaced_in_values_and_keys() {
        let secrets = ["hunter2\"x", "first line\nsecond line", "12345"].map(Secret::new);
        let secrets: Vec<Secret> = secrets.into_iter().flatten().collect();
        let value = json!({
            "a hunter2\"x": ["it is hunter2\"x", 1, null, true],
            "lines": {"b": "second line, first line"},
            "digest": "sha256:12345",
        });
        let expected = json!({
            "a ***": ["it is ***", 1, null, true],
            "lines": {"b": "***, ***"},
            "digest": "sha256:12345",
        });
        assert_eq!(redacted(value, secrets.iter()), expected);
    }
}
