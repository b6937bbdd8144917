//! Values with a type: what is given out as one is one, and comes back as the same when it is written again.

use std::{collections::BTreeMap, fmt::Debug, sync::OnceLock};

use milepost::{ContentType, ErrorKind, Scope, SetOptions, Store, Typed, TypedState, Value, typed_state};

use crate::store::empty;

typed_state! {
    #[derive(Debug, PartialEq)]
    enum Outcome = "copy.outcome" {
        Skipped,
        Copied { bytes: u64 },
        Failed(String, Option<u32>),
    }
}

typed_state! {
    #[derive(Debug, PartialEq)]
    struct Copying = "copy.copying" {
        file: String,
        offset: u64,
        outcomes: BTreeMap<String, Outcome>,
        marks: Vec<(char, bool)>,
        last: Option<Box<Outcome>>,
        sum: [u8; 4],
    }
}

/// How a value is read: a byte for where it lies and what its content type is, then the value.
pub fn check(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let (content_type, value) = match how / 8 % 3 {
        0 => (genuine()[0].0.clone(), rest),
        1 => (genuine()[1].0.clone(), rest),
        _ => {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let Ok(text) = str::from_utf8(&rest[..end]) else { return };
            (text.to_owned(), rest.get(end + 1..).unwrap_or_default())
        }
    };
    let store = empty();
    let options = SetOptions { content_type: ContentType::parse(&content_type).ok(), ..SetOptions::default() };
    // Its place in the log, and so whether it lies aligned, is the key's.
    let key = &"kkkkkkkk"[..=usize::from(how % 8)];
    store.commit().set_with(&scope(), key, value, &options).durable().unwrap();
    let found = store.get(&scope(), key).unwrap().unwrap();
    read::<Copying>(&store, &found);
    read::<Outcome>(&store, &found);
}

fn read<T: TypedState + PartialEq + Debug>(store: &Store, found: &Value) {
    let typed = match Typed::<T>::of(found.clone()) {
        Ok(typed) => typed,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::OtherType | ErrorKind::Corrupt), "{error}");
            return;
        }
    };
    let value = typed.to_value();
    store.set_typed(&scope(), "again", &value).unwrap();
    let again = store.get_typed::<T>(&scope(), "again").unwrap().unwrap();
    assert_eq!(again.to_value(), value);
    let (content_type, bytes) = stored(&value);
    assert_eq!(found.content_type(), Some(&*content_type), "another type was taken for this one");
    assert_eq!(*store.get(&scope(), "again").unwrap().unwrap(), *bytes, "encoding is a function");
}

/// How a value is stored: its content type, and its bytes.
fn stored<T: TypedState>(value: &T) -> (String, Vec<u8>) {
    let store = empty();
    store.set_typed(&scope(), "k", value).unwrap();
    let found = store.get(&scope(), "k").unwrap().unwrap();
    (found.content_type().unwrap().to_owned(), found.to_vec())
}

/// A value of each type, as it is stored.
fn genuine() -> &'static [(String, Vec<u8>); 2] {
    static GENUINE: OnceLock<[(String, Vec<u8>); 2]> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let failed = || Outcome::Failed("no such file".to_owned(), Some(2));
        let outcomes = [("part-1".to_owned(), Outcome::Copied { bytes: 4096 }), ("part-2".to_owned(), failed())];
        let copying = Copying {
            file: "/data/2026-11-24/part-0041".to_owned(),
            offset: 4096,
            outcomes: outcomes.into_iter().collect(),
            marks: vec![('a', true), ('\u{1f642}', false)],
            last: Some(Box::new(Outcome::Skipped)),
            sum: [1, 2, 3, 4],
        };
        [stored(&copying), stored(&failed())]
    })
}

fn scope() -> Scope {
    Scope::parse("task/copy/0").unwrap()
}

/// A genuine value of each type; the same as a value of the other one, without a type, and of a type that has changed.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let [(copying_type, copying), (_, outcome)] = genuine();
    let with = |how: u8, value: &[u8]| [&[how][..], value].concat();
    let changed = copying_type.replace("fingerprint=", "fingerprint=0");
    vec![
        ("copying", with(0, copying)),
        ("elsewhere", with(3, copying)),
        ("outcome", with(8, outcome)),
        ("of-the-other-type", with(8, copying)),
        ("no-type", with(16, &[b"\n", &copying[..]].concat())),
        ("type-changed", with(16, &[changed.as_bytes(), b"\n", copying].concat())),
        ("cut", with(0, &copying[..copying.len() - 8])),
    ]
}
