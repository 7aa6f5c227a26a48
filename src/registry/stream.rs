//! A blob on its way from its origin into an upload: piece by piece, hashed as it passes, never held as a whole.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::Response;
use tokio::sync::mpsc;

use super::blob::Blob;
use super::call::IDLE;
use super::layout::Layout;
use super::{Pace, Registry, Trouble};
use crate::image::digest::Hasher;

/// Where the pieces of a blob come from.
pub(super) enum Reader<'a> {
    Registry(&'a Registry, Response),
    Layout(&'a Layout, File),
}

/// How much of a file is read at once.
const PIECE: usize = 128 << 10;

impl Reader<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        match self {
            Self::Registry(registry, response) => registry.chunk(response).await,
            Self::Layout(layout, file) => {
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece);
                let length = length.map_err(|error| layout.broken(format!("ends: {error}")))?;
                piece.truncate(length);
                Ok((length > 0).then(|| piece.into()))
            }
        }
    }

    fn broken(&self, what: String) -> Trouble {
        match self {
            Self::Registry(registry, _) => registry.broken(what),
            Self::Layout(layout, _) => layout.broken(what),
        }
    }

    /// Reads everything and gives it to `feed`. The last piece is held back until size and digest are
    /// right, so that an upload of other bytes never comes to its end.
    pub(super) async fn pump(
        mut self,
        blob: &Blob,
        feed: mpsc::Sender<Bytes>,
        pace: Pace,
    ) -> Result<(), Halt> {
        let (mut hasher, mut size) = (Hasher::default(), 0);
        let mut held: Option<Bytes> = None;
        while let Some(piece) = self.next().await.map_err(Halt::Reading)? {
            size += piece.len() as u64;
            if size > blob.size {
                break;
            }
            hasher.update(&piece);
            if let Some(before) = held.replace(piece) {
                hand_over(&feed, before, pace).await?;
            }
        }
        let actual = hasher.digest();
        if size != blob.size || actual != blob.digest {
            let Blob { digest, size } = blob;
            let what = format!("sent other bytes for {digest} of {size} bytes");
            return Err(Halt::Reading(self.broken(what)));
        }
        match held {
            Some(last) => hand_over(&feed, last, pace).await,
            None => Ok(()),
        }
    }
}

/// Why a blob did not get through.
pub(super) enum Halt {
    Reading(Trouble),
    /// The upload takes no more: it was answered, or it failed.
    Unwanted,
    /// The upload takes nothing for a minute.
    Stalled,
}

async fn hand_over(feed: &mpsc::Sender<Bytes>, piece: Bytes, pace: Pace) -> Result<(), Halt> {
    match pace.timeout(IDLE, feed.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_closed)) => Err(Halt::Unwanted),
        Err(_elapsed) => Err(Halt::Stalled),
    }
}

/// The body of a request: what the other end of a channel gives, of a length known before.
pub(super) struct Feed {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Feed {
    pub(super) fn of(size: u64) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, pieces) = mpsc::channel(1);
        (sender, Self { pieces, left: size })
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| {
            let piece = piece?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
