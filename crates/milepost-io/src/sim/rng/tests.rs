use super::*;

/// A failing seed that is written into a test must go on failing in the same way.
#[test]
fn the_choices_of_a_seed_never_change() {
    let mut rng = SimRng::new(0);
    assert_eq!([rng.bits(), rng.bits()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    let mut rng = SimRng::new(42);
    assert_eq!(rng.clone().bits(), rng.bits());
    assert_ne!(SimRng::new(1).bits(), SimRng::new(2).bits());
}

#[test]
fn a_number_below_an_end_is_below_it_and_reaches_all() {
    let mut rng = SimRng::new(7);
    let mut seen = [0; 5];
    for _ in 0..1000 {
        seen[rng.index(5)] += 1;
    }
    assert!(seen.iter().all(|count| (140..260).contains(count)), "{seen:?}");
    assert_eq!((rng.below(0), rng.below(1), rng.index(0)), (0, 0, 0));
    let heads = (0..1000).filter(|_| rng.coin()).count();
    assert!((440..560).contains(&heads), "{heads}");
}

#[test]
fn a_source_apart_does_not_depend_on_what_follows() {
    let (mut one, mut other) = (SimRng::new(3), SimRng::new(3));
    let (mut of_one, mut of_other) = (one.apart(), other.apart());
    one.bits();
    assert_eq!(of_one.bits(), of_other.bits());
}

#[test]
fn a_clone_of_entropy_draws_from_the_same_source() {
    let entropy = SimEntropy::new(5);
    let same = entropy.clone();
    let (mut first, mut second) = ([0; 11], [0; 11]);
    entropy.fill(&mut first);
    same.fill(&mut second);
    assert_ne!(first, second);
    let again = SimEntropy::new(5);
    for expected in [first, second] {
        let mut found = [0; 11];
        again.fill(&mut found);
        assert_eq!(found, expected);
    }
}
