//! What inputs come to in the hands of the engine, against a scripted `buildx`.

mod cache;
mod policy;
mod version;

use std::fs;

use expect_test::expect;
use ghcr_double::{Repository, Visibility};

use crate::publication::empty_registry;
use crate::support::{Action, Run, TOKEN};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A build that is not pushed, so that no registry is asked.
fn action(script: &str) -> Action {
    let script =
        format!("{script}\necho '{{\"containerimage.digest\":\"{DIGEST}\"}}' > \"$metadata\"");
    Action::new()
        .event("push_tag")
        .buildx(&script)
        .input("github-token", TOKEN)
        .input("push", "false")
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// The arguments that begin with one of `flags`.
fn arguments(run: &Run, flags: &[&str]) -> String {
    let arguments = run.noted("arguments");
    let wanted = arguments
        .lines()
        .filter(|line| flags.iter().any(|flag| line.starts_with(flag)));
    wanted.collect::<Vec<_>>().join("\n")
}

/// Everybody on the machine can read a command line, and only its owner an environment.
#[test]
fn the_keys_of_a_cache_are_not_on_the_command_line() {
    let caches = "type=s3,region=eu,bucket=b,access_key_id=AKIDcanary,secret_access_key=hunter2*x,session_token=sess-canary\ntype=gha,token=gha-canary,scope=x";
    let action = Action::new()
        .event("push_tag")
        .input("push", "false")
        .input("cache-from", caches);
    let run = action
        .env("AWS_SESSION_TOKEN", "of-another")
        .buildx("exit 1")
        .run();
    let arguments = run.noted("arguments");
    assert!(
        arguments.contains("--cache-from=type=s3,region=eu,bucket=b\n"),
        "{arguments}"
    );
    assert!(
        arguments.contains("--cache-from=type=gha,scope=x\n"),
        "{arguments}"
    );
    let environment = run.noted("environment");
    for variable in [
        "AWS_ACCESS_KEY_ID=AKIDcanary",
        "AWS_SECRET_ACCESS_KEY=hunter2*x",
        "AWS_SESSION_TOKEN=sess-canary",
        "ACTIONS_RUNTIME_TOKEN=gha-canary",
    ] {
        assert!(
            environment.lines().any(|line| line == variable),
            "{variable}: {environment}"
        );
    }
    for secret in ["hunter2*x", "sess-canary", "gha-canary"] {
        assert!(
            run.stdout.contains(&format!("::add-mask::{secret}\n")),
            "{secret}: {}",
            run.stdout
        );
    }
}

#[test]
fn the_version_reaches_the_build_arguments() {
    let arguments_of = "VERSION={{meta.version}}\nIMAGE={{meta.image}}\nDATE={{date 'YYYYMMDD' tz='UTC'}}\nPRIVATE={{ .Go }}";
    let inputs = |action: Action| {
        action
            .input("build-args", arguments_of)
            .input("target", "release-{{tag}}")
    };
    let run = succeeded(inputs(action("")));
    expect![[r"
        --target=release-v1.2.3
        --build-arg=VERSION=v1.2.3
        --build-arg=IMAGE=ghcr.io/acme/widget
        --build-arg=DATE=20261120
        --build-arg=PRIVATE={{ .Go }}"]]
    .assert_eq(&arguments(&run, &["--build-arg", "--target"]));
    let plan = succeeded(inputs(action("")).arguments(&["plan"]));
    plan.assert_log(
        "args     VERSION=v1.2.3\n         IMAGE=ghcr.io/acme/widget\n         DATE=20261120\n         PRIVATE\n",
    );
    let plan = succeeded(inputs(action("")).arguments(&["plan", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let shown = serde_json::json!([
        "VERSION=v1.2.3",
        "IMAGE=ghcr.io/acme/widget",
        "DATE=20261120",
        "PRIVATE",
    ]);
    assert_eq!(plan["build"]["build-args"], shown);
}

#[test]
fn secrets_reach_the_engine_in_files_and_nowhere_else() {
    let script = "for argument; do case $argument in --secret=*) file=${argument#*src=}; stat -c %a $file; cat $file; echo; echo $file > $HOME/last;; esac; done > $HOME/seen";
    let action = action(script)
        .input("secrets", "npm=hunter2 \n\"key=-----BEGIN\nhunter3\n\"")
        .input("secret-envs", "env=OF_NPM")
        .env("OF_NPM", "hunter4")
        .input("secret-files", "file=npmrc");
    fs::write(action.path("workspace/npmrc"), "hunter5").unwrap();
    let run = succeeded(action);
    expect![[r#"
        600
        hunter2 
        600
        -----BEGIN
        hunter3

        600
        hunter4
        600
        hunter5
    "#]]
    .assert_eq(&run.noted("home/seen"));
    let last = run.noted("home/last");
    assert!(
        !std::path::Path::new(last.trim()).exists(),
        "{last} is left behind"
    );
    let masks: Vec<&str> = run
        .stdout
        .lines()
        .take_while(|line| line.starts_with("::add-mask::"))
        .collect();
    for mask in ["hunter2 ", "hunter2", "-----BEGIN%0Ahunter3%0A", "hunter4"] {
        let command = format!("::add-mask::{mask}");
        assert!(masks.contains(&command.as_str()), "{masks:?}");
    }
    let unmasked: String = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"))
        .collect();
    for place in [
        &unmasked,
        &run.stderr,
        &run.summary,
        &run.noted("arguments"),
        &run.noted("environment"),
        &run.outputs.values().cloned().collect::<String>(),
    ] {
        assert!(!place.contains("hunter"), "{place}");
    }
}

/// The arguments and the log of a build without a checkout, in a repository of which the payload says this,
/// or the API.
fn without_a_checkout(payload: &str, api: Option<Visibility>) -> (String, String) {
    let action = action("");
    fs::remove_file(action.path("workspace/Dockerfile")).unwrap();
    let event = action.path("event.json");
    fs::write(&event, payload).unwrap();
    let double = empty_registry();
    let repository = |visibility| Repository::new("acme/Widget").visibility(visibility);
    let double = match api {
        Some(visibility) => double.repository(repository(visibility)),
        None => double,
    };
    let double = double.start().unwrap();
    let action = action
        .env("GITHUB_EVENT_PATH", event.display().to_string())
        .env("GITHUB_API_URL", double.api_url());
    let run = succeeded(action);
    let arguments = run.noted("arguments");
    let end = "--\nhttps://github.com/acme/Widget.git#0123456789abcdef0123456789abcdef01234567\n";
    assert!(arguments.ends_with(end), "{arguments}");
    assert!(!arguments.contains("--file="), "{arguments}");
    let notices = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("::notice"));
    let notices = notices.collect::<Vec<_>>().join("\n");
    (arguments, notices)
}

const PUBLIC: &str = r#"{"repository":{"name":"Widget","private":false}}"#;
const PRIVATE: &str = r#"{"repository":{"name":"Widget","private":true}}"#;
const UNKNOWN: &str = r#"{"repository":{"name":"Widget"}}"#;

#[test]
fn without_a_checkout_the_engine_fetches_a_public_repository_without_the_token() {
    for (payload, api) in [(PUBLIC, None), ("{}", Some(Visibility::Public))] {
        let (arguments, notices) = without_a_checkout(payload, api);
        assert!(!arguments.contains("--secret"), "{arguments}");
        assert_eq!(notices, "");
    }
}

#[test]
fn without_a_checkout_the_build_of_a_private_repository_has_the_token_and_the_log_says_so() {
    let answers = [
        (PRIVATE, Some(Visibility::Public)),
        (UNKNOWN, Some(Visibility::Public)),
        ("{}", Some(Visibility::Private)),
        ("{}", None),
    ];
    let results = answers.map(|(payload, api)| {
        let (arguments, notices) = without_a_checkout(payload, api);
        let secret = "--secret=id=GIT_AUTH_TOKEN.github.com,src=";
        assert!(arguments.contains(secret), "{arguments}");
        notices
    });
    let [notice, ..] = &results;
    assert!(results.iter().all(|other| other == notice), "{results:?}");
    expect!["::notice title=ghcr-publish::the engine fetches `acme/Widget`, which is not known to be public, with the token of this run: every instruction of the build can read it, as the secret `GIT_AUTH_TOKEN.github.com`. To keep it out of the build, check out the repository with actions/checkout before this step"].assert_eq(notice);
}

#[test]
fn the_cache_of_actions_gets_its_token_and_other_builds_do_not() {
    let runner = |action: Action| {
        action
            .env("ACTIONS_RUNTIME_TOKEN", "canary")
            .env("ACTIONS_RESULTS_URL", "https://results.example.com/")
            .env("ACTIONS_CACHE_URL", "https://cache.example.com/")
    };
    let with = succeeded(
        runner(action(""))
            .event("push_branch")
            .input("cache", "gha"),
    );
    expect![[r#"
        --cache-from=type=gha,scope=acme/widget..main
        --cache-to=type=gha,scope=acme/widget..main,mode=max,ignore-error=true"#]]
    .assert_eq(&arguments(&with, &["--cache"]));
    let environment = with.noted("environment");
    assert!(
        environment.contains("ACTIONS_CACHE_SERVICE_V2=true\n"),
        "{environment}"
    );
    assert!(
        environment.contains("ACTIONS_RUNTIME_TOKEN=canary\n"),
        "{environment}"
    );
    let without = succeeded(runner(action("")));
    assert!(!without.noted("environment").contains("ACTIONS_"));
}

#[test]
fn files_alone_are_not_pushed_and_have_no_digest() {
    let action = Action::new()
        .event("push_tag")
        .buildx("echo '{}' > \"$metadata\"")
        .input("github-token", TOKEN);
    let run = succeeded(action.input("outputs", "out"));
    assert_eq!(
        arguments(&run, &["--output"]),
        "--output=type=local,dest=out"
    );
    assert_eq!((run.output("pushed"), run.output("digest")), ("false", ""));
}

#[test]
fn check_with_findings_fails_at_their_lines() {
    let script = r#"
cat <<'END'
{"warnings":[{"ruleName":"FromAsCasing","description":"x","url":"https://docs.docker.com/go/dockerfile/rule/from-as-casing/","detail":"'as' and 'FROM' keywords' casing do not match","location":{"ranges":[{"start":{"line":1},"end":{"line":1}}]}}],"sources":[]}
END
exit 1"#;
    let run = Action::new()
        .event("push_tag")
        .buildx(script)
        .input("github-token", TOKEN)
        .input("call", "check")
        .run();
    assert!(!run.succeeded);
    assert_eq!(
        arguments(&run, &["--call", "--output", "--tag"]),
        "--call=check,format=json"
    );
    let warnings: String = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("::warning"))
        .collect();
    expect!["::warning file=Dockerfile,line=1,title=ghcr-publish::FromAsCasing: 'as' and 'FROM' keywords' casing do not match (https://docs.docker.com/go/dockerfile/rule/from-as-casing/)"].assert_eq(&warnings);
    expect![[r#"
        ::error title=ghcr-publish::the check of `Dockerfile` found 1 warning
          fix: fix the warnings, or skip a rule with `# check=skip=RuleName` at the top of the file
    "#]]
    .assert_eq(&run.stderr.replace("%0A", "\n"));
}

#[test]
fn call_is_answered_and_builds_nothing() {
    let run = succeeded(action("echo 'TARGET   DESCRIPTION'; exit 0").input("call", "targets"));
    run.assert_log("TARGET   DESCRIPTION");
    assert_eq!((run.output("pushed"), run.output("digest")), ("false", ""));
    let plain = r#"echo '{"warnings":[],"sources":[]}'"#;
    let checked = Action::new()
        .event("push_tag")
        .buildx(plain)
        .input("call", "check");
    let checked = succeeded(checked.input("github-token", TOKEN));
    checked.assert_log("the check of Dockerfile found no problems");
}

#[test]
fn a_reproducible_build_carries_the_time_of_the_commit() {
    let run = succeeded(
        action("")
            .event("push_branch")
            .input("builder", "mine")
            .input("reproducible", "true"),
    );
    expect![[r#"
        --label=org.opencontainers.image.created=2026-11-20T09:00:00.000Z
        --output=type=image,oci-mediatypes=true,rewrite-timestamp=true,push=false"#]]
    .assert_eq(&arguments(
        &run,
        &["--output", "--label=org.opencontainers.image.created"],
    ));
    let environment = run.noted("environment");
    let clock = environment
        .lines()
        .find(|line| line.starts_with("SOURCE_DATE_EPOCH"));
    expect!["SOURCE_DATE_EPOCH=1795165200"].assert_eq(clock.unwrap());
}
