//! The order of deletions, their reasons and the budget.

use super::pull_requests;
use crate::plan::cleanup::package::Package;

#[test]
fn budget_ends_between_images() {
    let package = (1..=3).fold(Package::new("delete=sha-*"), |package, number| {
        let own = format!("{number}-amd64");
        package
            .index(
                &format!("{number}"),
                &format!("sha-{number}"),
                20 - number,
                &format!("{own} shared"),
            )
            .image(&own, "", 20)
    });
    let package = package.image("shared", "", 20).image("latest", "latest", 1);
    let within = |budget| {
        package.decide(|decision, _| {
            let (now, later) = decision.unwrap().within(budget);
            assert_eq!(now.len() + later.len(), 7);
            let names = now
                .iter()
                .map(|deletion| package.names[&deletion.version.digest].as_str());
            names.collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(within(1), "1");
    assert_eq!(within(2), "1 1-amd64");
    assert_eq!(within(3), "1 1-amd64");
    assert_eq!(within(6), "1 1-amd64 2 2-amd64");
    assert_eq!(within(7), "1 1-amd64 2 2-amd64 3 3-amd64 shared");
    assert_eq!(within(500), within(7));
}

#[test]
fn reasons_of_deletions_name_rule_and_image() {
    let package = pull_requests("").closing(5);
    package.decide(|decision, _| {
        let groups = decision.unwrap().groups.into_iter();
        let deletions = groups.flat_map(|group| group.deletions);
        let reasons: Vec<_> = deletions.map(|deletion| deletion.reason()).collect();
        let expected: [&str; 4] = [
            "`delete=pr-5-sha-*,when=closed`",
            "it belongs to `pr-5-sha-0123456789abcdef0123456789abcdef01234567`, which goes by `delete=pr-5-sha-*,when=closed`",
            "`delete=pr-5,when=closed`",
            "it belongs to `pr-5`, which goes by `delete=pr-5,when=closed`",
        ];
        let mut reasons = reasons;
        reasons.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(reasons, expected);
    });
}
