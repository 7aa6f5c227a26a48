//! `Work`: what is published: under which names and tags, for which platforms.

use crate::network::Network;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Tells the packages apart.
    pub(crate) key: String,
    pub(crate) words: String,
    pub(crate) tags: Tags,
    /// The engine's own when empty.
    pub(crate) platforms: Vec<&'static str>,
    /// How many image names there are.
    pub(crate) names: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// The git tag and this many names that move.
    Moving(usize),
    /// What the rules give when nobody writes any. `latest` moves.
    GitTagAndLatest,
    /// The version, its shorter forms and `latest`, in a package that does not exist.
    FirstRelease,
}

const RELEASE: &str = "type=semver,pattern={{version}}
type=semver,pattern={{major}}.{{minor}}
type=semver,pattern={{major}}";

/// One column in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) who: &'static str,
    pub(crate) network: Network,
    pub(crate) round: usize,
}

impl Turn {
    /// Newer than that of the round before, so that what moves has to move.
    pub(crate) fn git_tag(self) -> String {
        format!("v{}", self.version())
    }

    fn version(self) -> String {
        format!("1.0.{}", self.round)
    }
}

impl Work {
    /// Of one name, for the engine's platform.
    pub(crate) fn new(key: &str, words: &str, tags: Tags) -> Self {
        Self {
            key: key.to_owned(),
            words: words.to_owned(),
            tags,
            platforms: Vec::new(),
            names: 1,
        }
    }

    /// For these platforms.
    pub(crate) fn on(mut self, platforms: &[&'static str]) -> Self {
        self.platforms = platforms.to_vec();
        self
    }

    /// Under this many names.
    pub(crate) fn under(mut self, names: usize) -> Self {
        self.names = names;
        self
    }

    /// The image names, other ones for each column and network.
    pub(crate) fn images(&self, world: &World, turn: Turn) -> Vec<String> {
        let Turn {
            who,
            network,
            round,
        } = turn;
        let package = format!("{who}-{}-{}", self.key, network.name());
        let of = |number| match self.tags {
            Tags::FirstRelease => format!("{package}-{number}-{round}"),
            Tags::Moving(_) | Tags::GitTagAndLatest => format!("{package}-{number}"),
        };
        (0..self.names)
            .map(|number| world.package(&of(number)))
            .collect()
    }

    /// Inputs that ours and docker/metadata-action both have.
    pub(crate) fn inputs(&self, world: &World, turn: Turn) -> [(&'static str, String); 5] {
        let (rules, flavor) = match self.tags {
            Tags::GitTagAndLatest => (String::new(), "latest=auto"),
            Tags::FirstRelease => (RELEASE.to_owned(), "latest=auto"),
            Tags::Moving(more) => {
                let moving = (0..more).map(|n| format!("\ntype=raw,value=moving-{n}"));
                let rules = ["type=ref,event=tag".to_owned()].into_iter().chain(moving);
                (rules.collect(), "latest=false")
            }
        };
        [
            ("registry", world.double.host()),
            ("images", self.images(world, turn).join("\n")),
            ("tags", rules),
            ("flavor", flavor.to_owned()),
            ("platforms", self.platforms.join(",")),
        ]
    }

    /// What those rules give.
    pub(crate) fn tags(&self, turn: Turn) -> Vec<String> {
        match self.tags {
            Tags::GitTagAndLatest => vec![turn.git_tag(), "latest".to_owned()],
            Tags::FirstRelease => {
                let shorter = ["1.0", "1", "latest"].map(str::to_owned);
                [vec![turn.version()], shorter.to_vec()].concat()
            }
            Tags::Moving(more) => {
                let moving = (0..more).map(|n| format!("moving-{n}"));
                [turn.git_tag()].into_iter().chain(moving).collect()
            }
        }
    }

    /// Each name with each tag.
    pub(crate) fn references(&self, world: &World, turn: Turn) -> Vec<String> {
        let tags = self.tags(turn);
        let of = |image: String| {
            tags.iter()
                .map(move |tag| format!("{image}:{tag}"))
                .collect::<Vec<_>>()
        };
        self.images(world, turn).into_iter().flat_map(of).collect()
    }

    /// Whoever is fast did all of it: each tag of each name shows one image.
    pub(crate) fn assert_published(&self, world: &World, turn: Turn) {
        let tags = self.tags(turn);
        for image in self.images(world, turn) {
            let (_, name) = image.split_once('/').unwrap();
            let held = world.double.tags(name);
            let first = held.get(&tags[0]);
            let is_complete = tags.iter().all(|tag| held.get(tag) == first);
            assert!(is_complete && first.is_some(), "{image}: {held:?}");
        }
    }
}
