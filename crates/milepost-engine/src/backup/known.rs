//! What a store remembers of its backups: for each place, in a commit below `$`, the last backup that was made there.
//!
//! Whoever makes a backup beside a writer can't commit. They leave a note in the store's directory, which the next
//! opening for writing makes a commit of. A note is a help: what can't be read is left out, and nothing depends on it.
//!
//! What is erased must be looked for in places, too, where a backup was begun that never came to its end, or is under
//! way, and in the one that the store itself was restored from. Of these there are notes of another kind, which no
//! commit is made of: of a place where a backup is begun, from before its first byte until the backup is remembered.
//!
//! ```text
//! noted/0123456789abcdef.note     a backup that was made
//! noted/0123456789abcdef.place    a place that holds bytes of the store, with the backup restored from it if one was
//! ```

mod format;

use std::{
    io::ErrorKind,
    path::{self, Path, PathBuf},
};

use milepost_io::{Disk, Latch, NotReplaced, read_file, write_file_atomically};
use milepost_types::{At, Key, Receipt, Scope, Seq, Timestamp, scope};

use super::{Backup, BackupError};
use crate::{CommitError, Engine, Parts};
use format::{of_entry, of_note};

const SCOPE: &str = scope::KEPT[0];
pub(crate) const NOTED: &str = "noted";
const MADE: &str = ".note";
const PLACE: &str = ".place";
/// A note is a path and four numbers.
const NOTE_BYTES_MAX: usize = 8 << 10;

/// The last backup that was made in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBackup {
    /// The place, as it was named.
    pub dir: String,
    /// Number of the backup; 0 if one was begun there, and none came to its end as far as the store knows.
    pub number: u64,
    /// The last commit in it.
    pub last: Receipt,
    /// When it was made, by the clock of the machine.
    pub made_at: Timestamp,
}

