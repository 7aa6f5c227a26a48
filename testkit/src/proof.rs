//! A check of `make proof`: how many cases it tried, how many failed, how long it took.
//!
//! Each ends with one line, `proof | name | cases | failures | ms`, which `testbed/proof` gathers. How many
//! cases there are says `PROPTEST_CASES`, which is 256 where nobody sets it.

use std::cell::Cell;
use std::time::Instant;

use proptest::strategy::Strategy;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner,
};

/// A check under way.
pub struct Proof {
    name: &'static str,
    start: Instant,
    cases: u64,
    failures: Vec<String>,
}

/// How many cases a cheap check tries; one that starts a program takes a part of them.
pub fn cases() -> u32 {
    Config::default().cases
}

impl Proof {
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            start: Instant::now(),
            cases: 0,
            failures: Vec::new(),
        }
    }

    /// Counts a case, and what is wrong with it.
    pub fn case(&mut self, outcome: Result<(), String>) {
        self.cases += 1;
        self.failures.extend(outcome.err());
    }

    /// Tries `cases` values of `strategy`; a failure is made as small as it gets.
    pub fn property<S: Strategy>(
        &mut self,
        cases: u32,
        strategy: &S,
        property: impl Fn(S::Value) -> Result<(), TestCaseError>,
    ) {
        self.run(cases, TestRunner::new, strategy, property);
    }

    /// The same with cases that are the same in every run.
    pub fn fixed_property<S: Strategy>(
        &mut self,
        cases: u32,
        strategy: &S,
        property: impl Fn(S::Value) -> Result<(), TestCaseError>,
    ) {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let runner = |config| TestRunner::new_with_rng(config, rng);
        self.run(cases, runner, strategy, property);
    }

    fn run<S: Strategy>(
        &mut self,
        cases: u32,
        runner: impl FnOnce(Config) -> TestRunner,
        strategy: &S,
        property: impl Fn(S::Value) -> Result<(), TestCaseError>,
    ) {
        let config = Config {
            failure_persistence: None::<Box<FileFailurePersistence>>.map(|file| file as _),
            ..Config::with_cases(cases)
        };
        let tried = Cell::new(0);
        let outcome = runner(config).run(strategy, |value| {
            tried.set(tried.get() + 1);
            property(value)
        });
        self.cases += tried.get();
        self.failures
            .extend(outcome.err().map(|error| error.to_string()));
    }

    /// Prints the line of the table; a failure fails the test.
    #[expect(clippy::print_stdout, reason = "a line for `testbed/proof`")]
    #[track_caller]
    pub fn end(self) {
        let Self {
            name,
            start,
            cases,
            failures,
        } = self;
        let time = start.elapsed().as_millis();
        println!("proof | {name} | {cases} | {} | {time}", failures.len());
        assert!(cases > 0, "{name}: nothing was tried");
        assert!(failures.is_empty(), "{name}: {}", failures.join("\n"));
    }
}
