use std::collections::HashMap;

use super::History;

/// The formula, against a replay of what `write` commits.
#[test]
fn version_at_every_commit() {
    let history = History { blocks: 3, versions: 4 };
    let (mut seq, mut versions) = (0, HashMap::new());
    for version in 0..history.versions {
        for block in 0..history.blocks {
            seq += 1;
            versions.insert(block, version);
            for (&block, &version) in &versions {
                for key in [block * 1000, block * 1000 + 999] {
                    assert_eq!(history.version_at(key, seq), version, "key {key} at {seq}");
                }
            }
        }
    }
    assert_eq!(seq, history.commits());
}
