//! The engine's output, line by line, in bounded memory.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Reads lines. A call may be dropped while it waits; the next one goes on where it was.
pub(super) struct Messages<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    is_whole: bool,
}

const PIECE: usize = 64 * 1024;
/// What is longer is cut. BuildKit sends logs in pieces of some kilobytes, a few in one message.
const LONGEST: usize = 6 * 1024 * 1024;

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(PIECE, reader),
            line: Vec::new(),
            is_whole: false,
        }
    }

    /// The next line without its end; none when there are no more.
    pub(super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if std::mem::take(&mut self.is_whole) {
            self.line.clear();
            self.line.shrink_to(PIECE);
        }
        while !self.is_whole {
            let piece = self.reader.fill_buf().await?;
            if piece.is_empty() {
                self.is_whole = true;
                return Ok(Some(self.line.as_slice()).filter(|line| !line.is_empty()));
            }
            let end = memchr::memchr(b'\n', piece);
            let text = &piece[..end.unwrap_or(piece.len())];
            let room = LONGEST.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(&text[..room]);
            let taken = text.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            self.is_whole = end.is_some();
        }
        Ok(Some(&self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_long_ones_are_cut() {
        let long = "x".repeat(LONGEST + 5);
        let text = format!("a\n\n{long}\nb");
        let mut messages = Messages::new(text.as_bytes());
        let mut lengths = Vec::new();
        while let Some(line) = messages.next().await.unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, LONGEST, 1]);
    }
}
