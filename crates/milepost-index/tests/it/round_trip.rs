use milepost_index::{Mark, RunBuilder, ScopeSeqs, Version};
use proptest::prelude::*;

use crate::rig::{Model, Shape, check, dir, disk, history};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_put_in_comes_out(seed: u64, events in 1..1500_usize, scopes in 1..40_usize, keys in 1..200_usize, hot in 0..16_u64) {
        let model = history(seed, Shape { events, scopes, keys, hot });
        let run = model.run(&disk(), 42);
        check(&model, &run).unwrap();
        run.verify().unwrap();
    }
}

#[test]
fn an_empty_run_is_a_run() {
    let model = Model::new(5, 9);
    let run = model.run(&disk(), 0);
    check(&model, &run).unwrap();
    run.verify().unwrap();
}

#[test]
fn one_key_scopes() {
    let mut model = Model::new(1, 3000);
    for nth in 1..=3000_u32 {
        model.put(&format!("task/{nth:05}"), "cursor", Version { seq: u64::from(nth), record: 7, kind: 0 });
    }
    let run = model.run(&disk(), 1);
    check(&model, &run).unwrap();
    run.verify().unwrap();
}

/// Lists at and beside the sizes of their groups.
#[test]
fn lists_of_every_length_near_a_group() {
    for count in [1, 2, 15, 16, 17, 18, 31, 32, 33, 34, 64, 65, 66, 127, 128, 129, 130, 2000] {
        let mut model = Model::new(10, 10 + 3 * count);
        for nth in 0..count {
            model.put("a", "k", Version { seq: 10 + 3 * nth, record: (nth % 3) as u32, kind: 0 });
        }
        let run = model.run(&disk(), 1);
        check(&model, &run).unwrap();
        run.verify().unwrap();
    }
}

/// Several versions of one commit at the border of two groups: the head of the second has the same `Seq`.
#[test]
fn groups_that_begin_inside_a_commit() {
    let mut model = Model::new(1, 100);
    for nth in 0..200_u32 {
        model.put("a", "k", Version { seq: 1 + u64::from(nth / 20), record: nth, kind: 0 });
    }
    let run = model.run(&disk(), 1);
    check(&model, &run).unwrap();
    run.verify().unwrap();
}

#[test]
fn a_scope_that_was_only_cleared() {
    let mut model = Model::new(1, 9);
    model.clear("a/b/", Mark { seq: 2, record: 0 });
    model.clear("a/b/", Mark { seq: 2, record: 9 });
    model.clear("a/b/", Mark { seq: 9, record: 1 });
    model.put("a/b", "k", Version { seq: 3, record: 0, kind: 2 });
    let run = model.run(&disk(), 1);
    check(&model, &run).unwrap();
    run.verify().unwrap();
}

/// What is out of order is a mistake of the caller, and is not written.
#[test]
fn mistakes_of_the_caller_panic() {
    type Mistake = (&'static str, fn(&mut RunBuilder));
    let mistakes: [Mistake; 9] = [
        ("a key without a scope", |builder| drop(builder.key("k", [V5]))),
        ("an empty scope", |builder| drop(builder.scope("", ScopeSeqs::default(), &[]))),
        ("a scope that is too long", |builder| drop(builder.scope(&"a".repeat(1101), ScopeSeqs::default(), &[]))),
        ("a scope twice", |builder| {
            builder.scope("a", ScopeSeqs::default(), &[]).unwrap();
            drop(builder.scope("a", ScopeSeqs::default(), &[]));
        }),
        ("an empty key", |builder| in_scope(builder, |builder| drop(builder.key("", [V5])))),
        ("keys that descend", |builder| {
            in_scope(builder, |builder| {
                builder.key("b", [V5]).unwrap();
                drop(builder.key("a", [V5]));
            });
        }),
        ("versions that ascend", |builder| {
            in_scope(builder, |builder| drop(builder.key("a", [V5, Version { seq: 6, ..V5 }])));
        }),
        ("a version outside", |builder| {
            in_scope(builder, |builder| drop(builder.key("a", [Version { seq: 11, ..V5 }])));
        }),
        ("a key without a version", |builder| {
            in_scope(builder, |builder| {
                builder.key("a", []).unwrap();
                drop(builder.key("b", [V5]));
            });
        }),
    ];
    for (what, mistake) in mistakes {
        let disk = disk();
        let plan = Model::new(1, 10).plan(1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut builder = RunBuilder::begin(std::sync::Arc::new(disk.clone()), &dir(), plan).unwrap();
            mistake(&mut builder);
        }));
        assert!(caught.is_err(), "{what}");
        assert_eq!(disk.names(), Vec::<std::path::PathBuf>::new(), "{what}");
    }
}

const V5: Version = Version { seq: 5, record: 0, kind: 0 };

fn in_scope(builder: &mut RunBuilder, then: impl FnOnce(&mut RunBuilder)) {
    builder.scope("a", ScopeSeqs::default(), &[]).unwrap();
    then(builder);
}
