//! What changed since another image, and `max-growth`.

mod baseline;
mod growth;
pub(crate) mod images;

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use ghcr_double::{Double, Repository};
use serde_json::{Value, json};
use testkit::runner::commands::commands;

use crate::publication::{COMMIT, NAME, PUSHED, registry};
use crate::support::{Action, Run};
use images::{Image, MANIFEST, Numbers, Reader, expected, put};

/// Text that a config brings: commands for the runner, HTML, and the end of a table.
const HOSTILE: &str = "x\n::error::forged\n##[error]forged\r::set-output name=digest::forged <img src=x> `</details>` | a |\n# title";
const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/riscv64"];

/// A run on the branch `main` by an engine that claims to push this image, which is there as [`PUSHED`].
fn publish(double: &Double, digest: &str) -> Action {
    Action::publishing("push_branch", double).buildx_pushes(digest)
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn changes(run: &Run) -> Value {
    serde_json::from_str(run.output("changes")).unwrap()
}

fn image(platform: &'static str, layers: &[u64]) -> Image {
    Image {
        platform,
        layers: layers.to_vec(),
        base: 1,
        label: 1,
        variable: None,
    }
}

/// A registry in which `main` shows one image, and another is pushed: its digest.
fn pair(before: &[Image], after: &[Image]) -> (Double, String) {
    let double = registry().start().unwrap();
    put(&double, "main", before);
    let digest = put(&double, PUSHED, after);
    (double, digest)
}

/// Two images: a platform gone, layers shared, the base moved, only a label changed, or nothing.
fn generated(number: u64) -> (Vec<Image>, Vec<Image>) {
    let mut numbers = Numbers(number);
    let count = usize::try_from(1 + numbers.below(3)).unwrap();
    let mut before = Vec::new();
    for platform in &PLATFORMS[..count] {
        let count = 1 + numbers.below(5);
        let layers: Vec<u64> = (0..count).map(|_| numbers.below(1000)).collect();
        before.push(Image {
            base: numbers.below(9),
            variable: Some(numbers.below(3)).filter(|value| *value > 0),
            ..image(platform, &layers)
        });
    }
    let mut after = before.clone();
    match number % 5 {
        0 => {
            before.push(image("linux/s390x", &[number, 7]));
            after[0].layers.push(number + 2000);
        }
        1 => after.iter_mut().for_each(|image| {
            image.layers.pop();
            image.layers.extend([numbers.below(1000) + 1000, 5, 5]);
            image.variable = Some(numbers.below(3)).filter(|value| *value > 0);
        }),
        2 => after.iter_mut().for_each(|image| {
            image.base += 10;
            image.layers[0] += 3000;
        }),
        3 => after.iter_mut().for_each(|image| image.label += 1),
        _ => {}
    }
    (before, after)
}

#[test]
fn changes_are_those_of_manifests_and_configs() {
    are_those_that_are_read(|double| Box::new(double));
}

/// Compares the output `changes` for twenty generated pairs of images with the documents that somebody reads.
pub(crate) fn are_those_that_are_read(reader: for<'a> fn(&'a Double) -> Box<dyn Reader + 'a>) {
    for number in 0..20 {
        let (before, after) = generated(number);
        let (double, digest) = pair(&before, &after);
        let old = double.tags(NAME)["main"].clone();
        let run = succeeded(publish(&double, &digest));
        let changes = changes(&run);
        let context = format!("{number}: {before:?} {after:?}");
        assert_eq!(changes["with"], format!("{}/{NAME}:main", double.host()));
        assert_eq!(
            [&changes["from"], &changes["to"]],
            [&json!(old), &json!(digest)]
        );
        let platforms = changes["platforms"].as_array().unwrap().iter();
        let name = |it: &Value| it["platform"].as_str().unwrap().to_owned();
        let platforms: BTreeMap<String, Value> =
            platforms.map(|it| (name(it), it.clone())).collect();
        let expected = expected(&*reader(&double), &old, &digest);
        assert_eq!(platforms, expected, "{context}");
        assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
        assert!(
            !(run.summary.clone() + run.output("changes")).contains("hunter2"),
            "{context}"
        );
    }
}

#[test]
fn a_comparison_costs_at_most_three_requests_a_platform_and_none_twice() {
    for number in 0..20 {
        let (before, after) = generated(number);
        let requests = |with: &str| {
            let double = registry().start().unwrap();
            put(&double, "stable", &before);
            let digest = put(&double, PUSHED, &after);
            succeeded(publish(&double, &digest).input("compare-with", with));
            let seen = double.requests().into_iter();
            let seen = seen.map(|seen| format!("{} {}", seen.method, seen.path));
            seen.collect::<Vec<_>>()
        };
        let (without, with) = (requests("none"), requests("stable"));
        let gets = with
            .iter()
            .filter(|it| it.starts_with("GET") && it.contains("sha256:"));
        let unique: BTreeSet<&String> = gets.clone().collect();
        assert_eq!(unique.len(), gets.count(), "{number}: {with:?}");
        let is_redirected = |request: &&String| request.contains(" /storage/");
        let added = with.iter().filter(|request| !without.contains(request));
        let added = added.filter(|request| !is_redirected(request));
        let added: Vec<&String> = added.collect();
        assert_eq!(added[0], "GET /v2/acme/widget/manifests/stable");
        // The manifest of each platform that is not the same, and the configs of both images.
        let most = match number % 5 {
            4 => 1 + after.len(),
            _ => 1 + 2 * before.len() + after.len(),
        };
        assert!(added.len() <= most, "{number}: {added:?}");
    }
}

