//! What an error is called in the simulator is either met in every bounded run, or has a test of its own.

use std::collections::BTreeSet;

use super::{ELSEWHERE, EXPECTED};

/// Where errors get their names: by matches that name every variant, so a new one is a new name here.
const NAMED: [&str; 2] = [include_str!("../world.rs"), include_str!("../world/commit.rs")];

/// "Every kind of error is met or CI is red" was promised, and eight kinds of errors of opening were on no list.
#[test]
fn every_name_of_an_error_is_on_a_list() {
    let names = NAMED.iter().flat_map(|source| source.split('"')).filter(|text| text.starts_with("error/"));
    let named: BTreeSet<&str> = names.collect();
    let expected = EXPECTED.into_iter().filter(|name| name.starts_with("error/"));
    let listed: BTreeSet<&str> = expected.chain(ELSEWHERE).collect();
    assert!(named.len() > 20, "{named:?}");
    assert_eq!(named, listed);
    assert!(ELSEWHERE.iter().all(|name| !EXPECTED.contains(name)), "one list is enough");
}
