//! [`Spill`]: a section that must wait for its turn: in memory while it is small, in a file of its own from then on.
//!
//! Invariant: what is read back is what was put in: a checksum is kept while it is written and compared when it was
//! read.

use std::path::PathBuf;

use milepost_io::{DiskFile, read_exact_at, write_all_at};
use milepost_types::Corruption;

use super::files::Files;
use crate::BuildError;

/// Bytes that a section keeps in memory.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// Bytes of a section: offsets in it have 32 bits.
pub(super) const SECTION_BYTES_MAX: u64 = u32::MAX as u64;

/// A section on its way.
#[derive(Debug)]
pub(super) struct Spill {
    /// The part of the run that it is: also the name of its file.
    part: &'static str,
    /// What is not in the file yet: the end of the section.
    pub(super) buffer: Vec<u8>,
    file: Option<(Box<dyn DiskFile>, PathBuf)>,
    /// Bytes in the file.
    written: u64,
    written_crc: crc32fast::Hasher,
    /// Bytes read back.
    read: u64,
    read_crc: crc32fast::Hasher,
}

impl Spill {
    pub(super) fn new(part: &'static str) -> Spill {
        Spill {
            part,
            buffer: Vec::new(),
            file: None,
            written: 0,
            written_crc: crc32fast::Hasher::new(),
            read: 0,
            read_crc: crc32fast::Hasher::new(),
        }
    }

    /// As if so many bytes were in the file.
    #[cfg(test)]
    pub(super) fn pretend_written(&mut self, bytes: u64) {
        self.written = bytes;
    }

    /// How long the section is.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Where the section ends, as an offset in it. There is room for it: [`Spill::settle`] saw to it.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.bytes()).expect("a section is checked after every key and scope")
    }

    /// To be called after every key and scope: checks the section's size, and empties a large buffer into the file.
    pub(super) fn settle(&mut self, files: &mut Files) -> Result<(), BuildError> {
        check_room(self.part, self.bytes())?;
        if self.buffer.len() >= BUFFER_BYTES { self.flush(files) } else { Ok(()) }
    }

    fn flush(&mut self, files: &mut Files) -> Result<(), BuildError> {
        let (file, path) = match &mut self.file {
            Some(file) => file,
            none => none.insert(files.create(self.part)?),
        };
        let need = self.buffer.len() as u64;
        write_all_at(&**file, &self.buffer, self.written)
            .map_err(|short| files.failure("write", path, need, short.error))?;
        self.written_crc.update(&self.buffer);
        self.written += need;
        self.buffer.clear();
        Ok(())
    }

    /// The next bytes of the section, from its beginning on; empty behind its end. `chunk` is what they are read into.
    pub(super) fn next_chunk<'a>(
        &'a mut self,
        chunk: &'a mut Vec<u8>,
        files: &mut Files,
    ) -> Result<&'a [u8], BuildError> {
        if self.read >= self.written {
            if let Some((_, path)) = self.file.take() {
                files.remove(&path);
            }
            let rest = &self.buffer[(self.read - self.written) as usize..];
            let now = rest.len().min(BUFFER_BYTES);
            self.read += now as u64;
            return Ok(&rest[..now]);
        }
        let (file, path) = self.file.as_ref().expect("what was written is in a file");
        let left = self.written - self.read;
        chunk.resize(left.min(BUFFER_BYTES as u64) as usize, 0);
        read_exact_at(&**file, chunk, self.read).map_err(|error| files.failure("read", path, 0, error))?;
        self.read += chunk.len() as u64;
        self.read_crc.update(chunk);
        if self.read == self.written && self.read_crc.clone().finalize() != self.written_crc.clone().finalize() {
            let what = "what is read back is not what was written".to_owned();
            return Err(Corruption { file: path.clone(), offset: 0, seq: None, what }.into());
        }
        Ok(chunk)
    }
}

/// Whether a section may be so long.
pub(super) fn check_room(what: &'static str, need: u64) -> Result<(), BuildError> {
    if need > SECTION_BYTES_MAX {
        return Err(BuildError::RunFull { what, need, max: SECTION_BYTES_MAX });
    }
    Ok(())
}
