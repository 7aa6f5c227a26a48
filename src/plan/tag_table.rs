//! The reference's table of tag types, held against the program: event, ref and rule give those tags.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::context::Context;
use crate::context::event::Event;
use crate::context::facts::Facts;
use crate::inputs::tags;
use crate::inputs::tags::flavor;
use crate::inputs::tags::kind::TYPES;
use crate::plan::tags::tags;
use crate::vars::Vars;

/// A row: the words in backticks of each cell.
struct Row<'t> {
    kind: &'t str,
    rule: &'t str,
    event: &'t str,
    full_ref: &'t str,
    tags: Vec<&'t str>,
}

fn rows() -> Vec<Row<'static>> {
    let reference = include_str!("../../docs/reference.md");
    let (_, after) = reference.split_once("<!-- tag types -->").unwrap();
    let (table, _) = after.split_once("<!-- /tag types -->").unwrap();
    table.trim().lines().skip(2).map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<Vec<&str>> = line
        .trim_matches('|')
        .split(" | ")
        .map(in_backticks)
        .collect();
    let [kind, rule, when, tags] = cells.as_slice() else {
        panic!("four cells in `{line}`")
    };
    Row {
        kind: kind[0],
        rule: rule[0],
        event: when[0],
        full_ref: when[1],
        tags: tags.clone(),
    }
}

fn in_backticks(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn given(row: &Row<'_>) -> Vec<String> {
    let now: DateTime<Utc> = "2026-11-20T18:00:00Z".parse().unwrap();
    let variables = [
        ("GITHUB_REPOSITORY", "acme/widget"),
        ("GITHUB_EVENT_NAME", row.event),
        ("GITHUB_REF", row.full_ref),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ];
    let mut context = Context::from_vars(&Vars::of(&variables)).unwrap();
    let repository = json!({"repository": {"name": "widget", "default_branch": "main"}});
    context.event = Event::from_payload(&repository);
    let facts = Facts::new(&context, now, 7);
    let rules = tags::parse(row.rule).unwrap();
    let tags = tags(&rules, &flavor::parse("").unwrap(), &facts).unwrap();
    tags.names.iter().map(ToString::to_string).collect()
}

#[test]
fn every_row_of_the_reference_is_true() {
    for row in rows() {
        assert!(
            row.rule.contains(&format!("type={}", row.kind)),
            "{}",
            row.rule
        );
        assert_eq!(given(&row), row.tags, "for `{}`", row.rule);
    }
}

#[test]
fn every_type_has_a_row() {
    let rows = rows();
    for kind in TYPES {
        assert!(rows.iter().any(|row| row.kind == *kind), "`{kind}`");
    }
}
