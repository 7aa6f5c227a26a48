//! How often a publication waits for a registry, counted in the record of the double, not by a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use ghcr_double::{Double, Endpoint, Fault, Package, Repository, Seen, round_trips};
use serde_json::json;

use crate::publication::{COMMIT, NAME, PUSHED, registry};
use crate::support::Action;

/// Longer than the time between requests that are sent at once, on a busy machine too.
const DELAY: Duration = Duration::from_millis(400);
const OLD: &str = "1111111111111111111111111111111111111111";
const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
const IMAGE: [(&str, &str); 2] = [
    (
        "org.opencontainers.image.source",
        "https://github.com/acme/Widget",
    ),
    ("org.opencontainers.image.revision", COMMIT),
];

/// A registry that responds late.
fn double(names: &[String]) -> Double {
    let date = "2026-11-20T10:00:00Z";
    let repository = Repository::new("acme/Widget")
        .commit(OLD, &[], date)
        .commit(COMMIT, &[OLD], date);
    let builder = registry().repository(repository);
    let package =
        |builder: ghcr_double::Builder, name| builder.package(name, Package::of("acme/Widget"));
    let names = names.iter().map(String::as_str);
    let double = names.fold(builder, package).start().unwrap();
    double.script(Fault::on(Endpoint::Any).always().hang(DELAY));
    double
}

/// What the tags show before the run.
fn old_image(double: &Double, tags: &[&str]) {
    let [source, _] = IMAGE;
    let revision = ("org.opencontainers.image.revision", OLD);
    for tag in tags {
        double.put_image(NAME, tag, &[source, revision]);
    }
}

/// The requests of a run: before the build, and after the push.
struct Trips {
    before: Vec<Seen>,
    after: Vec<Seen>,
}

impl Trips {
    /// A run that pushes `digest` under [`NAME`] and the `others`. The progress says so, and names the parts of the image, as that
    /// of BuildKit does.
    fn of_names(double: &Double, digest: &str, action: Action, others: &[String]) -> Self {
        let (_, manifest) = double.manifest(NAME, digest).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let below = manifest["manifests"].as_array().into_iter().flatten();
        let below = below.map(|below| ("manifest", below));
        let config = manifest.get("config").map(|config| ("config", config));
        let parts = below.chain(config).map(|(kind, part)| {
            let digest = part["digest"].as_str().unwrap();
            format!("exporting {kind} {digest}")
        });
        let host = double.host();
        let names = others.iter().map(String::as_str).chain([NAME]);
        let pushes =
            names.map(|name| format!("pushing manifest for {host}/{name}:{PUSHED}@{digest}"));
        let end = "2026-01-01T00:00:00Z";
        let statuses = parts.chain(pushes);
        let statuses =
            statuses.map(|id| json!({ "id": id, "vertex": "sha256:1", "completed": end }));
        let progress = json!({ "statuses": statuses.collect::<Vec<_>>() });
        let metadata = json!({ "containerimage.digest": digest });
        let script = format!(
            "[ \"$1\" = build ] || exit 0; echo '{progress}' >&2; echo '{metadata}' > \"$metadata\""
        );
        let run = action.buildx(&script).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let requests = double.requests();
        let mut pushed = requests.iter().filter(|seen| seen.path.ends_with(digest));
        let pushed = pushed.next().unwrap().arrived;
        let is_before = |seen: &Seen| seen.responded.is_some_and(|responded| responded < pushed);
        let (before, after) = requests.into_iter().partition(is_before);
        Self { before, after }
    }

    fn of(double: &Double, digest: &str, action: Action) -> Self {
        Self::of_names(double, digest, action, &[])
    }

    /// The round trips before the build and after the push.
    #[track_caller]
    fn check(&self, before: usize, after: usize) {
        let counts = (round_trips(&self.before), round_trips(&self.after));
        assert_eq!(counts, (before, after), "{}", self.shown());
        self.check_order();
    }

    /// Nothing is written before the last part of the image was seen, and each tag that is written is read back.
    #[track_caller]
    fn check_order(&self) {
        let is_part = |seen: &&Seen| {
            let is_blob = matches!(seen.endpoint, Endpoint::BlobHead | Endpoint::BlobGet);
            is_blob
                || ["/manifests/sha256:", "/storage/"]
                    .iter()
                    .any(|part| seen.path.contains(part))
        };
        let parts = self.after.iter().filter(is_part);
        let verified = parts.map(|seen| seen.responded.unwrap()).max();
        let writes = self.after.iter().filter(|seen| seen.method == "PUT");
        for write in writes {
            assert!(verified < Some(write.arrived), "{}", self.shown());
            let mut requests = self.after.iter();
            let is_read_back = requests.any(|seen| {
                seen.method != "PUT"
                    && seen.path == write.path
                    && Some(seen.arrived) > write.responded
            });
            assert!(is_read_back, "{}{}", write.path, self.shown());
        }
    }

