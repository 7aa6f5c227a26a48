//! The inputs `compare-with` and `max-growth`: which image the new one is compared with, and how much larger it may be.

use std::fmt;

use crate::error::Problem;
use crate::image::name::starts_with_host;
use crate::image::tag::Tag;
use crate::inputs::candidate::Reference;
use crate::inputs::raw::RawInputs;

/// The inputs about the comparison with another image.
#[derive(Clone, Debug)]
pub(crate) struct CompareInputs {
    /// Unless it is given, the event decides.
    pub(crate) with: Option<CompareWith>,
    pub(crate) max_growth: Option<MaxGrowth>,
}

/// The input `compare-with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompareWith {
    Nothing,
    /// A tag of the first image name.
    Tag(Tag),
    Image(Reference),
}

/// The input `max-growth`, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaxGrowth {
    text: String,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// In thousandths of a percent of the size before.
    Relative(u64),
    Bytes(u64),
}

/// Units of sizes in lowercase, each with its bytes.
const UNITS: [(&str, u64); 7] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];

impl CompareInputs {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        let with = raw.parsed("compare-with", compare_with)?;
        let max_growth = raw.parsed("max-growth", MaxGrowth::parse)?;
        if let (Some(CompareWith::Nothing), Some(max)) = (&with, &max_growth) {
            let what = format!("the input `max-growth` is `{max}`, and `compare-with` is `none`");
            let fix = "remove `compare-with`, or name the image to compare with";
            let because = "without another image, growth cannot be measured";
            return Err(Problem::new(what, fix).because(because));
        }
        Ok(Self { with, max_growth })
    }

    /// The image to compare with, if it is given by its reference.
    pub(crate) fn reference(&self) -> Option<&Reference> {
        match &self.with {
            Some(CompareWith::Image(reference)) => Some(reference),
            Some(CompareWith::Nothing | CompareWith::Tag(_)) | None => None,
        }
    }
}

fn compare_with(text: &str) -> Result<CompareWith, &'static str> {
    const RULE: &str = "write a tag such as `main`, a reference with a registry such as `ghcr.io/acme/app:main`, or `none`";
    if text == "none" {
        return Ok(CompareWith::Nothing);
    }
    if starts_with_host(text) {
        let reference = Reference::parse(text).or(Err(RULE))?;
        return Ok(CompareWith::Image(reference));
    }
    let tag = Tag::sanitized(text).filter(|tag| tag.as_str() == text);
    tag.map(CompareWith::Tag).ok_or(RULE)
}

impl MaxGrowth {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "write a share such as `10%`, or a size such as `20MB`";
        let lower = text.to_ascii_lowercase();
        let limit = match lower.strip_suffix('%') {
            Some(number) => Limit::Relative(scaled(number, 1000).ok_or(RULE)?),
            None => {
                let units = UNITS.iter();
                let mut sizes =
                    units.filter_map(|(unit, bytes)| scaled(lower.strip_suffix(unit)?, *bytes));
                Limit::Bytes(sizes.next().ok_or(RULE)?)
            }
        };
        Ok(Self {
            text: text.to_owned(),
            limit,
        })
    }

    /// Whether an image of `after` bytes, which had `before` bytes, grew by more.
    pub(crate) fn is_exceeded(&self, before: u64, after: u64) -> bool {
        let growth = u128::from(after.saturating_sub(before));
        match self.limit {
            Limit::Bytes(most) => growth > u128::from(most),
            Limit::Relative(most) => growth * 100_000 > u128::from(before) * u128::from(most),
        }
    }
}

impl fmt::Display for MaxGrowth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A decimal number with at most three decimals, times `unit`, without what is less than one.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, decimals) = number
        .trim()
        .split_once('.')
        .unwrap_or((number.trim(), "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 3 {
        return None;
    }
    let thousandths: u64 = format!("{whole}{decimals:0<3}").parse().ok()?;
    let scaled = u128::from(thousandths) * u128::from(unit) / 1000;
    u64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    /// Whether growth from `before` to each size is too much.
    #[track_caller]
    fn check(text: &str, before: u64, allowed: u64, exceeded: u64) {
        let max = MaxGrowth::parse(text).unwrap();
        assert!(!max.is_exceeded(before, allowed), "{text}: {allowed}");
        assert!(max.is_exceeded(before, exceeded), "{text}: {exceeded}");
        assert!(!max.is_exceeded(before, 0), "{text}: smaller");
    }

    #[test]
    fn growth_is_a_share_or_a_size() {
        check("10%", 1000, 1100, 1101);
        check("2.5 %", 1000, 1025, 1026);
        check("0%", 1000, 1000, 1001);
        check("0.001%", 100_000, 100_001, 100_002);
        check("150%", 1000, 2500, 2501);
        check("20MB", 5, 20_000_005, 20_000_006);
        check("0.5 kb", 0, 500, 501);
        check("1KiB", 0, 1024, 1025);
        check("1.5GiB", 0, 1_610_612_736, 1_610_612_737);
        check("7b", 1, 8, 9);
        // An image of no bytes grows by more than any share.
        check("10%", 0, 0, 1);
        let share = MaxGrowth::parse("10%").unwrap();
        assert!(!share.is_exceeded(u64::MAX - 1, u64::MAX));
    }

    #[test]
    fn other_texts_are_no_growth() {
        for text in [
            "10",
            "%",
            "MB",
            "-1%",
            "+1%",
            "1,5%",
            "1e3%",
            "10%%",
            "10 TB",
            ".5MB",
            "5.MB",
            "1.2345%",
            "99999999999999999999%",
            "99999999999GB",
            "1 0%",
            "١%",
        ] {
            assert!(MaxGrowth::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_image_to_compare_with_is_a_tag_or_a_reference() {
        let tag = |text: &str| CompareWith::Tag(Tag::sanitized(text).unwrap());
        assert_eq!(compare_with("none"), Ok(CompareWith::Nothing));
        assert_eq!(compare_with("main"), Ok(tag("main")));
        assert_eq!(compare_with("v1.2"), Ok(tag("v1.2")));
        let Ok(CompareWith::Image(image)) = compare_with("ghcr.io/acme/app:main") else {
            panic!("it is a reference")
        };
        assert_eq!(image.to_string(), "ghcr.io/acme/app:main");
        for text in [
            "a b",
            "-x",
            "app:main",
            "acme/app",
            "ghcr.io/acme/app:",
            "ghcr.io/acme/app@sha256:1",
        ] {
            assert!(compare_with(text).is_err(), "{text}");
        }
    }

    #[test]
    fn growth_needs_an_image_to_compare_with() {
        let vars = [("INPUT_COMPARE-WITH", "none"), ("INPUT_MAX-GROWTH", "5%")];
        let error = Inputs::from_vars(&Vars::of(&vars), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the input `max-growth` is `5%`, and `compare-with` is `none`"
        );
    }
}
