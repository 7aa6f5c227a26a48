//! Which buildx is used.

use super::*;

#[test]
fn a_buildx_that_is_too_old_is_refused_before_the_build() {
    let said = |version: &str, inputs: &[(&str, &str)]| {
        let action = Action::new().event("push_tag").input("push", "false");
        let action = action.buildx_pushes(DIGEST);
        let line = format!("github.com/docker/buildx {version}\n");
        fs::write(action.path("version"), line).unwrap();
        let run = inputs
            .iter()
            .fold(action, |action, (name, value)| action.input(name, value))
            .run();
        (
            run.stable(&run.stderr.replace("%0A", "\n"), "127.0.0.1"),
            run.noted("calls"),
        )
    };
    let (error, calls) = said("v0.12.1 30feaa1a915b869ebc2eea6328624b49facd4bfb", &[]);
    expect![[r#"
        ::error title=ghcr-publish::buildx 0.12.1 at `<directory>/bin/buildx` is too old
          because: buildx 0.13.1 or newer is required
          fix: install a newer version, for example the package `docker-buildx-plugin` of Docker's repository, or run the action from its image, which contains one
    "#]].assert_eq(&error);
    assert_eq!(calls, "");
    let (error, calls) = said("0.13.1+ds1 0.13.1+ds1-3", &[("call", "check")]);
    expect![[r#"
        ::error title=ghcr-publish::buildx 0.13.1 at `<directory>/bin/buildx` is too old
          because: buildx 0.15.0 or newer is required by `call: check`
          fix: install a newer version, for example the package `docker-buildx-plugin` of Docker's repository, or run the action from its image, which contains one
    "#]].assert_eq(&error);
    assert_eq!(calls, "");
    let (error, calls) = said("v0.20.1 x", &[("cache-from", "type=gha")]);
    expect![[r#"
        ::error title=ghcr-publish::buildx 0.20.1 at `<directory>/bin/buildx` is too old
          because: buildx 0.21.0 or newer is required by GitHub's cache
          fix: install a newer version, for example the package `docker-buildx-plugin` of Docker's repository, or run the action from its image, which contains one
    "#]].assert_eq(&error);
    assert_eq!(calls, "");
    for version in [
        "0.13.1+ds1 0.13.1+ds1-3",
        "v0.29.1-desktop.1 x",
        "(devel)",
        "9872040b6626",
    ] {
        let (error, calls) = said(version, &[]);
        assert_eq!((error.as_str(), calls.is_empty()), ("", false), "{version}");
    }
}

#[test]
fn the_buildx_of_our_image_is_not_asked_for_its_version() {
    let action = Action::new().event("push_tag").input("push", "false");
    let action = action
        .buildx_pushes(DIGEST)
        .env("GHCR_PUBLISH_IMAGE", "true");
    fs::write(
        action.path("version"),
        "github.com/docker/buildx v0.1.0 x\n",
    )
    .unwrap();
    assert!(!succeeded(action).noted("calls").is_empty());
}
