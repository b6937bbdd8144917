//! What of a block is kept by whoever keeps a part of it.

use super::*;

#[test]
fn what_is_small_does_not_keep_the_block() {
    let block: Arc<[u8]> = (0..100).collect();
    for (given, range, keeps_block) in [
        (0..100, 0..100, true),
        (0..100, 0..50, true),
        (0..100, 50..100, true),
        (0..100, 0..49, false),
        (10..90, 5..60, true),
        (10..90, 5..54, false),
        (10..90, 7..8, false),
        (0..100, 3..3, false),
    ] {
        let (kept, at) = BodyPart::share((&block, &given), range.clone());
        let begin = given.start + range.start;
        assert_eq!(kept[at as usize..][..range.len()], block[begin..][..range.len()], "{range:?} of {given:?}");
        assert_eq!(Arc::ptr_eq(&kept, &block), keeps_block, "{range:?} of {given:?}");
        assert!(keeps_block || kept.len() == range.len());
    }
}
