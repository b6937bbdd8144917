//! [`Map`]: the bytes of a file that nobody changes any more. All memory maps of the project are made here.
//!
//! Invariant: only a sealed file is mapped, and a mapped file is never written, cut or grown (decision record 1).

use std::{fmt, fs::File, io, ops::Deref, sync::Arc};

/// The bytes of a sealed file.
#[derive(Clone)]
pub struct Map(Source);

#[derive(Clone)]
enum Source {
    File(Arc<memmap2::Mmap>),
    Heap(Arc<Vec<u8>>),
}

impl Map {
    /// Maps a whole file for reading.
    #[expect(unsafe_code, reason = "memory maps are made in this file alone")]
    pub(crate) fn of_file(file: &File) -> io::Result<Map> {
        // SAFETY: callers of `DiskFile::map` promise that nobody changes the file any more; the log upholds it by
        // mapping sealed segments only, of a store that this process's lock or the writer's seal protects.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map(Source::File(Arc::new(map))))
    }

    /// A map of bytes that are in memory already: what the simulated disk gives.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Map {
        Map::of_shared(Arc::new(bytes))
    }

    /// A map of bytes that are shared already, without a copy.
    pub(crate) fn of_shared(bytes: Arc<Vec<u8>>) -> Map {
        Map(Source::Heap(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::File(map) => map,
            Source::Heap(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}
