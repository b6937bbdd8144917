use std::path::Path;

use super::{MANIFEST, MANIFEST_NEXT};

/// What a crash leaves of a manifest half written is told from a stranger's file by its name.
#[test]
fn the_successor_has_the_name_that_it_is_written_under() {
    assert_eq!(milepost_io::next_name(Path::new(MANIFEST)), Path::new(MANIFEST_NEXT));
}
