//! [`Names`]: the tree of directories, as calls see it and as a power loss would leave it.
//!
//! Invariant: the durable names of a directory with the unsynced steps applied in order are the cached ones. A step is
//! atomic (a rename takes the old name and puts the new one, or does neither), and depends on the earlier ones that
//! touch a name of its own: where one of those is lost, so is the step.
//!
//! Knows nothing of the content of files.

use std::{
    collections::BTreeMap,
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// A file, whatever its names are.
pub(super) type FileId = u64;
/// A directory.
pub(super) type DirId = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(FileId),
    Dir(DirId),
}

/// A name in a directory.
pub(super) type Place = (DirId, Arc<str>);
type Entries = BTreeMap<Arc<str>, Node>;

#[derive(Clone, Debug, Default)]
struct Directory {
    cached: Arc<Entries>,
    durable: Arc<Entries>,
}

/// One unsynced change of names.
#[derive(Clone, Debug)]
struct Step {
    /// Position among all changes of the disk.
    stamp: u64,
    take: Option<Place>,
    put: Option<(Place, Node)>,
}

impl Step {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.take.iter().chain(self.put.iter().map(|(place, _)| place))
    }

    fn shares_a_place(&self, other: &Step) -> bool {
        self.places().any(|place| other.places().any(|of_other| place == of_other))
    }

    fn apply(&self, directories: &mut [Directory], entries: fn(&mut Directory) -> &mut Arc<Entries>) {
        if let Some((directory, name)) = &self.take {
            Arc::make_mut(entries(&mut directories[*directory])).remove(name);
        }
        if let Some(((directory, name), node)) = &self.put {
            Arc::make_mut(entries(&mut directories[*directory])).insert(Arc::clone(name), *node);
        }
    }
}

/// The tree of directories. Directory 0 is the root, which is always there.
#[derive(Clone, Debug)]
pub(super) struct Names {
    directories: Vec<Directory>,
    unsynced: Vec<Step>,
}

impl Names {
    pub(super) const ROOT: DirId = 0;

    pub(super) fn new() -> Names {
        Names { directories: vec![Directory::default()], unsynced: Vec::new() }
    }

    /// What a path leads to.
    pub(super) fn find(&self, path: &Path) -> io::Result<Node> {
        self.find_in(path, |directory| &directory.cached)
    }

    /// What a path leads to on the disk.
    pub(super) fn find_durable(&self, path: &Path) -> io::Result<Node> {
        self.find_in(path, |directory| &directory.durable)
    }

    fn find_in(&self, path: &Path, entries: impl Fn(&Directory) -> &Arc<Entries>) -> io::Result<Node> {
        if path.as_os_str().is_empty() {
            return Err(errno(libc::ENOENT));
        }
        let mut node = Node::Dir(Names::ROOT);
        for name in parts(path) {
            let Node::Dir(directory) = node else { return Err(errno(libc::ENOTDIR)) };
            let entries = entries(&self.directories[directory]);
            node = *entries.get(name?).ok_or_else(|| errno(libc::ENOENT))?;
        }
        Ok(node)
    }

