//! Whether the files of a checkout are those of its commit, as `git status` would say.
//!
//! The feature `status` of gix would say it too. It brings git's filters and diffs, 0.4 MB of the compressed program,
//! which every run in Actions would download and none would use.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use gix::bstr::{BString, ByteSlice as _};
use gix::index::Entry;
use gix::index::entry::{Flags, Mode, Stat};
use gix::index::fs::Metadata;
use gix::objs::{Kind, compute_hash, compute_stream_hash};
use gix::worktree::stack::state::ignore::Source;

/// Why the files of the checkout around `named`, whose commit names the image, are not those of its commit; nothing when
/// they are, and when there is no checkout. If `built`, the directory that is built, is in another checkout, that one is
/// compared too.
///
/// No program is run, not even a filter that the configuration of the checkout names, and no line ends are converted:
/// a file that git changes when it writes it is unchanged as long as its time and size are those in the index.
pub(super) fn uncommitted(named: &Path, built: &Path) -> Option<String> {
    let of_commit = checkout_around(named);
    let of_files = checkout_around(built).filter(|other| of_commit.as_ref() != Some(other));
    let checkouts = [of_commit, of_files].into_iter().flatten();
    checkouts.filter_map(|checkout| why_dirty(&checkout)).next()
}

fn checkout_around(directory: &Path) -> Option<PathBuf> {
    let (path, _trust) = gix::discover::upwards(directory).ok()?;
    let (git_dir, work_tree) = path.into_repository_and_work_tree_directories();
    let checkout = work_tree.unwrap_or(git_dir);
    Some(checkout.canonicalize().unwrap_or(checkout))
}

fn why_dirty(checkout: &Path) -> Option<String> {
    match open(checkout).and_then(|repository| first_change(&repository)) {
        Ok(None) => None,
        Ok(Some(file)) => Some(format!("the checkout has uncommitted changes (`{file}`)")),
        Err(error) => Some(format!(
            "the checkout cannot be compared with its commit: {error:#}"
        )),
    }
}

fn open(directory: &Path) -> Result<gix::Repository> {
    // For a repository of somebody else, gix limits the size of an index.
    let options = gix::open::Options::isolated()
        .with(gix::sec::Trust::Reduced)
        .config_overrides(["gitoxide.objects.allocLimitIfReducedTrust=0"]);
    Ok(gix::open_opts(directory, options)?)
}

/// A file that is staged, changed, deleted, or untracked and not ignored.
fn first_change(repository: &gix::Repository) -> Result<Option<BString>> {
    let index = repository.index_or_empty()?;
    let committed = repository.index_from_tree(&repository.head_tree_id_or_empty()?)?;
    if let Some(path) = first_staged(&committed, &index) {
        return Ok(Some(path));
    }
    let root = repository.workdir().context("it has no files")?;
    let files = repository.filesystem_options()?;
    let is_sparse = repository.config_snapshot().boolean("core.sparseCheckout");
    let stat = repository.stat_options()?;
    let mut walk = Walk {
        root,
        index: &index,
        ignored: repository.excludes(&index, None, Source::WorktreeThenIdMappingIfNotSkipped)?,
        files,
        is_sparse: is_sparse.unwrap_or_default(),
        stat,
        is_found: vec![false; index.entries().len()],
    };
    if let Some(path) = walk.first_change_in(Path::new(""))? {
        return Ok(Some(path));
    }
    let mut entries = index.entries().iter().zip(walk.is_found);
    // A sparse checkout leaves files out.
    let may_be_missing = Flags::SKIP_WORKTREE | Flags::ASSUME_VALID;
    let deleted =
        entries.find(|(entry, is_found)| !is_found && !entry.flags.intersects(may_be_missing));
    Ok(deleted.map(|(entry, _)| entry.path(&index).to_owned()))
}

/// The first path at which the index differs from the commit. Both are sorted by path.
fn first_staged(committed: &gix::index::State, index: &gix::index::State) -> Option<BString> {
    let (old, new) = (committed.entries(), index.entries());
    let is_same = |(old, new): &(&Entry, &Entry)| {
        (old.path(committed), old.id, old.mode) == (new.path(index), new.id, new.mode)
    };
    let same = old.iter().zip(new).take_while(is_same).count();
    let staged = new.get(same).map(|entry| entry.path(index));
    let path = staged.or_else(|| Some(old.get(same)?.path(committed)));
    path.map(ToOwned::to_owned)
}

/// A walk through the files of a checkout.
struct Walk<'a> {
    root: &'a Path,
    index: &'a gix::index::File,
    ignored: gix::AttributeStack<'a>,
    files: gix::fs::Capabilities,
    /// What a sparse checkout leaves out is compared if it is there.
    is_sparse: bool,
    stat: gix::index::entry::stat::Options,
    /// For each entry of the index whether a file was found for it.
    is_found: Vec<bool>,
}

