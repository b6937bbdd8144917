//! Nothing wrong is ever returned: with any byte changed and any file cut, the answer is right or a named error.

use milepost::{At, Store, Verdict};

use super::{Place, bytes_of, export, scope, state};

fn prepared() -> Place {
    let place = Place::new();
    let store = place.open_small();
    for i in 0..30u8 {
        store
            .commit()
            .set(&scope("a/b"), &format!("key {i}"), &[i; 200])
            .set(&scope("c"), "k", &[i])
            .durable()
            .unwrap();
    }
    store.close().unwrap();
    place
}

/// What a reader can get out of a store: all of it, or an error.
fn all(store: &Store) -> Result<(String, String), milepost::Error> {
    for commit in store.replay(milepost::Seq::FIRST) {
        commit?;
    }
    let view = store.view(At::Latest)?;
    for scope in view.scopes(&milepost::ScopePrefix::root())? {
        for entry in view.scan(&scope, "") {
            entry?;
        }
    }
    Ok((export(store), state(&view)))
}

fn check_damaged(dir: &std::path::Path, right: &(String, String), what: &str) {
    let verdict = milepost::verify(dir, &mut |_, _| ()).map(|report| report.verdict);
    let read = Store::read_only(dir).and_then(|store| all(&store));
    match &read {
        Ok(found) => {
            // A changed byte that nobody reads does no harm. A clean store's tail can't be torn.
            assert!(found == right, "{what}: a wrong answer, and no error");
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 2000 && !text.is_empty(), "{what}: {text}");
            assert!(!matches!(verdict, Ok(Verdict::Clean)), "{what}: read says {text}, verify says clean");
        }
    }
}

#[test]
fn any_byte_changed() {
    let place = prepared();
    let right = all(&Store::read_only(place.path()).unwrap()).unwrap();
    for (file, bytes) in bytes_of(&place.path()) {
        let step = if bytes.len() > 3000 { 53 } else { 2 };
        for at in (0..bytes.len()).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&file, &damaged).unwrap();
            check_damaged(&place.path(), &right, &format!("{} byte {at}", file.display()));
        }
        std::fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn any_file_cut_or_missing() {
    let place = prepared();
    let right = all(&Store::read_only(place.path()).unwrap()).unwrap();
    for (file, bytes) in bytes_of(&place.path()) {
        for length in (0..bytes.len()).step_by(37) {
            std::fs::write(&file, &bytes[..length]).unwrap();
            check_damaged(&place.path(), &right, &format!("{} cut to {length}", file.display()));
        }
        std::fs::remove_file(&file).unwrap();
        check_damaged(&place.path(), &right, &format!("{} missing", file.display()));
        std::fs::write(&file, &bytes).unwrap();
    }
}

/// FAULTS B5: a segment that is cut while the store is open is an error for the reads that need it, and for no other.
#[test]
fn a_segment_cut_under_an_open_store() {
    let place = prepared();
    let store = place.open_small();
    let is_segment = |file: &std::path::Path| file.extension().is_some_and(|extension| extension == "seg");
    let (first, whole) = bytes_of(&place.path()).into_iter().find(|(file, _)| is_segment(file)).unwrap();
    let keys: Vec<String> = (0..30).map(|i| format!("key {i}")).collect();
    let read = |key: &String| store.get(&scope("a/b"), key);
    assert!(keys.iter().all(|key| read(key).unwrap().is_some()));
    std::fs::File::options().write(true).open(&first).unwrap().set_len(0).unwrap();
    let mut refused = 0;
    for key in &keys {
        match read(key) {
            Ok(value) => assert_eq!(value.unwrap().len(), 200),
            Err(error) => {
                assert_eq!(error.kind(), milepost::ErrorKind::Corrupt);
                let (text, name) = (error.to_string(), first.file_name().unwrap().to_string_lossy().into_owned());
                assert!(text.contains("can't be read") && text.contains(&name), "{text}");
                refused += 1;
            }
        }
    }
    assert!((5..25).contains(&refused), "{refused} of 30");
    store.set(&scope("a/b"), "more", b"1").unwrap();
    assert_eq!(store.get(&scope("a/b"), "more").unwrap().as_deref(), Some(&b"1"[..]));
    std::fs::write(&first, whole).unwrap();
    assert!(keys.iter().all(|key| read(key).unwrap().is_some()), "what can be read again is read again");
}
