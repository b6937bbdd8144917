//! Bytes on disk of a closed store, for each byte of scope, key and value that the user gave.
//!
//! Counted as blocks that the file system holds for it: a hole costs nothing, space reserved ahead does.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use super::{Figure, Needs};
use crate::{
    bench::{Bench, Contender},
    data::Data,
    event::USER_BYTES,
    row::{Row, Unit},
    stores::{Store, Stores, files},
};

/// What `st_blocks` counts.
const BLOCK_BYTES: u64 = 512;

/// Two million events.
pub(super) const DISK: Figure = Figure { names: &["disk::bytes/events=2m"], needs: Needs::Versions, run };

fn run(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let user_bytes = Data::versions(bench.scale).events() * USER_BYTES;
    let mut contenders = Vec::new();
    for Store { kind, dir, peer } in std::mem::take(&mut stores.list) {
        peer.close()?;
        let bytes = bytes_of(&dir)?;
        contenders.push(Contender::new(kind.name, move || Ok(vec![bytes as f64 / user_bytes as f64])));
        let peer = (kind.open)(&dir)?;
        stores.list.push(Store { kind, dir, peer });
    }
    // The bytes are what they are: more rounds would only repeat them.
    bench.take_turns(names, Unit::Fold, 1, contenders)
}

pub(super) fn bytes_of(dir: &Path) -> io::Result<u64> {
    let mut blocks = 0;
    for file in files(dir)? {
        let data = fs::File::open(&file)?;
        // A file system may give blocks to written bytes only when they go to the disk.
        data.sync_all()?;
        blocks += data.metadata()?.blocks();
    }
    Ok(blocks * BLOCK_BYTES)
}
