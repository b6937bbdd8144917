//! Opening a run: header, meta and the table of page checksums are read; no page of a section is.
//!
//! Invariant: a file that is not the one its facts tell of is refused: cut, damaged, an older or a newer copy, another
//! run or another store's.

use std::{ops::Range, path::Path};

use milepost_io::{Disk, Map, OpenMode};
use milepost_types::{Corruption, Seq};

use super::{Run, RunFacts};
use crate::{
    OpenRunError, RunId,
    format::{
        PAGE_BYTES,
        header::{FORMAT_VERSION, HeaderFault, RUN_HEADER_BYTES, RunHeader},
        meta::{TRAILER_BYTES, Tail},
    },
    pages::Pages,
};

impl Run {
    /// Opens a run in the directory of runs. `facts` are what [`crate::RunBuilder::finish`] gave.
    ///
    /// Costs the reading of a thousandth of the file.
    pub fn open(disk: &dyn Disk, dir: &Path, store: [u8; 16], facts: &RunFacts) -> Result<Run, OpenRunError> {
        let path = facts.id.path(dir);
        let file = disk.open(&path, OpenMode::Read).map_err(OpenRunError::io("open", &path))?;
        let bytes = file.bytes().map_err(OpenRunError::io("read the size of", &path))?;
        if bytes == 0 {
            return Err(corrupt(&path, 0, facts, "the file is empty"));
        }
        let map = file.map().map_err(OpenRunError::io("map", &path))?;
        Run::read(&path, map, store, facts)
    }

    /// Opens a run from the bytes of its whole file.
    pub fn read(path: &Path, map: Map, store: [u8; 16], facts: &RunFacts) -> Result<Run, OpenRunError> {
        let end = map.len();
        map.is_read_at_random();
        map.will_need(0..RUN_HEADER_BYTES);
        // Four bytes for each page stand there, and little else.
        map.will_need(end.saturating_sub(end / PAGE_BYTES * 4 + PAGE_BYTES)..end);
        check_readable(path, &map, 0..RUN_HEADER_BYTES, facts)?;
        check_readable(path, &map, end.saturating_sub(TRAILER_BYTES)..end, facts)?;
        check_readable(path, &map, Tail::begins_at(&map).unwrap_or(end)..end, facts)?;
        let header = RunHeader::decode(&map).map_err(|fault| match fault {
            HeaderFault::Newer { found } => OpenRunError::NewerFormat {
                file: path.to_owned(),
                found: u32::from(found),
                supported: u32::from(FORMAT_VERSION),
            },
            HeaderFault::Short | HeaderFault::Magic | HeaderFault::Crc | HeaderFault::Content => {
                corrupt(path, 0, facts, &fault.to_string())
            }
        })?;
        if header.store != store {
            return Err(OpenRunError::OtherStore { file: path.to_owned() });
        }
        if header.id != facts.id.0 {
            return Err(OpenRunError::Misnamed { file: path.to_owned(), found: RunId(header.id) });
        }
        let other_copy = |what| OpenRunError::OtherCopy { file: path.to_owned(), what };
        if (header.first_seq, header.last_seq) != (facts.first_seq, facts.last_seq) {
            let found = format!("it covers seq {} to {}", header.first_seq, header.last_seq);
            return Err(other_copy(format!("{found}, expected was {} to {}", facts.first_seq, facts.last_seq)));
        }
        let tail = Tail::decode(&map).map_err(|fault| {
            let cut = (map.len() as u64) < facts.bytes;
            let what = if cut { format!("{fault}: {} of {} bytes", map.len(), facts.bytes) } else { fault.to_string() };
            corrupt(path, map.len() as u64, facts, &what)
        })?;
        if (map.len() as u64, tail.crc) != (facts.bytes, facts.crc) {
            let found = format!("it has {} bytes with checksum {:08x}", map.len(), tail.crc);
            return Err(other_copy(format!("{found}, expected were {} with {:08x}", facts.bytes, facts.crc)));
        }
        let (path, facts, meta) = (path.to_owned(), *facts, tail.meta);
        let (key_shape, scope_shape) = (meta.key_shape(), meta.scope_shape());
        Ok(Run { path, facts, store, pages: Pages::new(map, &tail), meta, key_shape, scope_shape })
    }
}

fn check_readable(path: &Path, map: &Map, range: Range<usize>, facts: &RunFacts) -> Result<(), OpenRunError> {
    map.check_readable(range).map_err(|fault| corrupt(path, fault.at as u64, facts, &fault.to_string()))
}

fn corrupt(path: &Path, offset: u64, facts: &RunFacts, what: &str) -> OpenRunError {
    let (file, seq) = (path.to_owned(), Some(Seq(facts.first_seq)));
    Corruption { file, offset, seq, what: what.to_owned() }.into()
}
