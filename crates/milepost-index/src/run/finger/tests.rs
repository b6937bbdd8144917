//! Answers as a map gives them, whichever way the finger goes, and how far it goes before it gives up.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use milepost_io::SimDisk;

use super::*;
use crate::{RunBuilder, RunId, RunPlan, ScopeHash, ScopeSeqs};

/// Blocks of the scope that is asked.
const BLOCKS: usize = 280;
/// Keys of a block: of uneven length, so that they are spelled.
const BLOCK_KEYS: usize = 16;

/// The keys of a scope that has others before and behind it.
fn model() -> BTreeMap<String, Vec<Version>> {
    let key = |nth: usize| format!("{nth:05}{}", ["", "/a", "/bc"][nth % 3]);
    let version = |seq: usize| Version { seq: 1 + seq as u64, record: 9, kind: 0 };
    // Every fifth was written again.
    let versions =
        |nth: usize| if nth.is_multiple_of(5) { vec![version(nth), version(nth / 2)] } else { vec![version(nth)] };
    (0..BLOCKS * BLOCK_KEYS).map(|nth| (key(2 * nth), versions(nth))).collect()
}

fn run_of(model: &BTreeMap<String, Vec<Version>>) -> Run {
    let disk = SimDisk::new(0);
    let plan = RunPlan { store: [1; 16], id: RunId(1), first_seq: 1, last_seq: 1 + model.len() as u64 };
    let mut builder = RunBuilder::begin(Arc::new(disk.clone()), Path::new("/"), plan).unwrap();
    for scope in ["a", "job", "z"] {
        builder.scope(scope, ScopeSeqs::default(), &[]).unwrap();
        if scope == "job" {
            model.iter().for_each(|(key, versions)| builder.key(key, versions.iter().copied()).unwrap());
        } else {
            (10..60).for_each(|key| builder.key(&format!("{key}"), [Version { seq: 1, record: 0, kind: 0 }]).unwrap());
        }
    }
    let facts = builder.finish().unwrap();
    Run::open(&disk, Path::new("/"), [1; 16], &facts).unwrap()
}

fn view(run: &Run) -> ScopeView {
    let view = run.scope(ScopeHash::of(ScopeHash::seed(&[1; 16]), "job"), "job").unwrap().unwrap();
    assert_eq!(view.record.blocks as usize, BLOCKS);
    assert!(view.record.first_block > 0);
    view
}

/// The finger stands in one block, and is asked for a key of another, near or far, on this side or that: its first key,
/// its last one, one between, and those that would stand right before and behind these.
#[test]
fn a_finger_finds_what_there_is_from_wherever_it_stands() {
    let model = model();
    let run = run_of(&model);
    let (view, keys) = (view(&run), model.keys().collect::<Vec<_>>());
    let blocks = [0, 1, 2, 3, 5, 8, 40, 41, 63, 64, 65, 100, 139, 140, 200, BLOCKS - 3, BLOCKS - 2, BLOCKS - 1];
    for (from, to) in blocks.iter().flat_map(|from| blocks.map(|to| (*from, to))) {
        let mut finger = run.finger(view).unwrap();
        let begin = keys[from * BLOCK_KEYS + 3];
        assert_eq!(finger.find(begin, u64::MAX), Ok(Near::Known(Some(model[begin][0]))));
        for key in [0, 7, BLOCK_KEYS - 1].map(|nth| keys[to * BLOCK_KEYS + nth]) {
            let before = format!("{:05}", key[..5].parse::<u32>().unwrap().saturating_sub(1));
            for key in [key.clone(), format!("{key}!"), before] {
                let versions = model.get(&key).map(Vec::as_slice).unwrap_or_default();
                for seq in [u64::MAX, run.facts.last_seq / 3] {
                    let right = versions.iter().find(|version| version.seq <= seq).copied();
                    assert_eq!(finger.find(&key, seq), Ok(Near::Known(right)), "{key} as of {seq}, from block {from}");
                }
            }
        }
    }
}

