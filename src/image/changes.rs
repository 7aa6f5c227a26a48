//! What changed between two images, platform by platform.

use std::collections::BTreeSet;

use crate::image::contents::{Contents, Field, Layer, Value};
use crate::image::platform::is_same;

/// The image for one platform, for example `linux/arm64`.
pub(crate) type PlatformContents = (String, Contents);

/// An image for one platform before and after; at least one of them exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlatformChange {
    pub(crate) platform: String,
    pub(crate) before: Option<Contents>,
    pub(crate) after: Option<Contents>,
}

/// What became of a platform or of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Added,
    Removed,
    Changed,
    Unchanged,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) field: Field,
    /// Of a port, volume, variable or label; else empty.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Nothing where there was no value, or where it is not shown.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// The platforms of `after` in their order, then those that only `before` has.
pub(crate) fn between(
    before: &[PlatformContents],
    after: &[PlatformContents],
) -> Vec<PlatformChange> {
    let mut left: Vec<&PlatformContents> = before.iter().collect();
    let mut changes: Vec<PlatformChange> = Vec::new();
    for (platform, contents) in after {
        let there = left.iter().position(|(other, _)| is_same(other, platform));
        changes.push(PlatformChange {
            platform: platform.clone(),
            before: there.map(|position| left.remove(position).1.clone()),
            after: Some(contents.clone()),
        });
    }
    let removed = left.into_iter().map(|(platform, contents)| PlatformChange {
        platform: platform.clone(),
        before: Some(contents.clone()),
        after: None,
    });
    changes.extend(removed);
    changes
}

