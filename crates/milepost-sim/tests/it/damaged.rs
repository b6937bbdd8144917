use std::path::Path;

use milepost_sim::{
    coverage::Coverage,
    damage::{Found, Left, Specimen, is_index, says_nothing},
    histories,
};

fn specimens() -> [Specimen; 4] {
    [Left::Closed, Left::Killed, Left::Cold, Left::Thinned].map(|left| match Specimen::new(7, left) {
        Ok(specimen) => specimen,
        Err(wrong) => panic!("{wrong}"),
    })
}

fn right<T>(outcome: Result<T, milepost_sim::check::Disagreement>) -> T {
    outcome.unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Bits of a long value are all alike; of those, one in this many is flipped.
fn step_at(bytes: &[u8], byte: usize) -> usize {
    let around = &bytes[byte.saturating_sub(8)..(byte + 8).min(bytes.len())];
    if around.iter().all(|other| *other == bytes[byte]) { 509 } else { 1 }
}

#[test]
fn an_intact_store_says_everything() {
    for specimen in specimens() {
        right(specimen.intact());
    }
}

/// FAULTS D1: any bit of any file.
#[test]
fn a_flipped_bit_is_named_or_harmless() {
    for specimen in specimens() {
        let mut refused = 0;
        for file in 0..specimen.files().len() {
            let bytes = &specimen.files()[file].1;
            let mut bit = 0;
            while bit < bytes.len() * 8 {
                if right(specimen.flip(file, bit)) == Found::Refused {
                    refused += 1;
                }
                // Of the largest one a bit of each byte: `milepost-sim reliability` takes all.
                let each = if specimen.left() == Left::Thinned { 9 } else { 1 };
                bit += step_at(bytes, bit / 8).max(each);
            }
        }
        assert!(refused > 1_000, "{:?}: only {refused} bits were seen", specimen.left());
    }
}

/// FAULTS D2: every length of every file.
#[test]
fn a_cut_file_is_torn_or_named() {
    for specimen in specimens() {
        for file in 0..specimen.files().len() {
            let (path, bytes) = &specimen.files()[file];
            let mut length = 0;
            while length < bytes.len() {
                let found = right(specimen.cut(file, length));
                let says_nothing = says_nothing(path);
                let was_ahead =
                    path.extension() == Some("seg".as_ref()) && bytes[length..].iter().all(|byte| *byte == 0);
                assert!(
                    says_nothing
                        || was_ahead
                        || is_index(path)
                        || found != Found::Whole
                        || specimen.left() == Left::Killed,
                    "{path:?} cut to {length}"
                );
                // Of room that is held every length is the same but the first few.
                length += if says_nothing && length > 100 { 8192 } else { step_at(bytes, length).min(97) };
            }
        }
    }
}

/// FAULTS D4: each file missing.
#[test]
fn a_missing_file_is_named() {
    for specimen in specimens() {
        for file in 0..specimen.files().len() {
            let path = &specimen.files()[file].0;
            let found = right(specimen.lose(file));
            let harmless = says_nothing(path) || is_index(path);
            assert_eq!(found == Found::Refused, !harmless, "{path:?} missing: {found:?}");
        }
    }
}

/// FAULTS D5: each file from an older copy, from another store, or under the name of another file.
#[test]
fn a_file_of_another_time_or_store_is_refused() {
    let other = right(Specimen::new(8, Left::Closed));
    for specimen in specimens() {
        let mut refused = 0;
        let older = specimen.older().iter().map(|file| (file, "an older copy"));
        let foreign = other.files().iter().map(|file| (file, "another store"));
        for ((path, bytes), whose) in older.chain(foreign) {
            let here = specimen.files().iter().find(|(here, _)| here == path);
            let Some((_, present)) = here.filter(|(_, present)| present != bytes) else { continue };
            let found = right(specimen.swap(path, bytes, whose));
            if says_nothing(path) || is_index(path) {
                assert_eq!(found, Found::Whole);
            } else if whose == "another store" {
                assert_eq!(found, Found::Refused, "{path:?} of {whose}, {} bytes", present.len());
            }
            refused += usize::from(found == Found::Refused);
        }
        let segments: Vec<_> =
            specimen.files().iter().filter(|(path, _)| path.extension() == Some("seg".as_ref())).collect();
        for (path, _) in &segments {
            for (elsewhere, bytes) in segments.iter().filter(|(other, _)| other != path) {
                let whose = Path::new(elsewhere).display().to_string();
                assert_eq!(right(specimen.swap(path, bytes, &whose)), Found::Refused, "{path:?} as {whose}");
                refused += 1;
            }
        }
        assert!(refused > 5, "{:?}: only {refused} refused", specimen.left());
    }
}

/// FAULTS D5, for blocks: two histories of one store in one segment. The chain between frames keeps them apart.
#[test]
fn blocks_of_two_histories_never_make_a_third() {
    let mut coverage = Coverage::default();
    for seed in 0..12 {
        right(histories::check(seed, &mut coverage));
    }
    assert!(coverage.count("damage/blocks of two histories") > 100);
}
