//! How often a publication waits for a registry, counted in the record of the double, not by a clock.

use std::time::Duration;

use ghcr_double::{Double, Endpoint, Fault, Repository, Seen, round_trips};

use crate::publication::{COMMIT, NAME, PUSHED, registry};
use crate::support::Action;

/// Longer than the time between requests that are sent at once, on a busy machine too.
const DELAY: Duration = Duration::from_millis(100);
const OLD: &str = "1111111111111111111111111111111111111111";

/// A registry that responds late.
fn double() -> Double {
    let date = "2026-11-20T10:00:00Z";
    let repository = Repository::new("acme/Widget")
        .commit(OLD, &[], date)
        .commit(COMMIT, &[OLD], date);
    let double = registry().repository(repository).start().unwrap();
    double.script(Fault::on(Endpoint::Any).always().hang(DELAY));
    double
}

/// Stores an image of a commit of this repository under a tag.
fn image(double: &Double, tag: &str, commit: &str) -> String {
    let annotations = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
    ];
    double.put_image(NAME, tag, &annotations)
}

/// The requests of a run: before the build, and after the push of `digest`.
struct Trips {
    before: Vec<Seen>,
    after: Vec<Seen>,
}

impl Trips {
    fn of(double: &Double, digest: &str, action: Action) -> Self {
        let run = action.buildx_pushes(digest).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let mut before = double.requests();
        let pushed = before.iter().position(|seen| seen.path.ends_with(digest));
        let after = before.split_off(pushed.unwrap());
        Self { before, after }
    }

    fn show(&self, what: &str) {
        let line = |seen: &Seen| format!("    {:>3} {:>3} {} {}{}?{} {:?}", seen.arrived, seen.responded.unwrap_or(0), seen.method, seen.host, seen.path, seen.query, seen.status);
        let lines = |seen: &[Seen]| seen.iter().map(line).collect::<Vec<_>>().join("\n");
        println!("{what}: before {} after {}\n{}\n    --\n{}", round_trips(&self.before), round_trips(&self.after), lines(&self.before), lines(&self.after));
    }
}

fn fixed(double: &Double, tags: usize) -> Action {
    let more = (1..tags).map(|n| format!("\ntype=raw,value={{{{tag}}}}-{n}"));
    let rules = ["type=ref,event=tag".to_owned()].into_iter().chain(more);
    Action::publishing("push_tag", double)
        .input("tags", rules.collect::<String>())
        .input("flavor", "latest=false")
}

#[test]
fn figures() {
    for tags in [1, 2, 5] {
        let double = double();
        let digest = image(&double, PUSHED, COMMIT);
        Trips::of(&double, &digest, fixed(&double, tags)).show(&format!("{tags} fixed"));
    }
    let double1 = double();
    let children = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(|platform| (platform, double1.put_platform_image(NAME, platform)));
    let children = children.each_ref().map(|(platform, digest)| (*platform, digest.as_str()));
    let digest = double1.put_index(NAME, PUSHED, &children, &[]);
    Trips::of(&double1, &digest, fixed(&double1, 1)).show("index");
    let double1 = double();
    image(&double1, "main", OLD);
    let digest = image(&double1, &format!("sha-{COMMIT}"), COMMIT);
    Trips::of(&double1, &digest, Action::publishing("push_branch", &double1).input("tags", "type=ref,event=branch")).show("floating");
    let double1 = double();
    image(&double1, "latest", OLD);
    let digest = image(&double1, PUSHED, COMMIT);
    Trips::of(&double1, &digest, Action::publishing("push_tag", &double1)).show("version and latest");
    let double1 = double();
    for tag in ["1.2", "1", "latest"] {
    image(&double1, tag, OLD);
    }
    let digest = image(&double1, PUSHED, COMMIT);
    let tags = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}";
    Trips::of(&double1, &digest, Action::publishing("push_tag", &double1).input("tags", tags)).show("semver");
    for names in [2, 5] {
        let double = double();
        let digest = image(&double, PUSHED, COMMIT);
        let mut images = format!("{}/{NAME}", double.host());
        for n in 1..names {
            let name = format!("acme/other-{n}");
            images += &format!("\n{}/{name}", double.host());
            double.put_image(&name, PUSHED, &[(
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", COMMIT),]);
        }
        Trips::of(&double, &digest, fixed(&double, 1).input("images", images)).show(&format!("{names} names"));
    }
}
