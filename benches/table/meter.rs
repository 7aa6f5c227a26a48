//! `Meter`: runs programs one after the other, and takes their time, their memory and the requests they make.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::memory;

/// The memory is read after each tenth of the time that has passed, so that the last reading is near the end of a short
/// program too; seldom enough not to slow down a long one.
const READINGS: u32 = 10;
const SHORTEST_INTERVAL: Duration = Duration::from_micros(250);
const LONGEST_INTERVAL: Duration = Duration::from_millis(10);

/// What one run took: the programs together in time, the largest of them in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) time: Duration,
    /// In bytes, with the programs that each program has started.
    pub(crate) peak: u64,
    pub(crate) requests: usize,
}

impl Meter {
    pub(crate) fn run(&mut self, command: &mut Command) -> Output {
        let output = self.output(command.stdout(Stdio::piped()));
        assert!(output.status.success(), "{command:?}: {}", said(&output));
        output
    }

    /// Runs what says more than fits in memory.
    pub(crate) fn run_unheard(&mut self, command: &mut Command) {
        let output = self.output(command.stdout(Stdio::null()));
        assert!(output.status.success(), "{command:?}: {}", said(&output));
    }

    /// Runs what has to fail and to say `reason`.
    pub(crate) fn fail(&mut self, command: &mut Command, reason: &str) {
        let output = self.output(command.stdout(Stdio::piped()));
        let said = said(&output);
        assert!(!output.status.success(), "{command:?} succeeded: {said}");
        assert!(said.contains(reason), "{command:?}: {said}");
    }

    fn output(&mut self, command: &mut Command) -> Output {
        let start = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (output, end, peak) = watched(child);
        self.time += end.duration_since(start);
        self.peak = self.peak.max(peak);
        output
    }
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Waits for the end; with the largest memory of the tree.
fn watched(child: Child) -> (Output, Instant, u64) {
    let (process, start) = (child.id(), Instant::now());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(memory::of_tree(process));
                let interval = start.elapsed() / READINGS;
                thread::sleep(interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL));
            }
            peak
        });
        let output = child.wait_with_output().unwrap();
        let end = Instant::now();
        ended.store(true, Ordering::Relaxed);
        (output, end, watcher.join().unwrap())
    })
}