/// A walk from block to block is one step each, up or down, and each key that is asked for grants one.
#[test]
fn a_finger_goes_on_to_neighbours_for_as_long_as_it_is_asked() {
    let model = model();
    let run = run_of(&model);
    let view = view(&run);
    let mut finger = run.finger(view).unwrap();
    let heads: Vec<&String> = model.keys().step_by(BLOCK_KEYS).collect();
    for key in heads.iter().chain(heads.iter().rev()) {
        assert_eq!(finger.find(key, u64::MAX), Ok(Near::Known(Some(model[*key][0]))), "{key}");
    }
    // It stands at the first block, and came from the second: back and forth between these two is no search.
    let credit = finger.credit;
    for nth in 0..10 {
        finger.find(heads[nth % 2], u64::MAX).unwrap();
    }
    assert_eq!(finger.credit, CREDIT_MAX.min(credit + 10));
}

/// Steps that double: a jump over a hundred blocks takes a dozen, and what is granted lasts for some of them.
#[test]
fn a_finger_that_jumps_far_gives_up_after_some_jumps() {
    let model = model();
    let run = run_of(&model);
    let (view, keys) = (view(&run), model.keys().collect::<Vec<_>>());
    // Always on in this direction, by another way than before: neither block is the one before.
    for (stride, is_down) in [(101, false), (101, true), (173, false)] {
        let mut finger = run.finger(view).unwrap();
        let jumps =
            (0..).map(|nth| (40 + nth * stride) % BLOCKS).map(|block| if is_down { BLOCKS - 1 - block } else { block });
        let known = jumps.take_while(|block| {
            let key = keys[block * BLOCK_KEYS + 5];
            match finger.find(key, u64::MAX).unwrap() {
                Near::Known(found) => found == Some(model[key][0]) || panic!("{key} is {found:?}"),
                Near::Far => false,
            }
        });
        let known = known.count();
        assert!((8..=16).contains(&known), "{known} jumps over {stride} blocks");
    }
}

/// Over hundreds of blocks the steps that double take twice as many as the distance has bits, in either direction: the
/// first half of them to come behind the key, the other to it.
#[test]
fn a_jump_takes_few_steps_however_far_it_is() {
    // Keys of uneven length that share next to nothing: each is in a block of its own.
    let key = |nth: u32| format!("{}{}", char::from_u32(0x80 + nth).unwrap(), "-".repeat(40 + nth as usize % 2));
    let newest = |nth: u32| Version { seq: 1 + u64::from(nth), record: 9, kind: 0 };
    let run = run_of(&(0..1900).map(|nth| (key(nth), vec![newest(nth)])).collect());
    let view = run.scope(ScopeHash::of(ScopeHash::seed(&[1; 16]), "job"), "job").unwrap().unwrap();
    assert_eq!(view.record.blocks, 1900);
    for (from, to) in [(0, 1899), (1899, 0), (5, 1500), (1500, 5), (1000, 1003), (1003, 1000), (7, 8), (8, 7)] {
        let mut finger = run.finger(view).unwrap();
        finger.find(&key(from), u64::MAX).unwrap();
        finger.credit = CREDIT_MAX;
        assert_eq!(finger.find(&key(to), u64::MAX), Ok(Near::Known(Some(newest(to)))), "{from} to {to}");
        let (steps, bits) = (CREDIT_MAX - finger.credit, u32::BITS - from.abs_diff(to).leading_zeros());
        assert!(steps <= 2 * bits, "{steps} steps from {from} to {to}");
    }
}

/// The ends of what it may hold are those of the scope, both included.
#[test]
fn a_range_that_misses_the_scope_is_told_apart() {
    let model = model();
    let run = run_of(&model);
    let finger = run.finger(view(&run)).unwrap();
    let (first, last) = (model.keys().next().unwrap(), model.keys().next_back().unwrap());
    assert!(finger.may_hold_any("", "~") && finger.may_hold_any("03", "04"));
    assert!(finger.may_hold_any("", first) && finger.may_hold_any(first, first));
    assert!(!finger.may_hold_any("", &first[..first.len() - 1]));
    assert!(finger.may_hold_any(last, "~") && finger.may_hold_any(last, last));
    assert!(!finger.may_hold_any(&format!("{last}!"), "~"));
}
