//! A salvage of a store in which the end of what was kept is lost.

use std::{path::Path, sync::Arc};

use milepost_engine::{CommitError, Engine, NoFork, Parts, ReadError, Refusal, Settings, salvage};
use milepost_io::{Process, SimEntropy};
use milepost_types::{At, CheckpointName, Event, Policy};

use super::{DIR, Rig};
use crate::scope;

/// What a checkpoint names can be read from before the horizon, for as long as it is not released. Its release was
/// lost, by damage, and of what it had named a part was gone: the salvaged store told the rest for the whole.
#[test]
fn a_checkpoint_whose_release_may_be_lost_is_refused() {
    let rig = Rig::new(31);
    let (of, name) = (scope("a"), || CheckpointName::parse("named").unwrap());
    let commit = |events: &[Event], filler: &str| {
        let mut request = rig.store.request();
        events.iter().for_each(|event| request.add_event(event).unwrap());
        // What stays: of the segment less than a third goes, so it is not written anew.
        for n in 0..6 {
            request = request.set(&scope("filler"), &format!("{filler}/{n}"), &[b'='; 550]).unwrap();
        }
        rig.store.commit(request).unwrap().seq
    };
    rig.retain("", Policy::default().keep_last(1));
    rig.set("a", "k", &[b'2'; 3000]);
    let point = commit(&[Event::Checkpoint { scope: of.clone(), name: name(), note: None }], "first");
    rig.set("a", "k", &[b'4'; 3000]);
    let release = commit(&[Event::Release { scope: of.clone(), name: name() }], "second");
    rig.set("a", "other", &[b'6'; 3000]);
    assert!(matches!(rig.store.view(At::checkpoint(&of, "named")), Err(ReadError::NoCheckpoint { .. })));
    while rig.store.step_compact().unwrap() || rig.store.step_recycle() {}
    assert_eq!(super::files_with(&rig.disk, &[b'2'; 3000]), [""; 0]);
    rig.store.close().unwrap();
    let key = format!("second/{}", 0);
    let file = super::files_with(&rig.disk, key.as_bytes()).into_iter().find(|file| file.ends_with(".seg")).unwrap();
    let bytes = rig.disk.file_bytes(Path::new(&file)).unwrap();
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
    rig.disk.flip_bit(Path::new(&file), 8 * at as u64);

    let parts = Parts {
        disk: Arc::new(rig.disk.clone()),
        clock: Arc::clone(&rig.clock) as _,
        entropy: Arc::new(SimEntropy::new(9)),
        process: Process::simulated(),
    };
    let into = Path::new("/saved");
    let done = salvage(parts.clone(), Path::new(DIR), into, Settings::default(), &mut |_, _| {}).unwrap();
    assert_eq!(done.lost.iter().map(|lost| (lost.first, lost.last)).collect::<Vec<_>>(), [(release, release)]);
    let saved = Engine::open(parts, into, Settings::default()).unwrap();
    let view = saved.view(At::checkpoint(&of, "named")).unwrap();
    assert_eq!(view.seq(), point);
    let told = view.get("a", "k");
    assert!(matches!(told, Err(ReadError::BeforeHorizon { .. })), "{told:?}");
    let fork = Event::Fork { scope: scope("fork"), origin: of, point };
    let mut request = saved.request();
    request.add_event(&fork).unwrap();
    match saved.commit(request) {
        Err(CommitError::Refused(refusal)) => {
            assert!(matches!(*refusal, Refusal::Fork { why: NoFork::BeforeHorizon { .. }, .. }), "{refusal:?}");
        }
        other => panic!("{other:?}"),
    }
    saved.close().unwrap();
}
