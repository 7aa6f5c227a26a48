//! Doors for the fuzz targets: what the engine says.

use super::progress::Progress;
use crate::workflow::{Console, Reader, Stream};

/// Lines of a progress, of which each may be anything.
pub(crate) fn progress(bytes: &[u8]) {
    let console = Console {
        reader: Reader::Runner,
        stream: Stream::Nowhere,
    };
    let mut progress = Progress::new(console, "Dockerfile".to_owned());
    for line in bytes.split(|byte| *byte == b'\n') {
        progress.line(line);
    }
    let (record, _failure) = progress.finish();
    let _shown = record.warnings.shown();
}
