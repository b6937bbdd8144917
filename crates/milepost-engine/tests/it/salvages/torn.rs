//! Salvages of a store whose MANIFEST is gone: what it would have said is told by the segments, or not at all.

use std::path::{Path, PathBuf};

use milepost_io::SimDisk;
use milepost_log::{FrameView, Verdict as Fate};
use milepost_types::{
    EventRef,
    body::{Body, Thinned},
};

use super::{salvaged, world::rewrite};
use crate::{
    compaction::{DIR, Rig, place},
    scope,
};

/// What was taken out of the first segment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gone {
    Nothing,
    /// One of two events of a commit.
    Part,
    /// A commit.
    Whole,
}

/// What a crash leaves of a store of some segments, in which the fifth commit is of two events.
fn left(gone: Gone) -> (Rig, SimDisk) {
    let rig = Rig::new(78);
    for n in 0..40_u8 {
        let request = rig.store.request().set(&scope("a"), &format!("key {n:02}"), &[n; 300]).unwrap();
        let request = if n == 4 { request.set(&scope("b"), "k", b"more").unwrap() } else { request };
        rig.clock.advance(1_000_000);
        rig.store.commit(request).unwrap();
    }
    let judge = |frame: &FrameView<'_>| match gone {
        Gone::Whole if frame.seq.0 == 5 => Fate::Remove,
        Gone::Part if frame.seq.0 == 5 => {
            let body = Body::parse(frame.body).unwrap();
            let stays = |event: &EventRef<'_>| matches!(event, EventRef::Set { scope: "b", .. });
            match body.thin(&mut |found| stays(&found.event)).unwrap() {
                Thinned::Some(left) => Fate::Thinned(left),
                other => panic!("{other:?}"),
            }
        }
        Gone::Nothing | Gone::Part | Gone::Whole => Fate::Keep,
    };
    if gone != Gone::Nothing {
        rewrite(&rig.store, rig.store.segments()[0].name.id, &mut { judge });
    }
    let disk = rig.disk.kill();
    (rig, disk)
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())).collect()
}

/// What looks like the rest of a batch that nobody was told of may have been a policy, by which the rest is gone that
/// is missing: then nothing of the past is answered for. Where nothing is missing it took nothing.
#[test]
fn behind_a_torn_tail_there_may_have_been_a_policy() {
    for gone in [Gone::Nothing, Gone::Part, Gone::Whole] {
        for is_torn in [false, true] {
            let (rig, disk) = left(gone);
            disk.remove_name(&Path::new(DIR).join("MANIFEST"));
            if is_torn {
                let last = segments(&disk).pop().unwrap();
                let bytes = disk.file_bytes(&last).unwrap();
                let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
                disk.flip_bit(&last, 8 * (end + 64));
            }
            let (done, engine) = salvaged(&rig, &disk);
            let what = format!("{gone:?}, torn: {is_torn}: {done:?}");
            assert_eq!((done.torn.is_some(), done.lost.len(), done.is_end_known), (is_torn, 0, false), "{what}");
            let closed: Vec<_> = done.closed.iter().map(|of| (of.prefix.clone(), of.seq)).collect();
            let is_closed = is_torn && gone != Gone::Nothing;
            assert_eq!(closed, if is_closed { vec![(place(""), done.last.seq)] } else { vec![] }, "{what}");
            assert_eq!(engine.horizons(), done.closed, "{what}");
        }
    }
}

/// A segment that was written anew, and the file that it was made of: without MANIFEST nobody knows which counts. Of
/// each the damaged bytes are kept, also where they stand in the same place.
#[test]
fn damaged_bytes_of_two_files_of_a_segment_are_both_kept() {
    let (rig, disk) = left(Gone::Part);
    let old = Path::new(DIR).join("log/0000000001.seg");
    let (_, whole) = left(Gone::Nothing);
    disk.put_file(&old, whole.file_bytes(&old).unwrap());
    disk.remove_name(&Path::new(DIR).join("MANIFEST"));
    let files = [old, Path::new(DIR).join("log/0000000001-1.seg")];
    for file in &files {
        disk.flip_bit(file, 8 * 20);
    }
    let (done, _) = salvaged(&rig, &disk);
    assert_eq!(done.lost, []);
    for file in &files {
        let found = done.damage.iter().find(|damage| damage.place.file == *file).unwrap();
        assert_eq!((found.place.offset, found.bytes), (0, 64));
        let copy = disk.file_bytes(found.copy.as_ref().unwrap()).unwrap();
        assert_eq!(copy, disk.file_bytes(file).unwrap()[..64], "{}", file.display());
    }
}
