//! What `docs/modes.md` shows is what the program prints. `UPDATE_EXPECT=1 cargo test --test it modes` writes it anew.

use expect_test::expect_file;

use crate::contract::{read, with_part};
use crate::support::{Action, TOKEN};
use crate::verify::Attested;

const RULES: &str =
    "type=ref,event=pr\ntype=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}";

fn block(text: &str) -> String {
    format!("```text\n{text}```\n")
}

fn plan() -> String {
    let run = Action::new()
        .event("push_tag")
        .input("github-token", TOKEN)
        .input("tags", RULES)
        .arguments(&["plan"])
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    let lines = run.stdout.lines();
    let lines = lines.filter(|line| !line.starts_with("::add-mask::"));
    let shown = lines.take_while(|line| !line.starts_with("labels"));
    shown.map(|line| line.to_owned() + "\n").collect()
}

fn verify() -> String {
    let attested = Attested::new("registry");
    let reference = attested.image(":v1.2.3");
    let run = attested.verify(&reference, &["--repository", "acme/Widget"]);
    assert!(run.succeeded, "{}", run.stderr);
    let text = attested.stable(&run, &run.stdout);
    let text = text.replace("<registry>", "ghcr.io");
    let text = text.replace("<digest>", "sha256:…");
    text.replace("<time>", "2026-11-28T16:00:00Z")
}

#[test]
fn shown_output_is_what_the_program_prints() {
    let text = read("docs/modes.md");
    let text = with_part(&text, "plan", &block(&plan()));
    let text = with_part(&text, "verify", &block(&verify()));
    expect_file!["../../docs/modes.md"].assert_eq(&text);
}
