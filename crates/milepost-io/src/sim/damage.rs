//! Looking at a simulated disk from outside, and damaging it: what no call of a program explains.
//!
//! Invariant: none of it counts as an operation or meets a fault, and what is put on the disk here is durable at once.
//! It works with the power off as well.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    SimDisk,
    file::{FILE_BYTES_MAX, File},
    names::{FileId, Names, Node, Place, parts},
    rng::mix,
    state::{State, hash_of},
};

impl SimDisk {
    /// Every file that has a name, as calls see it; sorted.
    #[must_use]
    pub fn names(&self) -> Vec<PathBuf> {
        self.state().names.files().into_iter().map(|(path, _)| path).collect()
    }

    /// A hash over the names of all files and directories and over the bytes of every file, as calls see them. Two
    /// disks as crashes left them, with one hash, are the same to whoever opens them.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        let state = self.state();
        let mut hash = 0;
        let mut directories = vec![(hash, Names::ROOT)];
        while let Some((path, directory)) = directories.pop() {
            for (name, node) in state.names.entries(directory) {
                let place = mix(hash_of(name.as_bytes(), path));
                match node {
                    Node::File(file) => hash = mix(hash ^ hash_of(state.files[&file].content.cached(), place)),
                    Node::Dir(directory) => {
                        hash = mix(hash ^ place);
                        directories.push((place, directory));
                    }
                }
            }
        }
        hash
    }

    /// What reads of a file see.
    #[must_use]
    pub fn file_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.state();
        let file = state.file(path)?;
        Some(state.inode(file).content.cached().to_vec())
    }

    /// What the disk holds for sure under a name that it holds for sure.
    #[must_use]
    pub fn durable_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.state();
        let Ok(Node::File(file)) = state.names.find_durable(path) else { return None };
        Some(state.inode(file).content.durable_bytes().to_vec())
    }

    /// Flips a bit of a file, counted from its first byte, on the disk and for reads. Maps made before keep what they
    /// had.
    ///
    /// # Panics
    ///
    /// If there is no such file or bit.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        self.damage(path, |content| {
            assert!(bit / 8 < content.bytes() as u64, "{} has no bit {bit}", path.display());
            content.flip_bit(bit);
        });
    }

    /// Cuts a file to a size, on the disk and for reads. A shorter one stays as it is.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn truncate(&self, path: &Path, bytes: u64) {
        self.damage(path, |content| content.truncate(usize::try_from(bytes).unwrap_or(usize::MAX)));
    }

    fn damage(&self, path: &Path, damage: impl FnOnce(&mut File)) {
        let mut state = self.state();
        let file = state.file(path).unwrap_or_else(|| panic!("there is no file {}", path.display()));
        damage(&mut state.inode(file).content);
    }

    /// Puts a file there, durably, with the directories above it; one that is there gets this content.
    ///
    /// # Panics
    ///
    /// If something in the way is no directory, or is one in the file's place; or if the file is too large.
    pub fn put_file(&self, path: &Path, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        assert!(bytes.len() as u64 <= FILE_BYTES_MAX, "{} bytes are too many for a file", bytes.len());
        let content = File::durable(Arc::new(bytes.to_vec()));
        let mut state = self.state();
        let place = state.durable_place(path);
        match state.names.at(&place) {
            Some(Node::File(file)) => state.inode(file).content = content,
            Some(Node::Dir(_)) => panic!("{} is a directory", path.display()),
            None => {
                let file = state.new_file(path, content);
                let stamp = state.next_stamp();
                state.names.put(stamp, place.clone(), Node::File(file));
            }
        }
        state.names.sync_place(&place);
    }

    /// Takes a name away, durably. Open handles go on working.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn remove_name(&self, path: &Path) {
        let mut state = self.state();
        let file = state.file(path).unwrap_or_else(|| panic!("there is no file {}", path.display()));
        let place = state.durable_place(path);
        let stamp = state.next_stamp();
        state.names.take(stamp, place.clone());
        state.names.sync_place(&place);
        state.unname(file);
        state.sweep();
    }
}

impl State {
    fn file(&self, path: &Path) -> Option<FileId> {
        match self.names.find(path) {
            Ok(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    /// Where a file's name stands, in directories that are there for sure.
    fn durable_place(&mut self, path: &Path) -> Place {
        let names: Result<Vec<&str>, _> = parts(path).collect();
        let names = names.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (name, above) = names.split_last().expect("a file has a name");
        let mut directory = Names::ROOT;
        for part in above {
            let place = (directory, Arc::from(*part));
            directory = match self.names.at(&place) {
                Some(Node::Dir(directory)) => directory,
                Some(Node::File(_)) => panic!("{part} of {} is no directory", path.display()),
                None => {
                    let stamp = self.next_stamp();
                    self.names.create_dir(stamp, place.clone())
                }
            };
            self.names.sync_place(&place);
        }
        (directory, Arc::from(*name))
    }
}

#[cfg(test)]
mod tests;
