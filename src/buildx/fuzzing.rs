//! Entry points of the fuzz targets for the output of buildx.

use crate::buildx::progress::Progress;
use crate::buildx::progress::messages::{Decoder, Message};
use crate::buildx::progress::push_watch::PushWatch;
use crate::console::{Console, Reader};

/// The output of buildx, which may be anything.
pub fn progress(bytes: &[u8]) {
    let console = Console {
        reader: Reader::Runner,
        ..Console::NOWHERE
    };
    let mut progress = Progress::new(console, "Dockerfile".to_owned());
    let (mut decoder, mut watch) = (Decoder::default(), PushWatch::default());
    let mut each = |message: Message<'_>| {
        watch.see(&message);
        progress.see(&message);
    };
    bytes
        .chunks(64)
        .for_each(|piece| decoder.push(piece, &mut each));
    decoder.finish(&mut each);
    let (record, _failure) = progress.finish();
    let _shown = record.warnings.shown();
}
