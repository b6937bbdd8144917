//! What was set as a type comes back as that type, or is refused by name.

use std::collections::HashMap;

use milepost_types::{ContentType, Scope};
use proptest::prelude::*;

use super::{Fingerprint, Typed, TypedError, TypedState};
use crate::{At, ErrorKind, SetOptions, Store};

mod first {
    use std::collections::BTreeMap;

    crate::typed_state! {
        /// How far a copy has got.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct Checkpoint = "copy.checkpoint" {
            pub(super) next: u64,
            pub(super) done: Vec<String>,
            pub(super) sizes: BTreeMap<String, u64>,
        }
    }
}

/// The same type after somebody has worked on it.
mod changed {
    use std::collections::BTreeMap;

    crate::typed_state! {
        #[derive(Debug)]
        pub(super) struct MoreFields = "copy.checkpoint" { next: u64, done: Vec<String>, sizes: BTreeMap<String, u64>, by: u8 }
    }
    crate::typed_state! {
        #[derive(Debug)]
        pub(super) struct OtherOrder = "copy.checkpoint" { done: Vec<String>, next: u64, sizes: BTreeMap<String, u64> }
    }
    crate::typed_state! {
        #[derive(Debug)]
        pub(super) struct Wider = "copy.checkpoint" { next: u128, done: Vec<String>, sizes: BTreeMap<String, u64> }
    }
    crate::typed_state! {
        #[derive(Debug)]
        pub(super) struct Renamed = "copy.checkpoint" { last: u64, done: Vec<String>, sizes: BTreeMap<String, u64> }
    }
    crate::typed_state! {
        #[derive(Debug)]
        pub(super) struct Within = "copy.checkpoint" { next: u64, done: Vec<String>, sizes: BTreeMap<String, i64> }
    }
}

crate::typed_state! {
    #[derive(Clone, Debug, PartialEq)]
    enum Outcome = "copy.outcome" { Skipped, Copied { bytes: u64 }, Failed(String, u32) }
}

crate::typed_state! {
    #[derive(Clone, Debug, PartialEq)]
    struct Report = "copy.report" {
        outcomes: HashMap<String, Outcome>,
        last: Option<Outcome>,
        wide: u128,
        pairs: Vec<(u8, [f64; 2])>,
    }
}

fn scope() -> Scope {
    Scope::parse("task/copy/0").unwrap()
}

