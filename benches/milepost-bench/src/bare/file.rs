//! [`BareFile`]: a prefilled file that is written round and round.
//!
//! Invariant: no write grows the file, so an fdatasync has no size to make durable. Going round is what a log with
//! recycled segments does; the blocks under the write are always allocated and written.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// A file of real zeros, and where the next write goes.
pub(crate) struct BareFile {
    file: File,
    bytes: u64,
    offset: u64,
}

impl BareFile {
    /// Creates the file, writes its zeros and syncs them and its name.
    pub(crate) fn create(path: &Path, bytes: u64) -> io::Result<BareFile> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        let mut offset = 0;
        while offset < bytes {
            let part = (bytes - offset).min(1 << 20);
            file.write_all_at(&zeros[..part as usize], offset)?;
            offset += part;
        }
        file.sync_all()?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(BareFile { file, bytes, offset: 0 })
    }

    /// One write, from the start again when the end is reached.
    pub(crate) fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let len = batch.len() as u64;
        if len > self.bytes {
            return Err(io::Error::other(format!("batch of {len} bytes, file of {}", self.bytes)));
        }
        if self.offset + len > self.bytes {
            self.offset = 0;
        }
        self.file.write_all_at(batch, self.offset)?;
        self.offset += len;
        Ok(())
    }

    /// One fdatasync.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Appends a frame of the payload's parts: length, CRC32, payload.
pub(crate) fn push_frame(buffer: &mut Vec<u8>, parts: &[&[u8]]) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 8]);
    for part in parts {
        buffer.extend_from_slice(part);
    }
    let payload = &buffer[start + 8..];
    let (len, crc) = (payload.len() as u32, crc32fast::hash(payload));
    buffer[start..start + 4].copy_from_slice(&len.to_le_bytes());
    buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}