#[test]
fn summary_and_log_show_what_differs() {
    let mut after = [
        image("linux/amd64", &[1, 2, 800]),
        image("linux/arm64", &[1, 2]),
    ];
    after[0].variable = Some(1);
    after
        .iter_mut()
        .for_each(|image| (image.base, image.label) = (2, 2));
    let before = [image("linux/amd64", &[1, 2]), image("linux/riscv64", &[1])];
    let (double, digest) = pair(&before, &after);
    let run = succeeded(publish(&double, &digest));
    run.assert_log("size     ");
    let line = run
        .stdout
        .lines()
        .find(|line| line.starts_with("size "))
        .unwrap();
    expect!["size     linux/amd64 14.8 kB, +14.2 kB (+2345.5 %); linux/arm64 0.6 kB, new; linux/riscv64 removed since main"].assert_eq(line);
    let (_, rest) = run.summary.split_once("#### Changes").unwrap();
    let (section, _) = rest.split_once("```sh").unwrap();
    expect![[r#"
         since `main`

        | Platform | Size | Difference | New bytes | |
        |---|--:|--:|--:|---|
        | `linux/amd64` | 14.8 kB | +14.2 kB (+2345.5 %) | 14.5 kB | ▰▰▰▰▰▰▰▰▰▱ |
        | `linux/arm64` | 0.6 kB | new platform | 0.6 kB | ▰▰▰▰▰▰▰▰▰▰ |
        | `linux/riscv64` | removed | | | |

        - Base image digest: `sha256:0000000000000000000000000000000000000000000000000000000000000001` → `sha256:0000000000000000000000000000000000000000000000000000000000000002`
        - Environment variable `VARIABLE` added

        <details><summary>Layers and labels</summary>

        `linux/amd64`: 3 layers, before 2. The largest new ones:

        | Size | Layer |
        |--:|---|
        | 14.1 kB | `RUN make 800` |

        - Label `label`: `1` → `2`

        </details>

    "#]].assert_eq(section);
}

#[test]
fn an_image_that_did_not_change_is_said_to_be_the_same() {
    let images = [image("linux/amd64", &[1])];
    let (double, digest) = pair(&images, &images);
    let run = succeeded(publish(&double, &digest));
    run.assert_log("same size since main\n");
    run.assert_summary("The same image as `main`.\n");
    assert_eq!(changes(&run)["platforms"][0]["change"], "unchanged");
}

#[test]
fn commits_of_this_repository_are_linked() {
    const OLD: &str = "1111111111111111111111111111111111111111";
    let repository = Repository::new("acme/Widget")
        .commit(OLD, &[], "2026-11-19T10:00:00Z")
        .commit(COMMIT, &[OLD], "2026-11-20T10:00:00Z");
    let double = registry().repository(repository).start().unwrap();
    let of = |tag: &str, source: &str, commit: &str| {
        let source = ("org.opencontainers.image.source", source);
        double.put_image(
            NAME,
            tag,
            &[source, ("org.opencontainers.image.revision", commit)],
        )
    };
    let own = "https://github.com/acme/Widget";
    let url = |source: &str| {
        of("stable", source, OLD);
        let digest = of(PUSHED, own, COMMIT);
        let run = succeeded(publish(&double, &digest).input("compare-with", "stable"));
        let url = changes(&run)["compare-url"].clone();
        assert_eq!(
            run.summary.contains("[Compare the commits]("),
            url != Value::Null
        );
        url
    };
    assert_eq!(url(own), format!("{own}/compare/{OLD}...{COMMIT}"));
    assert_eq!(url("https://github.com/other/app"), Value::Null);
}

#[test]
fn foreign_text_stays_text() {
    let put = |double: &Double, tag: &str, number: u64| {
        let of = |text: &str| format!("{text} {number}{HOSTILE}");
        let layer = double.put_blob(NAME, vec![b'x'; 10_000 * usize::try_from(number).unwrap()]);
        let config = json!({
            "os": "linux",
            "architecture": "amd64",
            "config": {
                "Entrypoint": [of("entry")],
                "Env": [of("VARIABLE")],
                "Labels": { of("label"): of("value") },
                "User": of("user"),
            },
            "history": [{ "created_by": of("RUN") }],
        });
        let config = config.to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": double.put_blob(NAME, config) },
            "layers": [{ "mediaType": "x", "digest": layer, "size": 10_000 * number }],
            "annotations": {
                "org.opencontainers.image.base.name": of("base"),
                "org.opencontainers.image.source": "https://github.com/other/app",
            },
        });
        double.put_manifest(NAME, tag, MANIFEST, manifest.to_string())
    };
    for max in ["", "1%"] {
        let double = registry().start().unwrap();
        put(&double, "main", 1);
        let digest = put(&double, PUSHED, 2);
        let run = publish(&double, &digest).input("max-growth", max).run();
        assert_eq!(run.succeeded, max.is_empty(), "{}", run.stderr);
        for log in [&run.stdout, &run.stderr] {
            let found = commands(log.as_bytes());
            assert!(
                found.iter().all(|it| !it.data.starts_with("forged")),
                "{log}"
            );
        }
        let code = run
            .summary
            .lines()
            .flat_map(|line| line.split('`').step_by(2));
        let text: String = code.collect();
        for mark in ["<img", "::error", "##["] {
            assert!(!text.contains(mark), "{mark}: {}", run.summary);
        }
        assert_eq!(
            run.summary.matches("\n</details>").count(),
            1,
            "{}",
            run.summary
        );
        assert!(!run.summary.contains("\n# title"), "{}", run.summary);
        let changes = changes(&run);
        let layers = &changes["platforms"][0]["new-layers"];
        assert_eq!(layers[0]["instruction"], format!("RUN 2{HOSTILE}"));
        assert_eq!(run.output("changes").lines().count(), 1);
    }
}
