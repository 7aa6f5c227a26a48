//! The labels and annotations of an image: the plain tool gets those of ours, because each of them is work.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ours;
use crate::runner::Job;
use crate::work::{Turn, Work};
use crate::world::World;

/// Where annotations go, for an image that is an index or one that is not.
pub(crate) fn levels(work: &Work) -> &'static str {
    if work.platforms.len() > 1 {
        "index,manifest"
    } else {
        "manifest"
    }
}

/// The flags with which buildx gives an image the labels and annotations that ours gives it.
pub(crate) fn flags(job: &Job, inputs: &[(&str, &str)], levels: &str) -> Vec<String> {
    let output = ours::step(job, inputs)
        .args(["plan", "--json"])
        .output()
        .unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let labels = plan["labels"].as_object().unwrap().iter();
    let labels = labels.map(|(key, value)| format!("--label={key}={}", value.as_str().unwrap()));
    let annotations = plan["annotations"].as_array().unwrap().iter();
    let annotations = annotations.map(|annotation| {
        let (_level, pair) = annotation.as_str().unwrap().split_once(':').unwrap();
        format!("--annotation={levels}:{pair}")
    });
    labels.chain(annotations).collect()
}

/// The columns did the same work: their images have labels and annotations with the same keys.
pub(crate) fn assert_same(world: &World, work: &Work, turns: &[Turn]) {
    let keys = turns.iter().map(|turn| keys(world, work, *turn));
    let keys: Vec<_> = keys.collect();
    assert!(keys.iter().all(|other| *other == keys[0]), "{keys:#?}");
}

fn keys(world: &World, work: &Work, turn: Turn) -> BTreeSet<String> {
    let image = work.images(world, turn).swap_remove(0);
    let (_, name) = image.split_once('/').unwrap();
    let read = |reference: &str| -> Value {
        let (_, bytes) = world.double.manifest(name, reference).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let top = read(&work.tags(turn)[0]);
    let manifest = match top["manifests"][0]["digest"].as_str() {
        Some(digest) => read(digest),
        None => top.clone(),
    };
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config: Value = serde_json::from_slice(&world.double.blob(name, config).unwrap()).unwrap();
    let all = [
        ("label", &config["config"]["Labels"]),
        ("annotation of the manifest", &manifest["annotations"]),
        ("annotation of the index or manifest", &top["annotations"]),
    ];
    let named = all.into_iter().flat_map(|(kind, pairs)| {
        let keys = pairs.as_object().into_iter().flat_map(|pairs| pairs.keys());
        keys.map(move |key| format!("{kind} {key}"))
    });
    named.collect()
}
