//! The flags of `buildx build`, group by group. Flags such as `--output` and `--secret` take one line of CSV.

use crate::buildx::command::Naming;
use crate::inputs::build::Call;
use crate::inputs::sandbox::Sandbox;
use crate::inputs::spec::Spec;
use crate::plan::build::BuildRequest;
use crate::plan::build::context_source::ContextSource;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Arguments in the order in which they are added.
pub(super) struct Arguments(Vec<String>);

impl Arguments {
    pub(super) fn new() -> Self {
        Self(vec!["build".to_owned(), "--progress=rawjson".to_owned()])
    }

    /// The whole vector: the context comes last, behind `--`.
    pub(super) fn ending_with(mut self, source: &ContextSource) -> Vec<String> {
        self.0.extend(["--".to_owned(), context(source)]);
        self.0
    }

    fn flag(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}"));
    }

    fn each<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        values.into_iter().for_each(|value| self.flag(name, value));
    }

    fn pairs(&mut self, name: &str, pairs: &[(String, String)]) {
        for (key, value) in pairs {
            self.flag(name, &format!("{key}={value}"));
        }
    }

    pub(super) fn specs(&mut self, name: &str, specs: &[Spec]) {
        for spec in specs {
            self.flag(name, &csv_spec(spec));
        }
    }

    /// The answer comes as JSON on standard output.
    pub(super) fn call(&mut self, call: Call) {
        let format = match call {
            Call::Check => ",format=json",
            Call::Outline | Call::Targets => "",
        };
        self.flag("call", &format!("{}{format}", call.as_str()));
    }

    /// The metadata, labels, attestations and cache of the result.
    pub(super) fn result(&mut self, request: &BuildRequest, metadata: &Path) {
        self.flag("metadata-file", &metadata.display().to_string());
        self.pairs("label", &request.labels);
        self.each("annotation", &request.annotations);
        self.specs("attest", &request.attestations);
        self.specs("cache-to", &request.cache_to);
    }

    /// The names of the image: a tag for each name, or the names in the image's output
    /// (<https://github.com/moby/buildkit/blob/v0.25.0/README.md#imageregistry>).
    pub(super) fn image(&mut self, request: &BuildRequest, naming: Naming) {
        if naming == Naming::Tag {
            for name in &request.names {
                self.flag("tag", &name.to_string());
            }
            return self.specs("output", &request.outputs);
        }
        let names = request.names.iter().map(|tagged| tagged.name.to_string());
        let names: BTreeSet<String> = names.collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",");
        for output in &request.outputs {
            let output = match output.kind() {
                "image" => output
                    .clone()
                    .with("name", &names)
                    .with("push-by-digest", "true")
                    .with("name-canonical", "true"),
                _ => output.clone(),
            };
            self.specs("output", &[output]);
        }
    }

    pub(super) fn builder(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.flag("builder", name);
        }
    }

    pub(super) fn sources(&mut self, request: &BuildRequest) {
        // In a context that the engine fetches, it looks for the Dockerfile itself.
        match (&request.context, &request.parameters.file) {
            (ContextSource::Directory(_), _) => self.flag("file", &request.dockerfile()),
            (_, Some(file)) => self.flag("file", file),
            (_, None) => {}
        }
        for (name, place) in &request.contexts {
            self.flag("build-context", &format!("{name}={}", context(place)));
        }
        self.specs("cache-from", &request.cache_from);
    }

    pub(super) fn policy(&mut self, is_strict: bool) {
        if is_strict {
            self.flag("policy", "strict=true");
        }
    }

    pub(super) fn settings(&mut self, request: &BuildRequest) {
        self.each("target", &request.parameters.target);
        self.each("platform", &request.parameters.platforms);
        self.pairs("build-arg", &request.parameters.build_args);
        self.each("no-cache-filter", &request.parameters.no_cache_filters);
        let switches = [
            ("--no-cache", request.parameters.no_cache),
            ("--pull", request.parameters.pull),
        ];
        let on = switches.iter().filter(|(_, is_on)| *is_on);
        self.0.extend(on.map(|(name, _)| (*name).to_owned()));
    }

    pub(super) fn sandbox(&mut self, sandbox: &Sandbox) {
        let Sandbox {
            network,
            add_hosts,
            allow,
            ssh,
            shm_size,
            ulimits,
            cgroup_parent,
        } = sandbox;
        self.each("network", network);
        for host in add_hosts {
            // The only flag whose value buildx splits into a list.
            self.flag("add-host", &csv_line(std::slice::from_ref(host)));
        }
        self.each("allow", allow);
        self.each("ssh", ssh);
        self.each("shm-size", shm_size);
        self.each("ulimit", ulimits);
        self.each("cgroup-parent", cgroup_parent);
    }

    pub(super) fn secrets(&mut self, secrets: &[(String, PathBuf)]) {
        for (id, file) in secrets {
            let fields = [format!("id={id}"), format!("src={}", file.display())];
            self.flag("secret", &csv_line(&fields));
        }
    }
}

/// Marks a directory whose name looks like a URL with `./`.
pub(super) fn context(place: &ContextSource) -> String {
    match place {
        ContextSource::Directory(directory)
            if directory.contains([':', '@']) && !directory.starts_with('/') =>
        {
            format!("./{directory}")
        }
        ContextSource::Directory(_)
        | ContextSource::Repository { .. }
        | ContextSource::Address(_) => place.to_string(),
    }
}

/// `fields` in one line, quoted so that no field can end early or add another.
pub(crate) fn csv_line(fields: &[String]) -> String {
    fields
        .iter()
        .map(|field| quoted(field))
        .collect::<Vec<_>>()
        .join(",")
}

/// A spec as buildx reads it, its type first.
pub(crate) fn csv_spec(spec: &Spec) -> String {
    let attributes = spec.attributes().iter();
    let attributes = attributes.map(|(key, value)| format!("{key}={value}"));
    let fields: Vec<String> = [format!("type={}", spec.kind())]
        .into_iter()
        .chain(attributes)
        .collect();
    csv_line(&fields)
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
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use testkit::proof::Proof;
    use testkit::{corpus, proof};

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
                prop_assert_eq!(decoded(&csv_line(&fields(&values))), [fields(&values)]);
                Ok(())
            });
            proof.property(proof::cases(), &vec("[a=,\"\n\r ]{0,12}", 1..5), |values| {
                prop_assert_eq!(decoded(&csv_line(&fields(&values))), [fields(&values)]);
                Ok(())
            });
            for text in corpus::texts() {
                let fields = fields(&[text.clone(), "last".to_owned()]);
                let same = decoded(&csv_line(&fields)) == std::slice::from_ref(&fields);
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
            csv_spec(&output),
            "type=image,\"name=a,push=true\",\"x=\"\"y\"\"\",z=1"
        );
    }
}
