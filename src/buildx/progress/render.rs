//! Renders the build progress: the log group of one step is open at a time, the others wait for a short time.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::buildx::progress::record::{End, Timeline};
use crate::buildx::progress::step::Step;
use crate::console::duration;
use crate::console::{Console, Tone};

/// The steps of the build, and the one whose log is shown.
pub(crate) struct LogRenderer {
    console: Console,
    pub(crate) steps: HashMap<String, Step>,
    /// The step whose group is open.
    open: Option<String>,
    /// Steps with lines to print, oldest first.
    queue: VecDeque<String>,
    waiting_since: Option<DateTime<Utc>>,
    waiting_bytes: usize,
    /// Steps whose end was printed, oldest first.
    printed: VecDeque<String>,
    /// Seconds in which nothing was printed.
    silence: i32,
    /// Whether the last line of the terminal shows what runs now, and since when.
    is_live: bool,
    drawn: Option<DateTime<Utc>>,
    /// When the build began.
    pub(crate) origin: Option<DateTime<Utc>>,
    pub(crate) timeline: Timeline,
}

/// How long the log of other steps waits for the open step to end.
const MAX_HOLD: TimeDelta = TimeDelta::seconds(5);
/// How many bytes of log may wait.
const MAX_WAITING: usize = 256 * 1024;
/// How many ended steps are remembered: BuildKit can start a step again after its end.
const MAX_REMEMBERED: usize = 1000;
const SHORT_TITLE: usize = 48;
/// Between two drawings of the last line of a terminal.
const REFRESH: TimeDelta = TimeDelta::milliseconds(100);
/// Seconds of silence before the first line `still running`; doubled for each next one.
const FIRST_SIGN: i32 = 15;

impl LogRenderer {
    pub(crate) fn new(console: Console) -> Self {
        Self {
            console,
            steps: HashMap::new(),
            open: None,
            queue: VecDeque::new(),
            waiting_since: None,
            waiting_bytes: 0,
            printed: VecDeque::new(),
            silence: 0,
            is_live: false,
            drawn: None,
            origin: None,
            timeline: Timeline::default(),
        }
    }

    /// The console outside every group, for a line that belongs to no step.
    pub(crate) fn outside_groups(&mut self) -> Console {
        self.close();
        self.line_console()
    }

    /// Lines of a step, printed at once when its group is open or no group is.
    pub(crate) fn log(
        &mut self,
        digest: &str,
        lines: Vec<Cow<'_, str>>,
        now: Option<DateTime<Utc>>,
    ) {
        let is_on = self.open.as_deref().is_none_or(|open| open == digest);
        if is_on && !lines.is_empty() {
            self.enter(digest);
            return self.line_console().say_below(lines.into_iter());
        }
        let Some(step) = self.steps.get_mut(digest) else {
            return;
        };
        for line in lines {
            self.waiting_bytes += line.len();
            step.waiting.push(line.into_owned());
        }
        if !step.waiting.is_empty() {
            self.wait(digest, now);
        }
        if self.waiting_bytes > MAX_WAITING {
            self.make_room();
        }
    }

    /// The end of a step, printed once the open step has ended as well.
    pub(crate) fn ended(&mut self, digest: &str, now: Option<DateTime<Utc>>) {
        match self.open.as_deref() {
            Some(open) if open != digest => self.wait(digest, now),
            Some(_) | None => {
                self.print_step(digest);
                self.make_room();
            }
        }
    }

    /// Prints the steps that have waited long enough.
    pub(crate) fn print_overdue(&mut self, now: Option<DateTime<Utc>>) {
        let waited = self.waiting_since.zip(now).map(|(since, now)| now - since);
        if waited.is_some_and(|waited| waited >= MAX_HOLD) {
            self.make_room();
        }
        self.refresh(now, TimeDelta::zero());
    }

    /// A second without a message of the engine: prints everything that waits.
    pub(crate) fn idle(&mut self, now: Option<DateTime<Utc>>, quiet: TimeDelta) {
        while !self.queue.is_empty() {
            self.make_room();
        }
        self.silence += 1;
        let is_due =
            self.silence % FIRST_SIGN == 0 && (self.silence / FIRST_SIGN).count_ones() == 1;
        if is_due && !self.console.is_live() {
            let silence = self.silence;
            if let Some(running) = self.running(now, quiet) {
                self.line_console()
                    .say_as(Tone::Aside, &format!("still running: {running}"));
            }
            self.silence = silence;
        }
        self.refresh(now, quiet);
    }

    /// Prints what is left; steps that the engine did not finish end here.
    pub(crate) fn finish(&mut self, now: Option<DateTime<Utc>>) {
        let running = self.steps.iter().filter(|(_, step)| step.is_running());
        let mut running: Vec<String> = running.map(|(digest, _)| digest.clone()).collect();
        running.sort();
        for digest in running {
            if let (Some(step), Some(now)) = (self.steps.get_mut(&digest), now) {
                step.stop(now);
            }
            self.ended(&digest, now);
        }
        while !self.queue.is_empty() {
            self.make_room();
        }
        self.close();
        self.wipe();
    }

    fn wait(&mut self, digest: &str, now: Option<DateTime<Utc>>) {
        self.waiting_since = self.waiting_since.or(now);
        if !self.queue.iter().any(|other| other == digest) {
            self.queue.push_back(digest.to_owned());
        }
    }