    fn shown(&self) -> String {
        let requests = self.before.iter().chain(&self.after);
        let line = |seen: &Seen| {
            let (arrived, responded) = (seen.arrived, seen.responded.unwrap_or_default());
            let (method, path) = (&seen.method, &seen.path);
            format!("\n{arrived:>3} {responded:>3} {method} {path}")
        };
        requests.map(line).collect()
    }
}

/// A release with so many fixed tags: its version, and others.
fn release(double: &Double, tags: usize) -> Action {
    let more = (1..tags).map(|number| format!("\ntype=raw,value={{{{tag}}}}-{number}"));
    let rules: String = std::iter::once("type=ref,event=tag".to_owned())
        .chain(more)
        .collect();
    Action::publishing("push_tag", double)
        .input("tags", rules)
        .input("flavor", "latest=false")
}

/// A push to a branch with so many fixed tags; the first is that of the push.
fn fixed(double: &Double, tags: usize) -> Action {
    let rules = (0..tags).map(|number| format!("type=raw,value={{{{sha}}}}-{number}\n"));
    Action::publishing("push_branch", double).input("tags", rules.collect::<String>())
}

fn put_index(double: &Double, tag: &str) -> String {
    let children = PLATFORMS.map(|platform| double.put_platform_image(NAME, platform));
    let children: Vec<(&str, &str)> = PLATFORMS
        .into_iter()
        .zip(children.iter().map(String::as_str))
        .collect();
    double.put_index(NAME, tag, &children, &IMAGE)
}

/// The manifest; its blobs and what the tag shows; the write; the read-back.
#[test]
fn one_fixed_tag_takes_four_round_trips() {
    let double = double(&[]);
    let digest = double.put_image(NAME, PUSHED, &IMAGE);
    Trips::of(&double, &digest, release(&double, 1)).check(3, 4);
}

#[test]
fn more_fixed_tags_take_no_more_round_trips() {
    let double = double(&[]);
    let digest = double.put_image(NAME, "0123456-0", &IMAGE);
    // The first tag is in the list, and is read.
    Trips::of(&double, &digest, fixed(&double, 6)).check(4, 4);
}

/// Another run may have created the version: only when it is ours are the others written.
#[test]
fn fixed_tags_beside_a_version_take_one_more() {
    let double = double(&[]);
    let digest = double.put_image(NAME, PUSHED, &IMAGE);
    Trips::of(&double, &digest, release(&double, 5)).check(3, 5);
}

/// The manifests of the platforms are read with the index: the progress of the build names them.
#[test]
fn index_takes_no_more() {
    let double = double(&[]);
    let digest = put_index(&double, PUSHED);
    Trips::of(&double, &digest, release(&double, 1)).check(3, 4);
}

/// The comparison of two commits is a question to GitHub. The second look is the read-back.
#[test]
fn branch_takes_no_round_trip_for_what_its_tag_shows() {
    let double = double(&[]);
    old_image(&double, &["main"]);
    let digest = double.put_image(NAME, &format!("sha-{COMMIT}"), &IMAGE);
    let action = Action::publishing("push_branch", &double).input("tags", "type=ref,event=branch");
    Trips::of(&double, &digest, action).check(3, 5);
}

#[test]
fn latest_and_the_second_look_take_one_each() {
    let double = double(&[]);
    old_image(&double, &["latest"]);
    let digest = double.put_image(NAME, PUSHED, &IMAGE);
    Trips::of(&double, &digest, Action::publishing("push_tag", &double)).check(3, 6);
}

#[test]
fn floating_tags_before_latest_take_one() {
    let double = double(&[]);
    old_image(&double, &["1.2", "1", "latest"]);
    let digest = double.put_image(NAME, PUSHED, &IMAGE);
    let rules = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}";
    let action = Action::publishing("push_tag", &double).input("tags", rules);
    Trips::of(&double, &digest, action).check(3, 7);
}