impl Kind {
    fn of<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> Self {
        match (before, after) {
            (None, Some(_)) => Self::Added,
            (Some(_), None) => Self::Removed,
            (before, after) if before == after => Self::Unchanged,
            _ => Self::Changed,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

impl PlatformChange {
    /// By the digests of the manifests.
    pub(crate) fn kind(&self) -> Kind {
        let [before, after] = self
            .sides()
            .map(|side| side.map(|contents| &contents.digest));
        Kind::of(before, after)
    }

    /// Before and after.
    pub(crate) fn sides(&self) -> [Option<&Contents>; 2] {
        [self.before.as_ref(), self.after.as_ref()]
    }

    /// The compressed sizes before and after, where both exist.
    pub(crate) fn sizes(&self) -> Option<(u64, u64)> {
        let (before, after) = self.before.as_ref().zip(self.after.as_ref())?;
        Some((before.size, after.size))
    }

    /// By how many bytes the image grew; less than zero if it shrank.
    pub(crate) fn difference(&self) -> Option<i128> {
        let (before, after) = self.sizes()?;
        Some(i128::from(after) - i128::from(before))
    }

    /// The same in thousandths of the size before, rounded away from zero; nothing if that size is 0.
    pub(crate) fn per_mille(&self) -> Option<i128> {
        let (before, _) = self.sizes()?;
        let before = i128::from(before);
        let doubled = self.difference()? * 2000;
        let half = before * doubled.signum();
        (before > 0).then(|| (doubled + half) / (2 * before))
    }

    /// The bytes of config and layers that a machine with the image of before has to fetch, each blob once.
    pub(crate) fn fetched(&self) -> u64 {
        let [before, after] = self
            .sides()
            .map(|side| side.map(Contents::blobs).unwrap_or_default());
        let new = after
            .iter()
            .filter(|(digest, _)| !before.contains_key(*digest));
        new.fold(0, |sum, (_, size)| sum.saturating_add(*size))
    }

    /// The layers that the image of before does not have, each once, the largest first.
    pub(crate) fn new_layers(&self) -> Vec<&Layer> {
        let [before, after] = self
            .sides()
            .map(|side| side.map_or(&[][..], |it| &it.layers));
        let mut seen: BTreeSet<&str> = before.iter().map(|layer| layer.digest.as_str()).collect();
        let new = after.iter().filter(|layer| seen.insert(&layer.digest));
        let mut new: Vec<&Layer> = new.collect();
        new.sort_by_key(|layer| std::cmp::Reverse(layer.size));
        new
    }

    /// The settings that differ; none where a platform was added or removed.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let Some((before, after)) = self.before.as_ref().zip(self.after.as_ref()) else {
            return Vec::new();
        };
        let keys: BTreeSet<&(Field, String)> = before
            .settings
            .keys()
            .chain(after.settings.keys())
            .collect();
        let difference = |key: &(Field, String)| {
            let values = [before, after].map(|side| side.settings.get(key));
            let kind = Kind::of(values[0], values[1]);
            let [before, after] = values.map(|value| value.and_then(Value::shown));
            (kind != Kind::Unchanged).then(|| Difference {
                field: key.0,
                name: key.1.clone(),
                kind,
                before,
                after,
            })
        };
        keys.into_iter().filter_map(difference).collect()
    }
}

impl Value {
    fn shown(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Present | Self::Hidden(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::contents::{BASE_DIGEST, BASE_NAME, contents};
    use serde_json::{Value as Json, json};

    fn image(layers: &[(&str, u64)], config: &Json) -> Contents {
        contents(layers, &json!({}), &json!({ "config": config }))
    }

    fn change(before: Contents, after: Contents) -> PlatformChange {
        PlatformChange {
            platform: "linux/amd64".to_owned(),
            before: Some(before),
            after: Some(after),
        }
    }

    fn of_layers(before: &[(&str, u64)], after: &[(&str, u64)]) -> PlatformChange {
        let [before, after] = [before, after].map(|layers| image(layers, &json!({})));
        change(before, after)
    }

    /// Each config has 10 bytes, and is the same before and after.
    #[track_caller]
    fn check_sizes(
        before: &[(&str, u64)],
        after: &[(&str, u64)],
        (difference, per_mille, fetched): (i128, i128, u64),
    ) {
        let change = of_layers(before, after);
        assert_eq!(change.difference(), Some(difference));
        assert_eq!(change.per_mille(), Some(per_mille));
        assert_eq!(change.fetched(), fetched);
    }

    #[test]
    fn sizes_are_compared() {
        check_sizes(&[("a", 90)], &[("a", 90)], (0, 0, 0));
        check_sizes(&[("a", 90)], &[("a", 90), ("b", 20)], (20, 200, 20));
        check_sizes(&[("a", 90), ("b", 100)], &[("a", 90)], (-100, -500, 0));
        check_sizes(&[("a", 90)], &[("b", 90)], (0, 0, 90));
        // A blob that is there twice is fetched once.
        check_sizes(&[("a", 90)], &[("a", 90), ("b", 5), ("b", 5)], (10, 100, 5));
        // 1 of 3000 is a third of a thousandth, and 1 of 2000 half of one.
        check_sizes(&[("a", 2990)], &[("b", 2991)], (1, 0, 2991));
        check_sizes(&[("a", 1990)], &[("b", 1991)], (1, 1, 1991));
        check_sizes(&[("a", 1990)], &[("b", 1989)], (-1, -1, 1989));
    }

    #[test]
    fn impossible_sizes_do_not_panic() {
        let change = of_layers(&[("a", u64::MAX)], &[("b", u64::MAX), ("c", 1)]);
        assert_eq!(change.difference(), Some(0));
        assert_eq!(change.fetched(), u64::MAX);
        let change = of_layers(&[], &[("b", u64::MAX)]);
        assert!(change.per_mille().is_some());
        let mut empty = change.clone();
        empty.before.as_mut().unwrap().size = 0;
        assert_eq!(empty.per_mille(), None);
    }

    #[test]
    fn new_layers_are_listed_by_size() {
        let change = of_layers(&[("a", 90)], &[("b", 5), ("a", 90), ("c", 70), ("b", 5)]);
        let layers = change.new_layers().into_iter();
        let digests: Vec<&str> = layers.map(|layer| layer.digest.as_str()).collect();
        assert_eq!(digests, ["c", "b"]);
    }

    #[test]
    fn platforms_are_matched_by_name() {
        let of = |platforms: &[(&str, &str)]| -> Vec<PlatformContents> {
            let image = |layer| image(&[(layer, 1)], &json!({}));
            let platforms = platforms.iter();
            platforms
                .map(|(name, layer)| ((*name).to_owned(), image(layer)))
                .collect()
        };
        let before = of(&[
            ("linux/386", "a"),
            ("linux/arm64", "a"),
            ("linux/amd64", "a"),
        ]);
        let after = of(&[
            ("linux/amd64", "a"),
            ("linux/arm64", "b"),
            ("linux/arm/v7", "a"),
        ]);
        let changes = between(&before, &after);
        let kinds: Vec<_> = changes
            .iter()
            .map(|it| (it.platform.as_str(), it.kind()))
            .collect();
        let expected = [
            ("linux/amd64", Kind::Unchanged),
            ("linux/arm64", Kind::Changed),
            ("linux/arm/v7", Kind::Added),
            ("linux/386", Kind::Removed),
        ];
        assert_eq!(kinds, expected);
        let [added, removed] = [&changes[2], &changes[3]];
        assert_eq!((added.difference(), added.fetched()), (None, 11));
        assert_eq!((removed.difference(), removed.fetched()), (None, 0));
        // An index may list a platform twice, as one for two versions of Windows.
        let twice = of(&[("windows/amd64", "a"), ("windows/amd64", "b")]);
        let same = between(&twice, &twice);
        assert!(same.iter().all(|change| change.kind() == Kind::Unchanged));
    }

    /// What differs, as `field name kind before after`.
    #[track_caller]
    fn check_config(before: &Json, after: &Json, expected: &[&str]) {
        let change = change(image(&[], before), image(&[], after));
        let shown = change.differences().into_iter().map(|it| {
            let [before, after] = [it.before, it.after].map(Option::unwrap_or_default);
            let texts = [
                it.field.as_str(),
                &it.name,
                it.kind.as_str(),
                &before,
                &after,
            ];
            texts
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_setting_is_compared() {
        let empty = json!({});
        check_config(&empty, &empty, &[]);
        check_config(&json!({ "Cmd": null }), &json!({ "Cmd": [] }), &[]);
        check_config(
            &json!({ "Entrypoint": ["/a"], "User": "root", "WorkingDir": "/", "StopSignal": "SIGINT" }),
            &json!({ "Entrypoint": ["/a", "b c"], "Cmd": ["x"], "User": "1000", "WorkingDir": "" }),
            &[
                r#"entrypoint changed ["/a"] ["/a","b c"]"#,
                r#"cmd added ["x"]"#,
                "user changed root 1000",
                "workdir removed /",
                "stop-signal removed SIGINT",
            ],
        );
        check_config(
            &json!({ "ExposedPorts": { "80/tcp": {} }, "Volumes": { "/data": {} } }),
            &json!({ "ExposedPorts": { "80/tcp": {}, "81/udp": {} }, "Healthcheck": { "Test": ["NONE"] } }),
            &[
                r#"healthcheck added {"Test":["NONE"]}"#,
                "port 81/udp added",
                "volume /data removed",
            ],
        );
        check_config(
            &json!({ "Labels": { "a": "1", "b": "2" } }),
            &json!({ "Labels": { "a": "1", "b": "3", "c": "" } }),
            &["label b changed 2 3", "label c added"],
        );
    }

    #[test]
    fn variables_are_compared_and_only_named() {
        check_config(
            &json!({ "Env": ["A=old", "B=2", "GONE=secret", "SAME=x"] }),
            &json!({ "Env": ["A=new", "B=2", "NEW=secret", "SAME=x"] }),
            &["env A changed", "env GONE removed", "env NEW added"],
        );
    }

    #[test]
    fn a_base_that_moved_differs() {
        let based = |digest: &str| {
            let base = json!({ BASE_NAME: "docker.io/library/debian:13", BASE_DIGEST: digest });
            contents(&[], &base, &json!({}))
        };
        let change = change(based("sha256:1"), based("sha256:2"));
        let differences = change.differences();
        let fields: Vec<Field> = differences.iter().map(|it| it.field).collect();
        assert_eq!(fields, [Field::BaseDigest]);
        assert_eq!(differences[0].after.as_deref(), Some("sha256:2"));
    }
}
