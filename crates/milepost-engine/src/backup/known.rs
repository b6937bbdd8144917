//! What a store remembers of its backups: for each place, in a commit below `$`, the last backup that was made there.
//!
//! Whoever makes a backup beside a writer can't commit. They leave a note in the store's directory, which the next
//! opening for writing makes a commit of. A note is a help: what can't be read is left out, and nothing depends on it.
//!
//! ```text
//! noted/0123456789abcdef.note
//! ```

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use milepost_io::{Disk, Latch, NotReplaced, read_file, write_file_atomically};
use milepost_types::{At, Key, Receipt, Scope, Seq, Timestamp, scope};

use super::{Backup, BackupError};
use crate::{CommitError, Engine};

const SCOPE: &str = scope::KEPT[0];
pub(crate) const NOTED: &str = "noted";
const SUFFIX: &str = ".note";
/// A note is a path and four numbers.
const NOTE_BYTES_MAX: usize = 8 << 10;

/// The last backup that was made in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBackup {
    /// The place, as it was named.
    pub dir: String,
    /// Number of the backup.
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

/// Has the store remember a backup that was made in a place.
pub fn remember(engine: &Engine, dir: &str, backup: &Backup) -> Result<(), NotRemembered> {
    let known = KnownBackup { dir: dir.to_owned(), number: backup.number, last: backup.last, made_at: backup.made_at };
    if engine.is_read_only() { note(engine, &known) } else { Ok(commit(engine, &known)?) }
}

/// The places that the store remembers, each with the last backup made there, those of notes included.
pub fn known(engine: &Engine) -> Result<Vec<KnownBackup>, BackupError> {
    let mut known: Vec<KnownBackup> = Vec::new();
    for entry in engine.view(At::Latest)?.scan(SCOPE, "") {
        let entry = entry?;
        known.extend(of_entry(&entry.value, entry.key.as_str()));
    }
    let shared = engine.shared();
    for (_, noted) in notes(&*shared.parts.disk, &shared.dir) {
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
    for (path, noted) in notes(&*shared.parts.disk, &shared.dir) {
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
    request.add_kept(&Scope::from_stored(SCOPE)?, &known.dir, numbers(known).as_bytes())?;
    engine.commit(request).map(drop)
}

fn note(engine: &Engine, known: &KnownBackup) -> Result<(), NotRemembered> {
    let shared = engine.shared();
    let (disk, below) = (&*shared.parts.disk, shared.dir.join(NOTED));
    let refused = |why: String| NotRemembered::Note { dir: below.clone(), why };
    // Who opens the store for writing could not make a commit of it.
    Key::parse(&known.dir).map_err(|error| refused(error.to_string()))?;
    let mut name = [0; 8];
    shared.parts.entropy.fill(&mut name);
    let path = below.join(format!("{:016x}{SUFFIX}", u64::from_le_bytes(name)));
    disk.create_dir(&below).map_err(|error| refused(error.to_string()))?;
    disk.sync_dir(&shared.dir).map_err(|error| refused(error.to_string()))?;
    let text = format!("{}dir {}", numbers(known), known.dir);
    write_file_atomically(disk, &path, text.as_bytes(), &Latch::default()).map_err(|error| match error {
        NotReplaced::Refused { source, .. } => refused(source.to_string()),
        NotReplaced::Stopped(failure) => refused(failure.to_string()),
    })
}

fn notes(disk: &dyn Disk, dir: &Path) -> Vec<(PathBuf, KnownBackup)> {
    let below = dir.join(NOTED);
    let entries = match disk.list(&below) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(dir = %below.display(), %error, "notes of backups can't be read");
            return Vec::new();
        }
    };
    let read = |name: &str| {
        let path = below.join(name);
        let text = read_file(disk, &path).ok().filter(|text| text.len() <= NOTE_BYTES_MAX)?;
        Some((path, decode(&String::from_utf8(text).ok()?)?))
    };
    entries.iter().filter(|entry| entry.name.ends_with(SUFFIX)).filter_map(|entry| read(&entry.name)).collect()
}

fn numbers(known: &KnownBackup) -> String {
    let KnownBackup { number, last, made_at, .. } = known;
    format!("number {number}\nseq {}\nat {}\nmade_at {}\n", last.seq.0, last.at.0, made_at.0)
}

/// What an entry below `$` says.
fn of_entry(value: &[u8], dir: &str) -> Option<KnownBackup> {
    decode(&format!("{}dir {dir}", String::from_utf8_lossy(value)))
}

/// The other way; the place stands last, and may hold anything that a key may.
fn decode(text: &str) -> Option<KnownBackup> {
    let mut rest = text;
    let mut field = |name: &str| {
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        line.strip_prefix(name)?.strip_prefix(' ')?.parse::<i64>().ok()
    };
    let (number, seq, at, made_at) = (field("number")?, field("seq")?, field("at")?, field("made_at")?);
    let last = Receipt { seq: Seq(seq.cast_unsigned()), at: Timestamp(at) };
    let dir = rest.strip_prefix("dir ").filter(|dir| Key::parse(dir).is_ok())?.to_owned();
    Some(KnownBackup { dir, number: number.cast_unsigned(), last, made_at: Timestamp(made_at) })
}
