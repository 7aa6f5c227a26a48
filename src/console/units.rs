//! Durations and sizes as people read them.

use chrono::TimeDelta;

/// `12.3 s`, or `2 min 5 s`.
pub(crate) fn spoken(time: TimeDelta) -> String {
    let tenths = (time.num_milliseconds() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (tenths + 5) / 10;
    format!("{} min {} s", seconds / 60, seconds % 60)
}

/// Bytes in decimal units, as GitHub's package pages show them.
pub(crate) fn size(bytes: u64) -> String {
    let in_tenths_of = |unit: u64| {
        let tenths = (bytes + unit / 20) / (unit / 10);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..50_000 => format!("{} kB", in_tenths_of(1000)),
        50_000..1_000_000_000 => format!("{} MB", in_tenths_of(1_000_000)),
        _ => format!("{} GB", in_tenths_of(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        let times = [40, 1260, 59_940, 59_960, 3_661_000].map(TimeDelta::milliseconds);
        assert_eq!(
            times.map(spoken),
            ["0.0 s", "1.3 s", "59.9 s", "1 min 0 s", "61 min 1 s"]
        );
        let sizes = [512, 99_000, 1_234_567, 2_950_000_000].map(size);
        assert_eq!(sizes, ["0.5 kB", "0.1 MB", "1.2 MB", "3.0 GB"]);
    }
}
