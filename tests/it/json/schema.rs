//! `docs/schema.json`, and what an object has against it.

use std::cell::OnceCell;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../../docs/schema.json");
/// No request is sent to it.
const PLACE: &str = "https://schema.example/result.json";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn compiled() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(PLACE, schema()).unwrap();
    let index = compiler.compile(PLACE, &mut schemas).unwrap();
    (schemas, index)
}

thread_local! {
    static COMPILED: OnceCell<(Schemas, SchemaIndex)> = const { OnceCell::new() };
}

/// Why the schema does not describe `object`; nothing if it does.
pub(super) fn violation(object: &Value) -> Option<String> {
    COMPILED.with(|cell| {
        let (schemas, index) = cell.get_or_init(compiled);
        let outcome = schemas.validate(object, *index);
        outcome.err().map(|error| format!("{error:#}"))
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
            assert_eq!(object["required"], serde_json::json!(names));
        }
    });
}

#[test]
fn every_field_has_a_description_or_a_definition() {
    let schema = schema();
    objects(&schema, &mut |object| {
        for (name, field) in object["properties"].as_object().unwrap() {
            let is_described = ["description", "$ref", "enum"];
            let is_described = is_described.iter().any(|key| field.get(key).is_some());
            assert!(is_described, "{name}");
        }
    });
}