/// The first name asks how to authenticate; all names get their tokens at once, and ask for push access at once.
#[test]
fn more_names_take_no_more_round_trips() {
    for names in [2, 5] {
        let others = (1..names).map(|number| format!("acme/other-{number}"));
        let others: Vec<String> = others.collect();
        let double = double(&others);
        let digest = double.put_image(NAME, PUSHED, &IMAGE);
        let mut images = format!("{}/{NAME}", double.host());
        for name in &others {
            images += &format!("\n{}/{name}", double.host());
            double.put_image(name, PUSHED, &IMAGE);
        }
        let action = release(&double, 1).input("images", images);
        let trips = Trips::of_names(&double, &digest, action, &others);
        trips.check(3, 4);
        assert_eq!(double.count(Endpoint::Token), names);
        assert_eq!(double.count(Endpoint::BlobPost), names + 1);
    }
}

/// With a limit, the image to compare with is read while the image is verified; its config is behind its manifest, and
/// behind a redirect.
#[test]
fn comparison_that_holds_the_tags_takes_one_more() {
    let [image, index] = [false, true].map(|is_index| {
        let double = double(&[]);
        let labels = [IMAGE[0], ("org.opencontainers.image.revision", OLD)];
        double.put_labelled_image(NAME, "stable", &labels);
        let digest = match is_index {
            true => put_index(&double, PUSHED),
            false => double.put_image(NAME, PUSHED, &IMAGE),
        };
        let action = release(&double, 1).input("compare-with", "stable");
        Trips::of(&double, &digest, action.input("max-growth", "50%"))
    });
    image.check(3, 5);
    index.check(3, 5);
}

/// Without a limit, only the tag is read before the writes.
#[test]
fn comparison_takes_no_round_trip() {
    let double = double(&[]);
    old_image(&double, &["stable"]);
    let digest = double.put_image(NAME, PUSHED, &IMAGE);
    let action = release(&double, 1).input("compare-with", "stable");
    Trips::of(&double, &digest, action).check(3, 4);
}

#[test]
fn image_that_lacks_a_blob_gets_no_tag() {
    let double = double(&[]);
    double.clear_script();
    let digest = put_index(&double, PUSHED);
    double.script(Fault::on(Endpoint::BlobHead).after(3).always().answer(404));
    let run = release(&double, 1)
        .buildx_pushes(&digest)
        .input("push-timeout", "1s")
        .run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(double.count(Endpoint::TagPut), 0);
}

/// Requests that were sent more than once, and how often.
fn repeated(requests: &[Seen]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for seen in requests.iter().filter(|seen| seen.method != "PUT") {
        let (method, host, path, query) = (&seen.method, &seen.host, &seen.path, &seen.query);
        let request = format!("{method} {host}{path}?{query}");
        *counts.entry(request).or_default() += 1;
    }
    counts.retain(|_, count| *count > 1);
    counts.into_iter().collect()
}

/// A tag is read before the build, before the write, after the write and, if it floats, as a second look.
#[test]
fn nothing_is_asked_twice() {
    let double = double(&[]);
    old_image(&double, &["1.2", "1", "latest"]);
    let digest = put_index(&double, "sha-0123456");
    let rules = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}\ntype=sha\ntype=sha,format=long";
    let action = Action::publishing("push_tag", &double).input("tags", rules);
    let trips = Trips::of(&double, &digest, action);
    // The first question whether a push is allowed has no token.
    let push_access = format!("POST {}/v2/{NAME}/blobs/uploads/?", double.host());
    assert_eq!(repeated(&trips.before), [(push_access, 2)]);
    // The second look lists the versions again.
    let list = format!("GET {}/v2/{NAME}/tags/list?n=1000", double.host());
    assert_eq!(repeated(&trips.after), [(list, 2)]);
}

/// Both the comparison and the order of commits ask for the config of the image under `main`.
#[test]
fn config_with_labels_is_read_once() {
    for limit in ["", "50%"] {
        let double = double(&[]);
        let labels = [IMAGE[0], ("org.opencontainers.image.revision", OLD)];
        double.put_labelled_image(NAME, "main", &labels);
        let digest = double.put_image(NAME, &format!("sha-{COMMIT}"), &IMAGE);
        let action = Action::publishing("push_branch", &double)
            .input("tags", "type=ref,event=branch")
            .input("max-growth", limit);
        let trips = Trips::of(&double, &digest, action);
        assert_eq!(repeated(&trips.after), [], "{limit}{}", trips.shown());
        let blobs = trips.after.iter();
        let blobs = blobs.filter(|seen| seen.endpoint == Endpoint::BlobGet);
        assert_eq!(blobs.count(), 2, "{limit}{}", trips.shown());
    }
}
