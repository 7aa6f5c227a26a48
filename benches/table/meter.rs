//! `Meter`: runs programs one after the other, and takes their time, their memory and the requests they make.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ghcr_double::{Double, Endpoint};

use crate::row::Figure;
use crate::world::variable;

/// How often each contender runs, after a run that is not counted: 7 times, or what `ROUNDS=` says.
pub(crate) fn rounds() -> usize {
    let wanted = variable("ROUNDS").filter(|wanted| !wanted.is_empty());
    wanted.map_or(7, |wanted| wanted.parse().expect("`ROUNDS` is a number"))
}

/// One way to do the work; the number is that of the round.
pub(crate) type Contender<'a> = Box<dyn Fn(usize, &mut Meter) + 'a>;

/// What one run took: the programs together in time, the largest of them in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    time: Duration,
    peak: u64,
    requests: u64,
}

impl Meter {
    pub(crate) fn run(&mut self, command: &mut Command) -> Output {
        let output = self.output(command);
        assert!(output.status.success(), "{command:?}: {}", said(&output));
        output
    }

    /// Runs what has to fail and to say `reason`.
    pub(crate) fn fail(&mut self, command: &mut Command, reason: &str) {
        let output = self.output(command);
        let said = said(&output);
        assert!(!output.status.success(), "{command:?} succeeded: {said}");
        assert!(said.contains(reason), "{command:?}: {said}");
    }

    fn output(&mut self, command: &mut Command) -> Output {
        let start = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
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

/// Waits for the end; with the largest resident set of the process alone, which the kernel keeps as `VmHWM` while it lives.
fn watched(child: Child) -> (Output, Instant, u64) {
    let status = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(high_water(&status).unwrap_or(0));
                thread::sleep(Duration::from_millis(4));
            }
            peak
        });
        let output = child.wait_with_output().unwrap();
        let end = Instant::now();
        ended.store(true, Ordering::Relaxed);
        (output, end, watcher.join().unwrap())
    })
}

fn high_water(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The runs of one contender.
pub(crate) struct Series(Vec<Meter>);

impl Series {
    pub(crate) fn time(&self) -> Figure {
        Figure::Time(self.median(|meter| meter.time))
    }

    pub(crate) fn peak(&self) -> Figure {
        Figure::Bytes(self.median(|meter| meter.peak))
    }

    pub(crate) fn requests(&self) -> Figure {
        Figure::Requests(self.median(|meter| meter.requests))
    }

    fn median<Value: Ord>(&self, value: impl Fn(&Meter) -> Value) -> Value {
        let mut values: Vec<Value> = self.0.iter().map(value).collect();
        values.sort();
        values.swap_remove(self.0.len() / 2)
    }
}

/// Every contender once, then all again, [`rounds`] times; the requests are those to `double`.
pub(crate) fn alternating<const CONTENDERS: usize>(
    double: &Double,
    contenders: &[Option<Contender<'_>>; CONTENDERS],
) -> [Option<Series>; CONTENDERS] {
    let mut series = contenders
        .each_ref()
        .map(|contender| contender.as_ref().map(|_| Series(Vec::new())));
    for round in 0..=rounds() {
        for (contender, series) in contenders.iter().zip(&mut series) {
            let (Some(contender), Some(Series(meters))) = (contender, series) else {
                continue;
            };
            double.clear_requests();
            let mut meter = Meter::default();
            contender(round, &mut meter);
            meter.requests = u64::try_from(double.count(Endpoint::Any)).unwrap();
            if round > 0 {
                meters.push(meter);
            }
        }
    }
    series
}
