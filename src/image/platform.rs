//! The names of platforms, as containerd and buildx know them
//! (<https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go>).

use crate::error::InputError;

const SYSTEMS: &[&str] = &[
    "linux",
    "windows",
    "darwin",
    "freebsd",
    "aix",
    "android",
    "dragonfly",
    "illumos",
    "ios",
    "js",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasi",
    "wasip1",
    "zos",
];

const ARCHITECTURES: &[&str] = &[
    "amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64", "loong64", "mips",
    "mipsle", "mips64", "mips64le", "wasm",
];

/// The platform this program was built for, which is the engine's in all but odd cases.
pub(crate) fn of_host() -> String {
    format!("linux/{}", architecture(std::env::consts::ARCH, "").0)
}

/// Whether two spellings name the same platform: images use `linux/arm64/v8` where people write `linux/arm64`.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let spelled = |text: &str| match canonical(text).as_deref() {
        Ok("local") => of_host(),
        Ok(known) => known.to_owned(),
        Err(_) => text.to_owned(),
    };
    spelled(one) == spelled(other)
}

/// `os[(version)]/architecture[/variant]`, a lone system or architecture, or `local`.
pub(crate) fn canonical(text: &str) -> Result<String, InputError> {
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    let (system, architecture_name, variant) = match parts.as_slice() {
        ["local"] => return Ok(lower),
        [one] if SYSTEMS.contains(&name_of(one)) => (*one, std::env::consts::ARCH, ""),
        [one] => ("linux", *one, ""),
        [system, architecture] => (*system, *architecture, ""),
        [system, architecture, variant] => (*system, *architecture, *variant),
        _ => {
            return Err(InputError::new(
                "it has more than three parts",
                "write `os/architecture[/variant]`, for example `linux/arm/v7`",
            ));
        }
    };
    let name = if name_of(system) == "macos" {
        "darwin"
    } else {
        name_of(system)
    };
    if !SYSTEMS.contains(&name) {
        let because = format!("unknown operating system `{name}`");
        return Err(InputError::not_one_of(because, name, &SYSTEMS[..4]));
    }
    let (architecture, variant) = architecture(architecture_name, variant);
    if !ARCHITECTURES.contains(&architecture) {
        let because = format!("unknown architecture `{architecture}`");
        return Err(InputError::not_one_of(because, architecture, ARCHITECTURES));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !variant.chars().all(word) {
        return Err(InputError::new(
            format!("`{variant}` is not a variant of an architecture"),
            "write for example `linux/arm/v7`",
        ));
    }
    let version = &system[name_of(system).len()..];
    let slash = if variant.is_empty() { "" } else { "/" };
    Ok(format!("{name}{version}/{architecture}{slash}{variant}"))
}

/// `windows` of `windows(10.0.17763)`.
fn name_of(system: &str) -> &str {
    match system.split_once('(') {
        Some((name, version)) if version.ends_with(')') => name,
        _ => system,
    }
}

/// Other names of an architecture, and the variants that go without saying.
fn architecture<'a>(name: &'a str, variant: &'a str) -> (&'a str, &'a str) {
    match (name, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1" | "") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0" | "") => ("arm64", ""),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "7" | "") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_has_several_spellings() {
        assert!(is_same("linux/arm64", "linux/arm64/v8"));
        assert!(is_same("linux/arm/v7", "linux/arm"));
        assert!(is_same("local", &of_host()));
        assert!(!is_same("linux/arm/v6", "linux/arm/v7"));
    }
}