    pub(super) fn directory(&self, path: &Path) -> io::Result<DirId> {
        match self.find(path)? {
            Node::Dir(directory) => Ok(directory),
            Node::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }

    /// Where a path's last name stands, or would stand.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let name = parts(path).last().ok_or_else(|| errno(libc::EISDIR))??;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.directory(parent)?,
            _ => Names::ROOT,
        };
        Ok((parent, name.into()))
    }

    pub(super) fn at(&self, (directory, name): &Place) -> Option<Node> {
        self.directories[*directory].cached.get(name).copied()
    }

    pub(super) fn entries(&self, directory: DirId) -> impl Iterator<Item = (&Arc<str>, Node)> {
        self.directories[directory].cached.iter().map(|(name, node)| (name, *node))
    }

    pub(super) fn put(&mut self, stamp: u64, place: Place, node: Node) {
        self.change(Step { stamp, take: None, put: Some((place, node)) });
    }

    pub(super) fn take(&mut self, stamp: u64, place: Place) {
        self.change(Step { stamp, take: Some(place), put: None });
    }

    /// Puts `node`, which stands at `from`, at `to`.
    pub(super) fn rename(&mut self, stamp: u64, from: Place, to: Place, node: Node) {
        self.change(Step { stamp, take: Some(from), put: Some((to, node)) });
    }

    /// Puts an empty directory.
    pub(super) fn create_dir(&mut self, stamp: u64, place: Place) -> DirId {
        let directory = self.directories.len();
        self.directories.push(Directory::default());
        self.put(stamp, place, Node::Dir(directory));
        directory
    }

    fn change(&mut self, step: Step) {
        step.apply(&mut self.directories, |directory| &mut directory.cached);
        self.unsynced.push(step);
    }

    /// Makes the names in a directory durable, and what they depend on.
    pub(super) fn sync(&mut self, directory: DirId) {
        self.make_durable(|place| place.0 == directory);
    }

    /// Makes one name durable, and what it depends on.
    pub(super) fn sync_place(&mut self, place: &Place) {
        self.make_durable(|other| other == place);
    }

    fn make_durable(&mut self, wanted: impl Fn(&Place) -> bool) {
        let mut due = vec![false; self.unsynced.len()];
        for (index, step) in self.unsynced.iter().enumerate().rev() {
            due[index] = step.places().any(&wanted)
                || (index + 1..due.len()).any(|later| due[later] && self.unsynced[later].shares_a_place(step));
        }
        let mut due = due.into_iter();
        for step in std::mem::take(&mut self.unsynced) {
            if due.next() == Some(true) {
                step.apply(&mut self.directories, |directory| &mut directory.durable);
            } else {
                self.unsynced.push(step);
            }
        }
    }

    /// How many steps a crash may keep or lose.
    pub(super) fn units(&self) -> usize {
        self.unsynced.len()
    }

    /// The stamp of each of them, in order.
    pub(super) fn unit_stamps(&self) -> impl Iterator<Item = u64> {
        self.unsynced.iter().map(|step| step.stamp)
    }

    /// The names after a crash that keeps the steps that `keeps` says, by stamp and index, as far as what they depend
    /// on is kept.
    pub(super) fn after_crash(&self, keeps: &mut dyn FnMut(u64, usize) -> bool) -> Names {
        let mut directories = self.directories.clone();
        let mut lost: Vec<&Step> = Vec::new();
        for (index, step) in self.unsynced.iter().enumerate() {
            let kept = keeps(step.stamp, index);
            if kept && !lost.iter().any(|lost| lost.shares_a_place(step)) {
                step.apply(&mut directories, |directory| &mut directory.durable);
            } else {
                lost.push(step);
            }
        }
        for directory in &mut directories {
            directory.cached = Arc::clone(&directory.durable);
        }
        Names { directories, unsynced: Vec::new() }
    }

    /// Files that a name stands for, or stands for on the disk, or may stand for after a crash; one may come several
    /// times.
    pub(super) fn all_files(&self) -> impl Iterator<Item = FileId> {
        let directories = self.directories.iter();
        let named = directories.flat_map(|directory| directory.cached.values().chain(directory.durable.values()));
        let stepped = self.unsynced.iter().filter_map(|step| step.put.as_ref().map(|(_, node)| node));
        named.chain(stepped).filter_map(|node| match node {
            Node::File(file) => Some(*file),
            Node::Dir(_) => None,
        })
    }

    /// Every file that can be found by its name, with its path, sorted.
    pub(super) fn files(&self) -> Vec<(PathBuf, FileId)> {
        let mut files = Vec::new();
        let mut directories = vec![(PathBuf::from("/"), Names::ROOT)];
        while let Some((path, directory)) = directories.pop() {
            for (name, node) in self.entries(directory) {
                let path = path.join(&**name);
                match node {
                    Node::File(file) => files.push((path, file)),
                    Node::Dir(directory) => directories.push((path, directory)),
                }
            }
        }
        files.sort_unstable();
        files
    }
}

/// The names of a path from the root on; a relative one begins there too.
pub(super) fn parts(path: &Path) -> impl Iterator<Item = io::Result<&str>> {
    path.components().filter_map(|component| match component {
        Component::RootDir | Component::CurDir => None,
        Component::Normal(name) => Some(name.to_str().ok_or_else(|| errno(libc::EINVAL))),
        Component::ParentDir | Component::Prefix(_) => Some(Err(errno(libc::EINVAL))),
    })
}

pub(super) fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
