//! Backups: [`create`], [`list`], [`verify`], [`restore`], [`prune`].
//!
//! ```text
//! STORE                                 whose backups these are
//! backups/0000000042.backup             backup 42: which pieces it is made of, in order
//! pieces/FIRST-LAST-HASH.piece          the commits from one to another, as a sealed segment
//! pieces/new-FIRST.tmp                  a piece on its way; worthless
//! ```
//!
//! A piece is known by what it holds: the range of its commits and the hash of its bytes. A backup lists the pieces
//! that were in force when it was made, whatever became of the store's files since; what an earlier one brought is not
//! brought again.
//!
//! Invariant: a backup's own file is written last and at once, after all its pieces are durable and were read back. So
//! it is there with all that it names, or not at all. Nothing in it is a name: pieces are found by numbers and hashes.
//!
//! Must not know: who writes to the store meanwhile.

mod create;
mod error;
mod format;
mod known;
mod names;
mod piece;
mod place;
mod prune;
mod restore;
mod verify;

use milepost_log::StoreId;
use milepost_types::{Corruption, Receipt, Seq, Timestamp};

pub use create::{Rollback, create};
pub use error::BackupError;
pub(crate) use format::STORE_MAGIC;
pub use known::{KnownBackup, NotRemembered, known, remember, take_notes};
pub(crate) use known::{NOTED, copy_notes};
pub(crate) use names::STORE;
pub use place::list;
pub use prune::{Pruned, prune};
pub use restore::{Restored, Until, restore};
pub use verify::{BackupReport, verify};

/// By how much a restore raises the epoch above all that the backups know of: more often than that no store is opened
/// between a backup and its loss. So what it writes is never taken for what the lost store wrote after the backup.
pub const RESTORED_EPOCHS: u32 = 1024;

/// A backup, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its number: 1, 2, 3 in the order they were made.
    pub number: u64,
    /// When it was made, by the clock of the machine.
    pub made_at: Timestamp,
    /// The first commit in it; [`Seq::ZERO`] if there is none.
    pub first: Seq,
    /// The last commit in it.
    pub last: Receipt,
    /// Epoch of the store at that time.
    pub epoch: u32,
    /// Bytes of all its pieces.
    pub bytes: u64,
    /// Bytes of the pieces that were brought for it.
    pub new_bytes: u64,
    /// Its pieces.
    pub pieces: u64,
}

/// What there is in a place for backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whose they are, in hexadecimal.
    pub store: String,
    /// Those that can be read, oldest first.
    pub backups: Vec<Backup>,
    /// Those that can't.
    pub damage: Vec<Corruption>,
    /// Names that belong to no backup; they are left alone.
    pub strays: Vec<String>,
}

impl Backup {
    fn of(manifest: &format::BackupManifest) -> Backup {
        Backup {
            number: manifest.number,
            made_at: Timestamp(manifest.made_at),
            first: Seq(manifest.pieces.first().map_or(0, |piece| piece.first_seq)),
            last: Receipt { seq: Seq(manifest.last_seq), at: Timestamp(manifest.last_at) },
            epoch: manifest.epoch,
            bytes: manifest.pieces.iter().map(|piece| piece.bytes).sum(),
            new_bytes: manifest.new_bytes,
            pieces: manifest.pieces.len() as u64,
        }
    }
}

fn store_of(manifest: &format::BackupManifest) -> StoreId {
    StoreId(manifest.store)
}

#[cfg(test)]
mod tests;
