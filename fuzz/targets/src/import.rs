//! Any lines as an import: they are a store, or it is said why not. What a store of them exports is taken again, and is
//! the same to the byte.

use std::path::Path;

use milepost::{Import, Store, json};
use milepost_engine::{Engine, Settings, Threads, Verdict};
use milepost_sim::{machine::Machine, world::BEGINNING};
use milepost_types::Seq;

const SEGMENT_BYTES: u32 = 4 << 10;

/// Lines of any bytes.
pub fn check(bytes: &[u8]) {
    let Some(exported) = imported(bytes) else { return };
    assert_eq!(imported(&exported).as_ref(), Some(&exported), "an export is imported as it is");
}

/// What the store that these lines make exports; `None` if they make none.
fn imported(lines: &[u8]) -> Option<Vec<u8>> {
    let machine = Machine::new(7, SEGMENT_BYTES, BEGINNING);
    let dir = Path::new("/import");
    let settings = Settings { threads: Threads::Stepped, segment_bytes: SEGMENT_BYTES, ..Settings::default() };
    let mut import = Import::begin_with(machine.parts(), dir, settings).unwrap();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if import.line(line).is_err() {
            drop(import);
            assert!(Engine::open_read_only(machine.parts(), dir).is_err(), "what is not finished can be opened");
            return None;
        }
    }
    import.finish().ok()?;
    let report = milepost_engine::verify(&machine.parts().disk, dir, &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Clean);
    let store = Store::over(Engine::open_read_only(machine.parts(), dir).unwrap());
    let mut exported = Vec::new();
    for commit in store.replay(Seq::FIRST) {
        json::write_commit(&mut exported, &commit.unwrap());
        exported.push(b'\n');
    }
    // What is read of it ends, whatever it was forked from.
    let now = store.view(milepost::At::Latest).unwrap();
    for scope in now.scopes(&milepost::ScopePrefix::root()).unwrap() {
        assert!(now.scan(&scope, "").all(|entry| entry.is_ok()));
    }
    Some(exported)
}