/// Why a backup is not remembered. It is whole all the same.
#[derive(Debug, thiserror::Error)]
pub enum NotRemembered {
    /// The store is open for reading, and its directory takes no note.
    #[error("no note in {dir}: {why}", dir = .dir.display())]
    Note {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// The store takes no commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Has the store remember a place before anything of it is brought there.
pub(super) fn note_place(engine: &Engine, dir: &Path) -> Result<(), NotRemembered> {
    let dir = absolute(dir);
    let refused = |why: String| NotRemembered::Note { dir: engine.shared().dir.join(NOTED), why };
    if known(engine).map_err(|error| refused(error.to_string()))?.iter().any(|known| known.dir == dir) {
        return Ok(());
    }
    let last = Receipt { seq: Seq::ZERO, at: Timestamp::MIN };
    let shared = engine.shared();
    let begun = KnownBackup { dir, number: 0, last, made_at: shared.parts.clock.now() };
    note(&shared.parts, &shared.dir, &begun, PLACE)
}

/// Has the store remember a backup that was made in a place.
pub fn remember(engine: &Engine, dir: &str, backup: &Backup) -> Result<(), NotRemembered> {
    let known = KnownBackup { dir: dir.to_owned(), number: backup.number, last: backup.last, made_at: backup.made_at };
    let shared = engine.shared();
    if engine.is_read_only() {
        note(&shared.parts, &shared.dir, &known, MADE)?;
    } else {
        commit(engine, &known)?;
    }
    for (path, _) in notes(&*shared.parts.disk, &shared.dir, PLACE).filter(|(_, noted)| noted.dir == dir) {
        // One that stays says less than what was remembered.
        let _ = shared.parts.disk.remove(&path);
    }
    Ok(())
}

/// Notes in the directory of a store that is being restored where it comes from.
pub(super) fn note_source(parts: &Parts, dir: &Path, from: &Path, backup: &Backup) -> Result<(), NotRemembered> {
    let source = KnownBackup { dir: absolute(from), number: backup.number, last: backup.last, made_at: backup.made_at };
    note(parts, dir, &source, PLACE)
}

/// The places that the store remembers, each with the last backup made there, those of notes included.
pub fn known(engine: &Engine) -> Result<Vec<KnownBackup>, BackupError> {
    let mut known: Vec<KnownBackup> = Vec::new();
    for entry in engine.view(At::Latest)?.scan(SCOPE, "") {
        let entry = entry?;
        known.extend(of_entry(&entry.value, entry.key.as_str()));
    }
    let shared = engine.shared();
    let disk = &*shared.parts.disk;
    for (_, noted) in notes(disk, &shared.dir, MADE).chain(notes(disk, &shared.dir, PLACE)) {
        match known.iter_mut().find(|known| known.dir == noted.dir) {
            Some(known) if known.number < noted.number => *known = noted,
            Some(_) => {}
            None => known.push(noted),
        }
    }
    known.sort_by(|one, other| one.dir.cmp(&other.dir));
    Ok(known)
}

/// Makes commits of the notes that lie in the store's directory, and removes them. One of an earlier backup than the
/// store remembers says nothing new.
pub fn take_notes(engine: &Engine) -> Result<(), NotRemembered> {
    let shared = engine.shared();
    for (path, noted) in notes(&*shared.parts.disk, &shared.dir, MADE) {
        // What can't be read is said anew.
        let kept = engine.get(SCOPE, &noted.dir).ok().flatten();
        let known = kept.and_then(|value| of_entry(&value, &noted.dir));
        if known.is_none_or(|known| known.number < noted.number) {
            commit(engine, &noted)?;
        }
        // One that stays is looked at again.
        let _ = shared.parts.disk.remove(&path);
    }
    Ok(())
}

fn commit(engine: &Engine, known: &KnownBackup) -> Result<(), CommitError> {
    let mut request = engine.request();
    request.add_kept(&Scope::from_stored(SCOPE)?, &known.dir, format::entry(known).as_bytes())?;
    engine.commit(request).map(drop)
}

/// Takes the notes of a store along into a copy of it. One that can't be copied is left out, with a word.
pub(crate) fn copy_notes(disk: &dyn Disk, from: &Path, to: &Path) {
    for (path, noted) in notes(disk, from, MADE).chain(notes(disk, from, PLACE)) {
        let copied = || {
            let below = to.join(NOTED);
            let bytes = read_file(disk, &path).map_err(|error| error.to_string())?;
            disk.create_dir(&below).map_err(|error| error.to_string())?;
            disk.sync_dir(to).map_err(|error| error.to_string())?;
            let name = path.file_name().unwrap_or_default();
            write_file_atomically(disk, &below.join(name), &bytes, &Latch::default())
                .map_err(|error| format!("{error:?}"))
        };
        if let Err(error) = copied() {
            tracing::warn!(dir = %noted.dir, %error, "the copy does not remember this place of backups");
        }
    }
}

/// A place as it is remembered.
fn absolute(dir: &Path) -> String {
    path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).to_string_lossy().into_owned()
}

fn note(parts: &Parts, dir: &Path, known: &KnownBackup, suffix: &str) -> Result<(), NotRemembered> {
    let (disk, below) = (&*parts.disk, dir.join(NOTED));
    let refused = |why: String| NotRemembered::Note { dir: below.clone(), why };
    // Who opens the store for writing could not make a commit of it.
    Key::parse(&known.dir).map_err(|error| refused(error.to_string()))?;
    let mut name = [0; 8];
    parts.entropy.fill(&mut name);
    let path = below.join(format!("{:016x}{suffix}", u64::from_le_bytes(name)));
    disk.create_dir(&below).map_err(|error| refused(error.to_string()))?;
    disk.sync_dir(dir).map_err(|error| refused(error.to_string()))?;
    let text = format::note(known);
    write_file_atomically(disk, &path, text.as_bytes(), &Latch::default()).map_err(|error| match error {
        NotReplaced::Refused { source, .. } => refused(source.to_string()),
        NotReplaced::Stopped(failure) => refused(failure.to_string()),
    })
}

/// The notes of a kind that lie in a store's directory, as far as they can be read.
fn notes(disk: &dyn Disk, dir: &Path, suffix: &'static str) -> impl Iterator<Item = (PathBuf, KnownBackup)> {
    let below = dir.join(NOTED);
    let entries = match disk.list(&below) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(dir = %below.display(), %error, "notes of backups can't be read");
            Vec::new()
        }
    };
    let read = move |name: &str| {
        let path = below.join(name);
        let text = read_file(disk, &path).ok().filter(|text| text.len() <= NOTE_BYTES_MAX)?;
        Some((path, of_note(&String::from_utf8(text).ok()?)?))
    };
    entries.into_iter().filter(move |entry| entry.name.ends_with(suffix)).filter_map(move |entry| read(&entry.name))
}