fn checkpoint(count: u64) -> first::Checkpoint {
    first::Checkpoint {
        next: count,
        done: (0..count).map(|n| format!("part-{n:04}")).collect(),
        sizes: (0..count).map(|n| (format!("part-{n}"), n * n)).collect(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::options().segment_bytes(4096).open(dir.path().join("store")).unwrap();
    (dir, store)
}

fn refusal<T: TypedState>(store: &Store, key: &str) -> (ErrorKind, String) {
    let error = store.get_typed::<T>(&scope(), key).unwrap_err();
    (error.kind(), error.to_string())
}

/// Values lie at any address, in sealed segments and in the open one; a key of another length moves them by a byte.
#[test]
fn what_was_set_comes_back_wherever_it_lies() {
    let (_dir, store) = store();
    let (mut borrowed, mut copied) = (0, 0);
    for length in 1..200_usize {
        let (key, value) = ("k".repeat(length), checkpoint(length as u64 % 7));
        let receipt = store.set_typed(&scope(), &key, &value).unwrap();
        let found = store.get_typed::<first::Checkpoint>(&scope(), &key).unwrap().unwrap();
        assert_eq!((found.to_value(), found.seq(), found.at()), (value, receipt.seq, receipt.at));
    }
    let view = store.view(At::Latest).unwrap();
    for entry in view.scan(&scope(), "") {
        let entry = entry.unwrap();
        let found = Typed::<first::Checkpoint>::of(entry.value).unwrap();
        assert_eq!(found.to_value(), checkpoint(entry.key.as_str().len() as u64 % 7));
        let counter = if found.archived.backing_cart().copy.is_some() { &mut copied } else { &mut borrowed };
        *counter += 1;
    }
    assert!(borrowed > 0 && copied > 0, "{borrowed} borrowed, {copied} copied");
    assert!(store.get_typed::<first::Checkpoint>(&scope(), "missing").unwrap().is_none());
}

#[test]
fn nested_types_and_enums_come_back() {
    let (_dir, store) = store();
    let outcomes = [Outcome::Skipped, Outcome::Copied { bytes: 9 }, Outcome::Failed("no room".into(), 28)];
    let report = Report {
        outcomes: outcomes.iter().cloned().enumerate().map(|(n, outcome)| (n.to_string(), outcome)).collect(),
        last: Some(outcomes[2].clone()),
        wide: u128::MAX - 1,
        pairs: vec![(1, [0.5, f64::INFINITY])],
    };
    store.set_typed(&scope(), "report", &report).unwrap();
    let found = store.get_typed::<Report>(&scope(), "report").unwrap().unwrap();
    assert_eq!(found.to_value(), report);
    assert_eq!(found.outcomes.len(), 3);
    for outcome in &outcomes {
        store.set_typed(&scope(), "outcome", outcome).unwrap();
        assert_eq!(store.get_typed::<Outcome>(&scope(), "outcome").unwrap().unwrap().to_value(), *outcome);
    }
}

#[test]
fn another_type_is_refused_by_name() {
    let (_dir, store) = store();
    store.set_typed(&scope(), "k", &checkpoint(3)).unwrap();
    let (kind, text) = refusal::<Report>(&store, "k");
    assert_eq!(kind, ErrorKind::OtherType);
    assert_eq!(text, "the value of seq 1 is a copy.checkpoint, asked for was a copy.report");
    store.set(&scope(), "bytes", b"1").unwrap();
    assert_eq!(
        refusal::<Report>(&store, "bytes"),
        (ErrorKind::OtherType, "the value of seq 2 is no copy.report: it has no content type".to_owned())
    );
    let json = SetOptions { content_type: Some(ContentType::JSON), ..SetOptions::default() };
    store.commit().set_with(&scope(), "json", b"{}", &json).durable().unwrap();
    assert!(refusal::<Report>(&store, "json").1.ends_with("it has content type \"application/json\""));
}

#[test]
fn a_type_that_changed_is_refused_and_says_so() {
    let (_dir, store) = store();
    store.set_typed(&scope(), "k", &checkpoint(3)).unwrap();
    let refusals = [
        refusal::<changed::MoreFields>(&store, "k"),
        refusal::<changed::OtherOrder>(&store, "k"),
        refusal::<changed::Wider>(&store, "k"),
        refusal::<changed::Renamed>(&store, "k"),
        refusal::<changed::Within>(&store, "k"),
    ];
    let written = format!("{:016x}", first::Checkpoint::FINGERPRINT);
    for (kind, text) in refusals {
        assert_eq!(kind, ErrorKind::OtherType);
        assert!(text.contains("copy.checkpoint with other fields") && text.contains(&written), "{text}");
    }
    let found = store.get_typed::<first::Checkpoint>(&scope(), "k").unwrap().unwrap();
    assert_eq!(found.to_value(), checkpoint(3));
}

/// What stands in files: a change of how fingerprints are made would refuse every value that is there.
#[test]
fn fingerprints_are_what_they_were() {
    let found = [first::Checkpoint::FINGERPRINT, Outcome::FINGERPRINT, Report::FINGERPRINT];
    assert_eq!(
        found.map(|found| format!("{found:016x}")),
        ["1825c19a6fe7d5da", "1e628349dfb191c3", "349a2e2026797ece"]
    );
    let (_dir, store) = store();
    store.set_typed(&scope(), "k", &checkpoint(1)).unwrap();
    let value = store.get(&scope(), "k").unwrap().unwrap();
    assert_eq!(value.content_type(), Some("application/x-rkyv;type=copy.checkpoint;fingerprint=1825c19a6fe7d5da"));
}

/// Sets bytes that say that they are a checkpoint.
fn set_as_checkpoint(store: &Store, bytes: &[u8]) {
    let content_type = super::content_type_of::<first::Checkpoint>().unwrap();
    let options = SetOptions { content_type: Some(content_type), ..SetOptions::default() };
    store.commit().set_with(&scope(), "k", bytes, &options).durable().unwrap();
}

/// Every bit of an archive flipped, and every length: another value of the type, or an error; never a panic.
#[test]
fn bytes_that_are_no_value_of_the_type_are_refused() {
    let (_dir, store) = store();
    store.set_typed(&scope(), "k", &checkpoint(2)).unwrap();
    let whole = store.get(&scope(), "k").unwrap().unwrap().to_vec();
    let mut refused = 0;
    let mut check = |bytes: &[u8]| {
        set_as_checkpoint(&store, bytes);
        match store.get_typed::<first::Checkpoint>(&scope(), "k") {
            Ok(found) => drop(found.unwrap().to_value()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert!(error.to_string().contains("says that it is a copy.checkpoint, and is none"), "{error}");
                refused += 1;
            }
        }
    };
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(&bytes);
    }
    for length in 0..whole.len() {
        check(&whole[..length]);
    }
    assert!(refused > whole.len(), "only {refused}");
}

#[test]
fn an_error_names_the_commit() {
    let error = TypedError::Invalid { seq: milepost_types::Seq(7), asked: "a" };
    assert_eq!(error.to_string(), "the value of seq 7 says that it is a a, and is none");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_dir, store) = store();
        set_as_checkpoint(&store, &bytes);
        if let Ok(found) = store.get_typed::<first::Checkpoint>(&scope(), "k") {
            drop(found.unwrap().to_value());
        }
    }
}
