//! Archives as engines and tools save them, and as they do not.

use super::*;
use crate::inputs::candidate::file::Form;
use crate::oci_layout::archive::tests::{Item, file, tar};
use crate::oci_layout::open::of_archive;
use crate::oci_layout::{OciLayout, Present};
use crate::vars::Vars;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

const LAYER_ONE: &[u8] = &[7; 4096];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn config(layers: &[&[u8]]) -> String {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let diff_ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
    json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } }).to_string()
}

fn opened(items: &[Item<'_>], choice: &Choice) -> anyhow::Result<(OciLayout, Present)> {
    let vars = Vars::of(&[]);
    let file = file(&tar(items));
    let title = "the archive `a.tar`".to_owned();
    of_archive(Form::DockerArchive, file, choice, title, Scratch(&vars))
}

/// The form engines wrote before version 25, the second layer a link to the first.
fn saved() -> Vec<u8> {
    let config = config(&[LAYER_ONE, LAYER_ONE]);
    let manifest =
        json!([{ "Config": "config.json", "Layers": ["one/layer.tar", "two/layer.tar"] }]);
    tar(&[
        Item::directory("one/"),
        Item::file("one/layer.tar", LAYER_ONE),
        Item::symlink("two/layer.tar", "../one/layer.tar"),
        Item::file("config.json", config.as_bytes()),
        Item::file("manifest.json", manifest.to_string().as_bytes()),
    ])
}

fn read(layout: &OciLayout, digest: &str) -> Vec<u8> {
    let section = layout.blob(&digest.parse().unwrap()).unwrap();
    let mut bytes = Vec::new();
    section.reader().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn layers_are_compressed_and_the_same_each_time() {
    let vars = Vars::of(&[]);
    let open = || {
        let (file, title) = (file(&saved()), String::new());
        of_archive(
            Form::DockerArchive,
            file,
            &Choice::Only,
            title,
            Scratch(&vars),
        )
        .unwrap()
    };
    let ((layout, present), (_, again)) = (open(), open());
    assert_eq!(present.root.digest, again.root.digest);
    assert_eq!(present.root.media_type, DOCKER_MANIFEST);
    let content = present.root.content().unwrap();
    assert_eq!(content.layers.len(), 2);
    let layer = &content.layers[0];
    let compressed = read(&layout, &layer.digest);
    assert_eq!(compressed.len() as u64, layer.size);
    let mut plain = Vec::new();
    GzDecoder::new(&*compressed)
        .read_to_end(&mut plain)
        .unwrap();
    assert_eq!(plain, LAYER_ONE);
}

#[test]
fn compressed_layer_is_published_as_it_is() {
    let (layer, config) = (gzip(LAYER_ONE), config(&[LAYER_ONE]));
    let manifest = json!([{ "Config": "c", "RepoTags": ["app:1"], "Layers": ["l.tar.gz"] }]);
    let (layout, present) = opened(
        &[
            Item::file("l.tar.gz", &layer),
            Item::file("c", config.as_bytes()),
            Item::file("manifest.json", manifest.to_string().as_bytes()),
        ],
        &Choice::Named("app:1".to_owned()),
    )
    .unwrap();
    let content = present.root.content().unwrap();
    assert_eq!(read(&layout, &content.layers[0].digest), layer);
}

#[track_caller]
fn check(layers: &[&[u8]], named: &[&[u8]], expected: &str) {
    let names: Vec<String> = (0..layers.len())
        .map(|number| format!("{number}.tar"))
        .collect();
    let manifest = json!([{ "Config": "c", "Layers": names }]).to_string();
    let config = config(named);
    let mut items = vec![
        Item::file("manifest.json", manifest.as_bytes()),
        Item::file("c", config.as_bytes()),
    ];
    let layers = names.iter().zip(layers);
    items.extend(layers.map(|(name, layer)| Item::file(name, layer)));
    let error = opened(&items, &Choice::Only).unwrap_err();
    let error = format!("{error:#}").replace(Digest::of(LAYER_ONE).as_str(), "<digest>");
    assert_eq!(error, expected);
}

#[test]
fn layer_that_the_config_does_not_name_is_an_error() {
    let title = "the archive `a.tar`";
    let other = format!("{title} has the layer `0.tar`, whose content is not <digest>");
    check(&[b"other"], &[LAYER_ONE], &other);
    check(&[&gzip(b"other")], &[LAYER_ONE], &other);
    let fewer = format!("{title} has 1 layers, but its config names 0");
    check(&[LAYER_ONE], &[], &fewer);
    let cut = gzip(LAYER_ONE);
    let error = "cannot read the layer `0.tar`: unexpected end of file";
    check(&[&cut[..cut.len() - 1]], &[LAYER_ONE], error);
}

#[test]
fn image_is_chosen_by_tag_number_or_digest() {
    let configs = [config(&[]), config(&[]) + " "];
    let ids = configs
        .each_ref()
        .map(|config| Digest::of(config.as_bytes()));
    let paths = ids.each_ref().map(|id| format!("{}.json", id.hex()));
    let entry = |number: usize| json!({ "Config": paths[number], "RepoTags": [format!("app:{number}")], "Layers": null });
    let manifest = json!([entry(0), entry(1)]).to_string();
    let items = [
        Item::file("manifest.json", manifest.as_bytes()),
        Item::file(&paths[0], configs[0].as_bytes()),
        Item::file(&paths[1], configs[1].as_bytes()),
    ];
    let open = |choice: Choice| opened(&items, &choice).map(|(_, present)| present.root);
    for choice in [
        Choice::Named("docker.io/library/app:1".to_owned()),
        Choice::Numbered(1),
        Choice::Digest(ids[1].clone()),
    ] {
        let root = open(choice).unwrap();
        assert_eq!(root.config_digest().as_ref(), Some(&ids[1]));
    }
    let error = open(Choice::Only).unwrap_err().to_string();
    assert_eq!(
        error,
        "the archive `a.tar` has several images: `app:0`, `app:1`"
    );
    assert!(open(Choice::Digest(Digest::of(b"none"))).is_err());
}

/// With the containerd store, the layout has the digest of the engine; with a graph driver, it has no layers.
#[test]
fn layout_beside_the_manifest_counts_unless_a_graph_driver_wrote_it() {
    let config = config(&[LAYER_ONE]);
    let (id, layer) = (Digest::of(config.as_bytes()), Digest::of(LAYER_ONE));
    let described = |digest: &Digest| json!({ "digest": digest.as_str(), "size": 1 });
    let paths = [&id, &layer].map(|digest| format!("blobs/sha256/{}", digest.hex()));
    let is_converted = |layers: &[Value], sources: &Value| {
        let image = json!({ "config": described(&id), "layers": layers }).to_string();
        let digest = Digest::of(image.as_bytes());
        let index = json!({ "manifests": [described(&digest)] }).to_string();
        let manifest =
            json!([{ "Config": paths[0], "Layers": [paths[1]], "LayerSources": sources }]);
        let (_, present) = opened(
            &[
                Item::file("index.json", index.as_bytes()),
                Item::file("manifest.json", manifest.to_string().as_bytes()),
                Item::file(&format!("blobs/sha256/{}", digest.hex()), image.as_bytes()),
                Item::file(&paths[0], config.as_bytes()),
                Item::file(&paths[1], LAYER_ONE),
            ],
            &Choice::Only,
        )
        .unwrap();
        present.root.digest != digest
    };
    let layers = [described(&layer)];
    assert!(!is_converted(&layers, &Value::Null));
    assert!(is_converted(
        &layers,
        &json!({ layer.as_str(): described(&layer) })
    ));
    assert!(is_converted(&[], &Value::Null));
}
