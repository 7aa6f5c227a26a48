//! `docs/schema.json`, and what an object has against it.
//!
//! A validator for the keywords that the schema uses (<https://json-schema.org/draft/2020-12/json-schema-validation>); any other is a
//! panic. The crates that validate turn on all features of `regex`, so the tests would run another program than the
//! one that is released.

use serde_json::{Map, Value, json};

use crate::contract::read;

fn schema() -> Value {
    serde_json::from_str(&read("docs/schema.json")).unwrap()
}

/// Why the schema does not describe `object`; nothing if it does.
pub(super) fn violation(object: &Value) -> Option<String> {
    let root = schema();
    Validator { root: &root }.check(&root, object, "").err()
}

struct Validator<'a> {
    root: &'a Value,
}

type Checked = Result<(), String>;

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, place: &str) -> Checked {
        let Value::Object(keywords) = schema else {
            let is_allowed = schema
                .as_bool()
                .expect("a schema is an object or a boolean");
            return held(is_allowed, || format!("{place}: is not allowed"));
        };
        keywords.iter().try_for_each(|(keyword, rule)| {
            self.check_keyword(keyword, rule, keywords, value, place)
        })
    }

    fn check_keyword(
        &self,
        keyword: &str,
        rule: &Value,
        schema: &Map<String, Value>,
        value: &Value,
        place: &str,
    ) -> Checked {
        let rules = || rule.as_array().unwrap().iter();
        let fails = || format!("{place}: {value} is against `{keyword}`: {rule}");
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "then" | "else" => Ok(()),
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(self.root.pointer(pointer).unwrap(), value, place)
            }
            "type" => held(has_type(rule, value), fails),
            "enum" => held(rules().any(|allowed| allowed == value), fails),
            "const" => held(rule == value, fails),
            "pattern" => held(matches(rule.as_str().unwrap(), value), fails),
            "allOf" => rules().try_for_each(|rule| self.check(rule, value, place)),
            "oneOf" => self.one_of(rules(), value, place),
            "if" => {
                let branch = match self.check(rule, value, place) {
                    Ok(()) => schema.get("then"),
                    Err(_) => schema.get("else"),
                };
                branch.map_or(Ok(()), |branch| self.check(branch, value, place))
            }
            "required" => rules().try_for_each(|name| {
                let is_there = value.get(name.as_str().unwrap()).is_some();
                held(is_there, || format!("{place}: lacks {name}"))
            }),
            "dependentRequired" => rule
                .as_object()
                .unwrap()
                .iter()
                .try_for_each(|(name, rule)| match value.get(name) {
                    Some(_) => self.check(&json!({ "required": rule }), value, place),
                    None => Ok(()),
                }),
            "properties" | "additionalProperties" | "items" => {
                self.check_children(keyword, rule, schema, value, place)
            }
            _ => panic!("{place}: the keyword `{keyword}` is not known"),
        }
    }

    fn check_children(
        &self,
        keyword: &str,
        rule: &Value,
        schema: &Map<String, Value>,
        value: &Value,
        place: &str,
    ) -> Checked {
        if keyword == "items" {
            let mut items = value.as_array().into_iter().flatten();
            return items.try_for_each(|item| self.check(rule, item, &format!("{place}[]")));
        }
        let named = |name: &String| schema.get("properties").and_then(|fields| fields.get(name));
        let fields = value.as_object().into_iter().flatten();
        let mut checks = fields.filter_map(|(name, field)| {
            let rule = match keyword {
                "properties" => named(name),
                _ => Some(rule).filter(|_| named(name).is_none()),
            };
            Some((rule?, field, format!("{place}.{name}")))
        });
        checks.try_for_each(|(rule, field, place)| self.check(rule, field, &place))
    }

    /// The error is that of the alternative which allows `mode`, if there is one.
    fn one_of<'r>(
        &self,
        rules: impl Iterator<Item = &'r Value>,
        value: &Value,
        place: &str,
    ) -> Checked {
        let outcomes: Vec<Checked> = rules.map(|rule| self.check(rule, value, place)).collect();
        let errors: Vec<&String> = outcomes.iter().filter_map(|it| it.as_ref().err()).collect();
        match outcomes.len() - errors.len() {
            1 => Ok(()),
            0 => Err(format!("{place}: none of\n{errors:#?}")),
            _ => Err(format!("{place}: {value} is allowed in more than one way")),
        }
    }
}

fn held(is_held: bool, error: impl FnOnce() -> String) -> Checked {
    match is_held {
        true => Ok(()),
        false => Err(error()),
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the type `{other}` is not known"),
    };
    match rule {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}

/// The only pattern is that of a digest.
fn matches(pattern: &str, value: &Value) -> bool {
    assert_eq!(pattern, "^sha256:[0-9a-f]{64}$");
    let digits = value.as_str().map(|text| text.strip_prefix("sha256:"));
    digits.is_none_or(|digits| {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit))
    })
}

/// Calls `each` with every schema of an object with named fields.
fn objects<'v>(value: &'v Value, each: &mut impl FnMut(&'v Value)) {
    match value {
        Value::Object(entries) => {
            if entries.get("type") == Some(&"object".into()) && entries.contains_key("properties") {
                each(value);
            }
            entries.values().for_each(|entry| objects(entry, each));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| objects(entry, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn schema_allows_no_field_that_it_does_not_name() {
    let (schema, mut count) = (schema(), 0);
    objects(&schema, &mut |object| {
        assert_eq!(object["additionalProperties"], false, "{object:#}");
        count += 1;
    });
    assert!(count >= 18, "only {count} objects were found");
}

#[test]
fn schema_requires_every_field_except_in_a_plan() {
    let schema = schema();
    let plan = &schema["$defs"]["plan"];
    objects(&schema, &mut |object| {
        let names: Vec<&String> = object["properties"].as_object().unwrap().keys().collect();
        if object != plan {
            assert_eq!(object["required"], json!(names));
        }
    });
}

/// An object of each kind of violation, and what the validator says of it.
#[test]
fn object_against_the_schema_is_found() {
    let valid = json!({"mode": "restore", "status": "success", "error": null, "restored": []});
    assert_eq!(violation(&valid), None);
    let with = |name: &str, value: Value| {
        let mut object = valid.clone();
        object[name] = value;
        violation(&object).unwrap_or_default()
    };
    for (name, value, expected) in [
        ("other", json!(1), ".other: is not allowed"),
        ("mode", json!("publish"), "lacks"),
        ("status", json!("done"), "against `enum`"),
        ("status", json!("failure"), "against `type`"),
        ("restored", json!([{"image": "x"}]), "lacks \\\"id\\\""),
        (
            "restored",
            json!([{"image": "x", "id": "1"}]),
            "against `type`",
        ),
        ("restored", json!({}), "against `type`"),
    ] {
        let said = with(name, value);
        assert!(said.contains(expected), "{name}: {said}");
    }
}
