//! The input `platforms`.

use crate::error::{InputError, Problem};
use crate::image::platform::canonical;
use crate::inputs::list::{self, Entry};

/// The platforms in the spelling the engine shows, none twice.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, Problem> {
    let mut platforms = Vec::new();
    for entry in list::comma_entries("platforms", text)? {
        let platform = canonical(entry.text()).map_err(|error| unknown(&entry, error))?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

fn unknown(entry: &Entry, error: InputError) -> Problem {
    let what = format!(
        "invalid platform `{}` in the input `platforms`",
        entry.text()
    );
    Problem::new(what, error.fix).because(error.because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn every_spelling_becomes_the_canonical_platform() {
        check("linux/amd64,linux/arm64", &["linux/amd64", "linux/arm64"]);
        check(
            "Linux/x86_64, amd64\nlinux/arm64/v8",
            &["linux/amd64", "linux/arm64"],
        );
        check("linux/arm", &["linux/arm/v7"]);
        check(
            "armhf\nlinux/arm/6\n386",
            &["linux/arm/v7", "linux/arm/v6", "linux/386"],
        );
        check("windows(10.0.17763)/amd64", &["windows(10.0.17763)/amd64"]);
        check("linux/amd64/v2", &["linux/amd64/v2"]);
        check("local", &["local"]);
        check("", &[]);
    }

    #[test]
    fn unknown_platform_is_refused_with_the_nearest_name() {
        let refused = |text: &str| Explanation::of(&parse(text).unwrap_err().into()).to_string();
        expect_test::expect![[r#"
            invalid platform `linux/amd46` in the input `platforms`
              because: unknown architecture `amd46`
              fix: write `amd64`, `arm64`, `arm`, `386`, `ppc64le`, `ppc64`, `s390x`, `riscv64`, `loong64`, `mips`, `mipsle`, `mips64`, `mips64le` or `wasm`; did you mean `amd64`?"#]]
        .assert_eq(&refused("linux/amd46"));
        assert!(refused("linus/amd64").contains("did you mean `linux`?"));
        assert!(refused("linux/arm/v7/x").contains("more than three parts"));
        assert!(refused("linux/arm/v7 x").contains("`v7 x` is not a variant"));
        assert!(refused("linux/amd64;linux/arm64").contains("`amd64;linux`"));
    }
}
