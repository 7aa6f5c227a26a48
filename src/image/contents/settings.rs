//! The settings of an image: how a container of it starts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::image::contents::{Field, Hidden, Value};

/// The `config` of an image config. The health check is Docker's
/// (<https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md>).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Execution {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
    healthcheck: Option<serde_json::Value>,
}

/// Every field that has a value, by its name where several have the same field.
pub(super) fn read(execution: Execution) -> BTreeMap<(Field, String), Value> {
    let Execution {
        user,
        exposed_ports,
        env,
        entrypoint,
        cmd,
        volumes,
        working_dir,
        labels,
        stop_signal,
        healthcheck,
    } = execution;
    let list = |texts: Option<Vec<String>>| {
        let texts = texts.filter(|texts| !texts.is_empty());
        texts.map(|texts| json!(texts).to_string())
    };
    let single = [
        (Field::Entrypoint, list(entrypoint)),
        (Field::Command, list(cmd)),
        (Field::User, user),
        (Field::WorkingDirectory, working_dir),
        (
            Field::HealthCheck,
            healthcheck.map(|check| check.to_string()),
        ),
        (Field::StopSignal, stop_signal),
    ];
    let single = single.into_iter().filter_map(|(field, text)| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(((field, String::new()), Value::Text(text)))
    });
    let present = |field, names: Option<BTreeMap<String, IgnoredAny>>| {
        let names = names.unwrap_or_default().into_keys();
        names.map(move |name| ((field, name), Value::Present))
    };
    let variables = env.unwrap_or_default().into_iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        let value = Value::Hidden(Hidden(value.to_owned()));
        ((Field::Variable, name.to_owned()), value)
    });
    let labels = labels.unwrap_or_default().into_iter();
    let labels = labels.map(|(key, text)| ((Field::Label, key), Value::Text(text)));
    single
        .chain(present(Field::Port, exposed_ports))
        .chain(present(Field::Volume, volumes))
        .chain(variables)
        .chain(labels)
        .collect()
}
