//! One line of CSV, as buildx reads the values of `--output`, `--secret`, `--cache-from` and similar flags.

use crate::inputs::spec::Spec;

/// `fields` in one line, quoted so that no field can end early or add another.
pub(crate) fn line(fields: &[String]) -> String {
    fields
        .iter()
        .map(|field| quoted(field))
        .collect::<Vec<_>>()
        .join(",")
}

/// A spec as buildx reads it, its type first.
pub(crate) fn spec(spec: &Spec) -> String {
    let attributes = spec.attributes().iter();
    let attributes = attributes.map(|(key, value)| format!("{key}={value}"));
    let fields: Vec<String> = [format!("type={}", spec.kind())]
        .into_iter()
        .chain(attributes)
        .collect();
    line(&fields)
}

/// Quotes around what could be taken for the grammar; a quote inside is doubled (RFC 4180).
fn quoted(field: &str) -> String {
    let special = |c: char| matches!(c, ',' | '"' | '\n' | '\r');
    let edge = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let chars = || field.chars();
    if !field.contains(special) && !edge(chars().next()) && !edge(chars().next_back()) {
        return field.to_owned();
    }
    format!("\"{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;

    use super::*;
    use testkit::corpus;
    use testkit::{proof, proof::Proof};

    /// The fields that buildx reads from a line; more than one record where it would stop reading.
    fn decoded(line: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(line.as_bytes());
        let records = reader.records().map(|record| record.unwrap());
        records
            .map(|record| record.iter().map(str::to_owned).collect())
            .collect()
    }

    mod properties {
        use super::*;

        #[test]
        fn nothing_in_a_value_becomes_a_key() {
            let mut proof = Proof::of("CSV for buildx: every field comes back as it was");
            let fields = |values: &[String]| -> Vec<String> {
                values.iter().map(|value| format!("name={value}")).collect()
            };
            proof.property(proof::cases(), &vec(any::<String>(), 1..5), |values| {
                prop_assert_eq!(decoded(&line(&fields(&values))), [fields(&values)]);
                Ok(())
            });
            proof.property(proof::cases(), &vec("[a=,\"\n\r ]{0,12}", 1..5), |values| {
                prop_assert_eq!(decoded(&line(&fields(&values))), [fields(&values)]);
                Ok(())
            });
            for text in corpus::texts() {
                let fields = fields(&[text.clone(), "last".to_owned()]);
                let same = decoded(&line(&fields)) == std::slice::from_ref(&fields);
                proof.case(same.then_some(()).ok_or(text));
            }
            proof.end();
        }
    }

    #[test]
    fn quotes_stand_only_where_they_must() {
        let output = Spec::new("image")
            .with("name", "a,push=true")
            .with("x", "\"y\"")
            .with("z", "1");
        assert_eq!(
            spec(&output),
            "type=image,\"name=a,push=true\",\"x=\"\"y\"\"\",z=1"
        );
    }
}
