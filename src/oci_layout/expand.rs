//! Expands an archive that is compressed with gzip, within a limit.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::FileExt as _;

use flate2::read::MultiGzDecoder;

use crate::private_directory::PrivateDirectory;
use crate::vars::Vars;

/// Where a gzip stream says what it is.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much larger than the compressed file the content may be. Images shrink to a half or a quarter; a gzip bomb
/// grows by up to 1032.
const MAX_RATIO: u64 = 100;
/// So much is always allowed: an archive of zeros is small and harmless.
const MIN_LIMIT: u64 = 1 << 30;

/// Unnamed files for the bytes of images, which go with the program however it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scratch<'a>(pub(crate) &'a Vars);

impl Scratch<'_> {
    pub(crate) fn file(self) -> io::Result<File> {
        let directory = PrivateDirectory::for_images(self.0)?;
        tempfile::tempfile_in(directory.path())
    }
}

/// The tar file in `file`, expanded if it is compressed. An error completes the sentence "the archive ...".
pub(super) fn plain(file: File, scratch: Scratch<'_>) -> Result<File, String> {
    let length = file.metadata().map_err(|error| unread(&error))?.len();
    let mut start = [0; 2];
    let known = file
        .read_at(&mut start, 0)
        .map_err(|error| unread(&error))?;
    if known < start.len() || start != GZIP {
        return Ok(file);
    }
    let expanded = scratch.file().map_err(|error| no_space(&error))?;
    let limit = length.saturating_mul(MAX_RATIO).max(MIN_LIMIT);
    expand(file, expanded, limit)
}

fn expand(from: File, mut to: File, limit: u64) -> Result<File, String> {
    let from = BufReader::with_capacity(128 << 10, from);
    let mut content = MultiGzDecoder::new(from).take(limit.saturating_add(1));
    let mut piece = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        let length = content.read(&mut piece).map_err(|error| unread(&error))?;
        if length == 0 {
            break;
        }
        size += length as u64;
        if size > limit {
            return Err(format!(
                "expands to more than {}, which is more than {MAX_RATIO} times its size",
                crate::console::size(limit)
            ));
        }
        io::Write::write_all(&mut to, &piece[..length]).map_err(|error| no_space(&error))?;
    }
    to.rewind().map_err(|error| unread(&error))?;
    Ok(to)
}

fn unread(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

fn no_space(error: &io::Error) -> String {
    format!("cannot be expanded in `TMPDIR` or `/var/tmp`: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn text(mut file: File) -> String {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn expanded(bytes: &[u8], limit: u64) -> Result<String, String> {
        expand(file(bytes), tempfile::tempfile().unwrap(), limit).map(text)
    }

    #[test]
    fn gzip_is_recognized_and_its_members_are_joined() {
        let vars = Vars::of(&[]);
        let plain = |bytes: &[u8]| plain(file(bytes), Scratch(&vars)).map(text);
        assert_eq!(plain(b"plain").unwrap(), "plain");
        assert_eq!(plain(b"").unwrap(), "");
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(plain(&members).unwrap(), "one two");
    }

    #[test]
    fn bomb_and_cut_stream_are_errors() {
        let bomb = gzip(&[0; 100_000]);
        let error = expanded(&bomb, 99_999).unwrap_err();
        assert!(error.starts_with("expands to more than"), "{error}");
        assert_eq!(expanded(&bomb, 100_000).unwrap().len(), 100_000);
        assert!(expanded(&bomb[..bomb.len() - 9], 100_000).is_err());
    }
}
