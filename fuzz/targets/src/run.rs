//! Runs: whatever the file holds, it is read to an end or an error; what passes verification can be merged, and the
//! merged run says the same.

use std::{path::Path, sync::Arc};

use milepost_index::{
    BuildError, Mark, Merge, Run, RunBuilder, RunFacts, RunId, RunPlan, ScopeHash, ScopeSeqs, Stepped, Version,
    format::{
        PAGE_BYTES,
        header::{RUN_HEADER_BYTES, RunHeader},
        meta::TRAILER_BYTES,
    },
};
use milepost_io::{Disk as _, Map, SimDisk};
use milepost_types::Corruption;

const STORE: [u8; 16] = [7; 16];

/// The bytes of a whole file.
pub fn check(file: &[u8]) {
    read(file);
    if let Some(repaired) = repaired(file) {
        read(&repaired);
    }
}

/// Everything about the run, if it opens: with the facts that the file itself gives.
fn read(file: &[u8]) {
    let (Ok(header), Some(crc_at)) = (RunHeader::decode(file), file.len().checked_sub(TRAILER_BYTES - 12)) else {
        return;
    };
    let facts = RunFacts {
        id: RunId(header.id),
        first_seq: header.first_seq,
        last_seq: header.last_seq,
        bytes: file.len() as u64,
        crc: u32::from_le_bytes(*file[crc_at..].first_chunk().unwrap()),
    };
    let map = Map::of_bytes(file.to_vec());
    let Ok(run) = Run::read(Path::new("run"), map, header.store, &facts) else {
        return;
    };
    let walked = walk(&run, header.store);
    let verified = run.verify();
    let merged = merged(run, header.store);
    if verified.is_ok() {
        // The same scopes, keys and versions, and as many bytes for them.
        let again = merged.unwrap();
        again.verify().unwrap();
        assert_eq!(walk(&again, header.store).unwrap(), walked.unwrap());
    }
}

/// What there is to see: names, clears, versions and changes.
type Seen = (Vec<String>, Vec<Mark>, Vec<Version>);

fn walk(run: &Run, store: [u8; 16]) -> Result<Seen, Corruption> {
    let (mut names, mut marks, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    let facts = run.facts();
    let seqs = [0, facts.first_seq, u64::midpoint(facts.first_seq, facts.last_seq), facts.last_seq, u64::MAX];
    let mut scopes = run.scopes_from("")?;
    while let Some((name, view)) = scopes.read_next()? {
        let hash = ScopeHash::of(ScopeHash::seed(&store), name);
        // Damage may hide a scope; no verification then.
        let _ = (run.scope(hash, name), run.scopes_from(name)?.read_next()?);
        names.push(name.to_owned());
        marks.extend(run.clears(&view)?);
        let mut keys = run.keys_from(&view, "")?;
        while let Some((key, found)) = keys.read_next()? {
            let _ = run.keys_from(&view, key)?.read_next()?;
            for seq in seqs {
                let _ = (run.find(hash.key(key), name, key, seq), found.as_of(seq), run.last_clear(&view, seq));
            }
            names.push(key.to_owned());
            for version in found {
                versions.push(version?);
            }
        }
        for from in seqs {
            for change in run.changes(&view, from, u64::MAX)? {
                versions.push(change?);
            }
        }
    }
    for absent in ["", "a", "task/0", "z"] {
        let hash = ScopeHash::of(ScopeHash::seed(&store), absent);
        let _ = (run.scope(hash, absent), run.find(hash.key("k"), absent, "k", u64::MAX));
        let _ = run.scopes_from(absent)?.read_next()?;
    }
    Ok((names, marks, versions))
}

fn merged(run: Run, store: [u8; 16]) -> Result<Run, BuildError> {
    let disk = SimDisk::new(0);
    let dir = Path::new("/");
    let merge = Merge::of_runs(Arc::new(disk.clone()), dir, store, RunId(1), &[Arc::new(run)]);
    let facts = finish(merge.unwrap())?;
    Ok(Run::open(&disk, dir, store, &facts).unwrap())
}

fn finish(mut merge: Merge) -> Result<RunFacts, BuildError> {
    loop {
        if let Stepped::Done(facts) = merge.step(3)? {
            return Ok(facts);
        }
    }
}

/// The same file with all checksums made right: of header, pages and trailer.
fn repaired(file: &[u8]) -> Option<Vec<u8>> {
    let mut file = file.to_vec();
    let trailer_at = file.len().checked_sub(TRAILER_BYTES)?;
    let field = |at: usize| Some(u32::from_le_bytes(*file[trailer_at + at..].first_chunk()?) as usize);
    let (meta_bytes, pages) = (field(0)?, field(4)?);
    let table_at = trailer_at.checked_sub(meta_bytes)?.checked_sub(pages.checked_mul(4)?)?;
    if table_at < RUN_HEADER_BYTES || pages != table_at.div_ceil(PAGE_BYTES) {
        return None;
    }
    let crc = crc32fast::hash(&file[..RUN_HEADER_BYTES - 4]);
    file[RUN_HEADER_BYTES - 4..RUN_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    for page in 0..pages {
        let crc = crc32fast::hash(&file[page * PAGE_BYTES..table_at.min((page + 1) * PAGE_BYTES)]);
        file[table_at + 4 * page..][..4].copy_from_slice(&crc.to_le_bytes());
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file[..RUN_HEADER_BYTES]);
    hasher.update(&file[table_at..trailer_at + 12]);
    file[trailer_at + 12..trailer_at + 16].copy_from_slice(&hasher.finalize().to_le_bytes());
    Some(file)
}

/// A run of so many commits, with all that there is in one.
pub(crate) fn genuine(commits: u64) -> Vec<u8> {
    let disk = SimDisk::new(0);
    disk.create_dir(Path::new("/")).unwrap();
    let plan = RunPlan { store: STORE, id: RunId(42), first_seq: 100, last_seq: 100 + commits };
    let mut builder = RunBuilder::begin(Arc::new(disk.clone()), Path::new("/"), plan).unwrap();
    let version = |nth: u64| Version { seq: 100 + nth, record: 9, kind: (nth % 4) as u8 };
    if commits > 0 {
        let seqs = ScopeSeqs { touched: 99 + commits, last_set: 99 + commits };
        let clears = [Mark { seq: 100, record: 12 }, Mark { seq: 99 + commits, record: 12 }];
        builder.scope("a", seqs, &clears[..clears.len().min(commits as usize)]).unwrap();
        builder.key("cursor", (0..commits).rev().map(version)).unwrap();
        for key in 1..commits.min(20) {
            builder.key(&format!("item/{key:02}"), [version(key), version(key - 1)]).unwrap();
        }
        for scope in 1..commits.min(6) {
            builder.scope(&format!("task/{scope}"), seqs, &[]).unwrap();
            builder.key("k", [version(scope)]).unwrap();
        }
    }
    builder.finish().unwrap();
    disk.file_bytes(Path::new("/000042.run")).unwrap()
}