impl Walk<'_> {
    /// A path in `directory`, relative to the root, that is not as the index has it.
    fn first_change_in(&mut self, directory: &Path) -> Result<Option<BString>> {
        let on_disk = self.root.join(directory);
        // A pipe would never be read to its end.
        let rules = fs::metadata(on_disk.join(".gitignore"));
        if rules.is_ok_and(|rules| !rules.is_file() && !rules.is_dir()) {
            bail!(unreadable(&on_disk.join(".gitignore")));
        }
        for file in fs::read_dir(&on_disk).with_context(|| unreadable(&on_disk))? {
            let path = directory.join(file?.file_name());
            if path.ends_with(".git") {
                continue;
            }
            if let Some(changed) = self.first_change_at(&path)? {
                return Ok(Some(changed));
            }
        }
        Ok(None)
    }

    fn first_change_at(&mut self, path: &Path) -> Result<Option<BString>> {
        let on_disk = self.root.join(path);
        let metadata = Metadata::from_path_no_follow(&on_disk)?;
        let name = <[u8]>::from_path(path)
            .context("a name is not UTF-8")?
            .as_bstr();
        if let Ok(at) = self.index.entry_index_by_path(name) {
            self.is_found[at] = true;
            let is_same = self.is_same(&self.index.entries()[at], &on_disk, &metadata)?;
            return Ok((!is_same).then(|| name.to_owned()));
        }
        let mode = metadata.is_dir().then_some(Mode::DIR);
        let is_ignored = self.ignored.at_path(path, mode)?.is_excluded();
        let is_tracked = self.index.path_is_directory(name);
        let is_nested = !is_tracked && on_disk.join(".git").exists();
        if metadata.is_dir() && !is_nested && (!is_ignored || is_tracked) {
            return self.first_change_in(path);
        }
        // git does not look at sockets and pipes.
        let is_seen = is_nested || metadata.is_file() || metadata.is_symlink();
        Ok((is_seen && !is_ignored).then(|| name.to_owned()))
    }

    /// Whether the file is the one of the index: by its time and size, as long as these can say it, else by its content.
    fn is_same(&self, entry: &Entry, on_disk: &Path, metadata: &Metadata) -> Result<bool> {
        let is_left_out = !self.is_sparse && entry.flags.contains(Flags::SKIP_WORKTREE);
        if is_left_out || entry.flags.contains(Flags::ASSUME_VALID) {
            return Ok(true);
        }
        if entry.mode == Mode::COMMIT {
            return Ok(metadata.is_dir() && is_same_submodule(entry, on_disk)?);
        }
        let is_of_file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        if is_of_file && !metadata.is_file() {
            return Ok(false);
        }
        let (symlinks, executable_bit) = (self.files.symlink, self.files.executable_bit);
        let changed = entry
            .mode
            .change_to_match_fs(metadata, symlinks, executable_bit);
        if changed.is_some() {
            return Ok(false);
        }
        let stat = Stat::from_fs(metadata)?;
        // git notes the size 0 for a file that it has to read again.
        let is_noted = entry.stat.size != 0 || entry.id.is_empty_blob();
        let is_racy = stat.is_racy(self.index.timestamp(), self.stat);
        if is_noted && !is_racy && stat.matches(&entry.stat, self.stat) {
            return Ok(true);
        }
        let hash = hash_of(on_disk, metadata, entry.id.kind());
        Ok(hash.with_context(|| unreadable(on_disk))? == entry.id)
    }
}

fn unreadable(path: &Path) -> String {
    format!("`{}` cannot be read", path.display())
}

/// The object ID that the file would have in git, if no filter changed it.
fn hash_of(on_disk: &Path, metadata: &Metadata, kind: gix::hash::Kind) -> Result<gix::ObjectId> {
    if metadata.is_symlink() {
        let target = fs::read_link(on_disk)?;
        let target = <[u8]>::from_path(&target).context("a name is not UTF-8")?;
        return Ok(compute_hash(kind, Kind::Blob, target)?);
    }
    Ok(compute_stream_hash(
        kind,
        Kind::Blob,
        &mut File::open(on_disk)?,
        metadata.len(),
        &mut gix::progress::Discard,
        &AtomicBool::new(false),
    )?)
}

/// Whether the submodule in this directory is at its commit and unchanged; one that was not fetched is.
fn is_same_submodule(entry: &Entry, on_disk: &Path) -> Result<bool> {
    if !on_disk.join(".git").exists() {
        return Ok(true);
    }
    let repository = open(on_disk)?;
    Ok(repository.head_id()? == entry.id && first_change(&repository)?.is_none())
}
