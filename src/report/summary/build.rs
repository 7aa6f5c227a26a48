//! What a build did, in Markdown: where its time went, and what the checks found.

use std::fmt::Write as _;

use chrono::TimeDelta;

use crate::buildx::progress::Record;
use crate::buildx::progress::record::Warning;
use crate::buildx::progress::record::{End, Span, Timeline, Traffic};
use crate::console::{duration, size};
use crate::report::markdown::{code, escape, link};

/// Steps in the chart, and in the table.
const MAX_CHARTED: usize = 24;
const MAX_LISTED: usize = 10;
const MAX_TITLE: usize = 60;

/// One line on the whole build, a chart, and the longest steps; nothing when there was no build.
pub(super) fn timeline(record: &Record) -> String {
    let timeline = &record.timeline;
    if timeline.spans.is_empty() {
        return String::new();
    }
    let mut text = format!("#### Build\n\n{}\n\n", overview(timeline));
    if timeline.total >= TimeDelta::seconds(1) && timeline.spans.len() > 1 {
        text += &chart(timeline);
    }
    let rows = longest(timeline, MAX_LISTED)
        .into_iter()
        .map(|span| format!("| {} | {} |\n", code(&span.title), time(span)));
    let _infallible = writeln!(
        text,
        "<details><summary>The longest steps</summary>\n\n| Step | Time |\n|---|--:|\n{}\n</details>\n",
        rows.collect::<String>()
    );
    text
}

fn overview(timeline: &Timeline) -> String {
    let mut parts = vec![format!("{} in all", duration(timeline.total))];
    if let Some(share) = (timeline.cached * 100).checked_div(timeline.steps) {
        let (steps, cached) = (timeline.steps, timeline.cached);
        parts.push(format!(
            "{cached} of {steps} steps from the cache ({share} %)"
        ));
    }
    let Traffic {
        context,
        pulled,
        pushed,
    } = timeline.traffic;
    let ways = [
        (context, "sent to the builder"),
        (pulled, "pulled"),
        (pushed, "pushed"),
    ];
    let moved = ways.into_iter().filter(|(bytes, _)| *bytes >= 1000);
    parts.extend(moved.map(|(bytes, way)| format!("{} {way}", size(bytes))));
    parts.join(", ")
}

fn time(span: &Span) -> String {
    let time = duration(span.duration);
    match span.end {
        End::Done => time,
        End::Cached => "cached".to_owned(),
        End::Failed => format!("{time}, failed"),
        End::Stopped => format!("{time}, stopped"),
    }
}

/// The longest `most` steps, the longest first.
fn longest(timeline: &Timeline, most: usize) -> Vec<&Span> {
    let mut spans: Vec<&Span> = timeline.spans.iter().collect();
    spans.sort_by_key(|span| -span.duration);
    spans.truncate(most);
    spans
}

/// A Gantt chart, which GitHub draws (<https://mermaid.js.org/syntax/gantt.html>). Its axis is a clock that
/// shows midnight when the build begins. What would be thinner than a hair is left out.
fn chart(timeline: &Timeline) -> String {
    let axis = if timeline.total < TimeDelta::seconds(20) {
        "%S.%L"
    } else {
        "%M:%S"
    };
    let mut text = format!("```mermaid\ngantt\n  dateFormat HH:mm:ss.SSS\n  axisFormat {axis}\n");
    let is_visible =
        |span: &&Span| span.duration * 200 >= timeline.total || span.end == End::Failed;
    let mut spans = longest(timeline, MAX_CHARTED);
    spans.sort_by_key(|span| span.start);
    let spans = spans.into_iter().filter(is_visible);
    for (number, span) in spans.enumerate() {
        let state = match span.end {
            End::Done => "active",
            End::Cached | End::Stopped => "done",
            End::Failed => "crit",
        };
        let (number, title) = (number + 1, chart_text(&span.title));
        let (start, duration) = (clock(span.start), span.duration.num_milliseconds().max(1));
        let _infallible = writeln!(text, "  {number}. {title} :{state}, {start}, {duration}ms");
    }
    text + "```\n\n"
}

/// Text that the grammar of the chart accepts: a number goes before it, so no line begins with a keyword.
fn chart_text(title: &str) -> String {
    let shown = |c: char| match c {
        _ if c.is_alphanumeric() || " .,/_-=+@()[]$&|*".contains(c) => c,
        '{' => '(',
        '}' => ')',
        ':' => '∶',
        _ => ' ',
    };
    let text: String = title.chars().take(MAX_TITLE).map(shown).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clock(time: TimeDelta) -> String {
    let milliseconds = time.num_milliseconds().max(0);
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3600 % 24);
    format!("{hours:02}:{minutes:02}:{:02}.{rest:03}", seconds % 60)
}

/// A list of what the checks found; nothing when they found nothing.
pub(super) fn warnings(record: &Record) -> String {
    let shown = record.warnings.shown();
    if shown.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "#### Warnings\n\n{}",
        shown.iter().map(item).collect::<String>()
    );
    if record.warnings.more() > 0 {
        let _infallible = writeln!(text, "- and {} more", record.warnings.more());
    }
    text + "\n"
}

fn item(warning: &Warning) -> String {
    let place = warning.file.as_ref().zip(warning.line);
    let place = place.map(|(file, line)| format!("{} ", code(&format!("{file}:{line}"))));
    let (place, text) = (place.unwrap_or_default(), escape(&warning.text));
    let more = link("more", &warning.url);
    format!("- {place}{text} {more}").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn span(title: &str, start: i64, duration: i64, end: End) -> Span {
        Span {
            title: title.to_owned(),
            start: TimeDelta::milliseconds(start),
            duration: TimeDelta::milliseconds(duration),
            end,
        }
    }

    #[test]
    fn summary_shows_where_the_build_time_went() {
        let timeline_of = Timeline {
            spans: vec![
                span("[1/3] FROM docker.io/library/debian:13", 0, 40, End::Cached),
                span(
                    "[2/3] RUN make; echo \"a#b\" %% `x` | title",
                    100,
                    61_200,
                    End::Done,
                ),
                span("[3/3] RUN section::x", 61_300, 900, End::Failed),
            ],
            total: TimeDelta::milliseconds(62_200),
            steps: 3,
            cached: 1,
            traffic: Traffic {
                context: 5_014_950,
                pulled: 0,
                pushed: 0,
            },
        };
        let record = Record {
            timeline: timeline_of,
            ..Record::default()
        };
        expect![[r#####"
            #### Build

            1 min 2 s in all, 1 of 3 steps from the cache (33 %), 5.0 MB sent to the builder

            ```mermaid
            gantt
              dateFormat HH:mm:ss.SSS
              axisFormat %M:%S
              1. [2/3] RUN make echo a b x | title :active, 00:00:00.100, 61200ms
              2. [3/3] RUN section∶∶x :crit, 00:01:01.300, 900ms
            ```

            <details><summary>The longest steps</summary>

            | Step | Time |
            |---|--:|
            | <code>&#91;2/3&#93; RUN make; echo "a&#35;b" %% &#96;x&#96; &#124; title</code> | 1 min 1 s |
            | `[3/3] RUN section::x` | 0.9 s, failed |
            | `[1/3] FROM docker.io/library/debian:13` | cached |

            </details>

        "#####]]
        .assert_eq(&timeline(&record));
    }

    #[test]
    fn summary_without_a_build_has_no_timeline() {
        let record = Record::default();
        assert_eq!(
            (timeline(&record), warnings(&record)),
            (String::new(), String::new())
        );
    }
}