    /// Prints the waiting steps, ended ones first; the group of the first running one stays open.
    fn make_room(&mut self) {
        let ended = |renderer: &Self, digest: &String| {
            renderer
                .steps
                .get(digest)
                .is_none_or(|step| step.end.is_some())
        };
        let queue = std::mem::take(&mut self.queue);
        let (over, mut running): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|digest| ended(self, digest));
        over.iter().for_each(|digest| self.print_step(digest));
        if let Some(next) = running.pop_front() {
            self.print_step(&next);
        }
        let waiting = running.iter().filter_map(|digest| self.steps.get(digest));
        let bytes = waiting.flat_map(|step| &step.waiting).map(String::len);
        self.waiting_bytes = bytes.sum();
        if running.is_empty() {
            self.waiting_since = None;
        }
        self.queue = running;
    }

    /// Prints everything about a step: its waiting lines, and its end if it has ended.
    fn print_step(&mut self, digest: &str) {
        let Some(step) = self.steps.get_mut(digest).filter(|step| !step.is_printed) else {
            return;
        };
        if step.end.is_some() {
            let mut rest = Vec::new();
            std::mem::take(&mut step.lines).finish(|line| rest.push(line));
            step.remember(&rest);
            step.waiting.extend(rest.into_iter().map(Cow::into_owned));
        }
        let lines = std::mem::take(&mut step.waiting);
        if !lines.is_empty() {
            self.enter(digest);
            self.line_console()
                .say_below(lines.into_iter().map(Cow::Owned));
        }
        if self
            .steps
            .get(digest)
            .is_some_and(|step| step.end.is_some())
        {
            self.print_end(digest);
        }
    }

    fn print_end(&mut self, digest: &str) {
        let was_open = self.open.as_deref() == Some(digest);
        let Some(step) = self.steps.get_mut(digest) else {
            return;
        };
        step.is_printed = true;
        let (is_worth_a_line, result) = (step.is_worth_a_line(), step.result());
        let line = match (was_open, step.has_group) {
            (true, _) if result.contains("after") => format!("  {result}"),
            (true, _) => format!("  done in {result}"),
            (false, _) => format!("{} ({result})", step.title),
        };
        if let Some(origin) = self.origin {
            step.spans(origin)
                .into_iter()
                .for_each(|span| self.timeline.add(span));
            self.timeline.traffic += step.traffic();
            if step.is_of_the_dockerfile() {
                self.timeline.steps += 1;
                self.timeline.cached += usize::from(step.end == Some(End::Cached));
            }
        }
        step.forget();
        self.printed.push_back(digest.to_owned());
        if self.printed.len() > MAX_REMEMBERED {
            let oldest = self.printed.pop_front();
            oldest.and_then(|oldest| self.steps.remove(&oldest));
        }
        if is_worth_a_line {
            self.close();
            let tone = if was_open { Tone::Aside } else { Tone::Title };
            self.line_console().say_as(tone, &line);
        }
    }

    fn enter(&mut self, digest: &str) {
        if self.open.as_deref() == Some(digest) {
            return;
        }
        self.close();
        let Some(step) = self.steps.get_mut(digest) else {
            return;
        };
        let more = if step.has_group { " (continued)" } else { "" };
        let title = format!("{}{more}", step.title);
        step.has_group = true;
        self.line_console().open_group(&title);
        self.open = Some(digest.to_owned());
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.line_console().close_group();
        }
    }

    /// The console, ready for a line of log.
    fn line_console(&mut self) -> Console {
        self.wipe();
        self.silence = 0;
        self.console
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_live) {
            self.console.wipe();
        }
    }

    /// Shows what runs now on the last line of a terminal.
    fn refresh(&mut self, now: Option<DateTime<Utc>>, quiet: TimeDelta) {
        let is_fresh = self
            .drawn
            .zip(now)
            .is_some_and(|(drawn, now)| now - drawn < REFRESH);
        if !self.console.is_live() || (is_fresh && quiet.is_zero()) {
            return;
        }
        self.drawn = now;
        match self.running(now, quiet) {
            Some(running) => {
                self.console.show_for_now(&running);
                self.is_live = true;
            }
            None => self.wipe(),
        }
    }

    /// The step that has run the longest, for how long, what it does, and how many more there are.
    fn running(&self, now: Option<DateTime<Utc>>, quiet: TimeDelta) -> Option<String> {
        let running = self.steps.values().filter(|step| step.is_running());
        let (mut count, mut oldest) = (0, None::<(&Step, TimeDelta)>);
        for step in running {
            count += 1;
            let time = step.running_for(now?) + quiet;
            if oldest.is_none_or(|(_, longest)| time > longest) {
                oldest = Some((step, time));
            }
        }
        let (step, time) = oldest?;
        let doing = Some(&step.activity).filter(|doing| !doing.is_empty());
        let doing = doing.map(|doing| format!(": {doing}")).unwrap_or_default();
        let others = match count {
            1 => String::new(),
            _ => format!(", {} more", count - 1),
        };
        let title = short_title(&step.title);
        Some(format!("{title}{doing} ({}{others})", duration(time)))
    }
}

/// A stopped build leaves neither an open group nor an unfinished line.
impl Drop for LogRenderer {
    fn drop(&mut self) {
        self.close();
        self.wipe();
    }
}

/// Short enough to leave room for the rest on a narrow terminal.
fn short_title(title: &str) -> String {
    match title.char_indices().nth(SHORT_TITLE) {
        Some((at, _)) => format!("{}…", title[..at].trim_end_matches('…')),
        None => title.to_owned(),
    }
}
