//! `milepost compact`: what retention does not keep leaves the files, and the rest answers as before.

use super::world::World;

#[test]
fn what_is_not_kept_leaves_the_files() {
    let world = World::new();
    world.ok(["retain", "set", "task", "--last", "1"]);
    let line = |n: u32| {
        format!("{{\"events\":[{{\"event\":\"set\",\"scope\":\"task/a\",\"key\":\"wm\",\"value\":\"at-{n}\"}}]}}\n")
    };
    let lines: String = (1..=50).map(line).collect();
    assert_eq!(world.feed(["append"], lines.as_bytes()).code, Some(0));
    let planned = world.ok(["compact", "--dry-run", "-o", "csv"]);
    assert!(planned.contains("0000000001,open,1,51,51,"), "{planned}");
    assert!(!world.files_with("at-17").is_empty());
    let done = world.ok(["compact", "-o", "jsonl"]);
    assert!(done.starts_with(r#"{"dropped":0,"rewritten":1,"made_cold":0,"bytes_before":"#), "{done}");
    assert_eq!(world.files_with("at-17"), Vec::<String>::new());
    assert_eq!(world.ok(["get", "task/a", "wm"]), "at-50");
    let refused = world.run(["get", "task/a", "wm", "--at", "17"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("is kept from commit 51 on"), "{refused:?}");
    assert!(world.ok(["verify"]).starts_with("clean: 2 commits"));
    let export = world.ok(["export"]);
    let gap = export.lines().find(|line| line.starts_with(r#"{"removed":{"first":2,"first_at":""#));
    assert!(gap.is_some_and(|gap| gap.contains(r#","last":50,"last_at":""#)), "{export}");
    assert_eq!(world.ok(["compact", "-o", "csv"]).lines().nth(1), Some("0,0,0,0,0,0"), "nothing is left to do");
}

#[test]
fn it_can_be_watched() {
    let world = World::new();
    world.ok(["retain", "set", "task", "--last", "1"]);
    let line = |n: u32| {
        format!("{{\"events\":[{{\"event\":\"set\",\"scope\":\"task/a\",\"key\":\"wm\",\"value\":\"at-{n}\"}}]}}\n")
    };
    let lines: String = (1..=99).map(line).collect();
    assert_eq!(world.feed(["append"], lines.as_bytes()).code, Some(0));
    let number = |text: &str, name: &str| -> f64 {
        let found = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name}: {text}")).1;
        found.split([',', '}']).next().unwrap().parse().unwrap()
    };
    // What was appended in one opening, and what was written for it.
    let stats = world.ok(["stats", "-o", "jsonl"]);
    let of = |name| number(&stats, name);
    assert!(of("appended_bytes") > 99.0 * 30.0 && of("written_log_bytes") >= of("appended_bytes"), "{stats}");
    let written = of("written_log_bytes") + of("written_index_bytes") + of("written_other_bytes");
    assert!((of("write_amplification") - written / of("appended_bytes")).abs() < 1e-9, "{stats}");
    assert!(stats.contains(r#""horizons":[]"#), "nothing was compacted: {stats}");

    let planned = world.ok(["stats", "--segments", "-o", "jsonl"]);
    let of = |name| number(&planned, name);
    assert_eq!((of("stays"), of("goes"), planned.lines().count()), (2.0, 98.0, 1), "the policy stays: {planned}");
    assert!(of("live_bytes") + of("dead_bytes") == of("bytes") && of("dead_bytes") > of("bytes") * 0.9, "{planned}");
    assert_eq!(world.ok(["compact", "--dry-run", "-o", "jsonl"]), planned);
    let table = world.ok(["stats", "--segments"]);
    let last = table.lines().last().unwrap();
    assert!(last.starts_with("all ") && last.contains(&format!("{} bytes go", of("dead_bytes"))), "{table}");

    world.ok(["compact"]);
    let after = world.ok(["stats", "--segments", "-o", "jsonl"]);
    assert_eq!(number(&after, "dead_bytes"), 0.0, "{after}");
    let stats = world.ok(["stats", "-o", "jsonl"]);
    assert!(stats.contains(r#""horizons":[{"#) && stats.contains(r#""prefix":"task","seq":100}"#), "{stats}");
    // This opening appended nothing, and wrote all the same.
    assert!(number(&stats, "appended_bytes") == 0.0 && number(&stats, "written_log_bytes") > 0.0, "{stats}");
    assert!(!stats.contains("write_amplification"), "{stats}");
    let table = world.ok(["stats"]);
    assert!(table.lines().any(|line| line.starts_with("horizon ") && line.contains("task commit 100 (")), "{table}");
}

#[test]
fn what_was_erased_is_in_no_file_after_it() {
    let world = World::new();
    world.ok(["set", "user/17", "mail", "ann@example.org"]);
    world.ok(["set", "user/17", "name", "Ann"]);
    world.ok(["erase", "user/17", "mail"]);
    assert!(!world.files_with("ann@example.org").is_empty());
    world.ok(["compact"]);
    assert_eq!(world.files_with("ann@example.org"), Vec::<String>::new());
    assert_eq!(world.ok(["get", "user/17", "name"]), "Ann");
    let log = world.ok(["log", "user/17", "--kind", "erase", "-o", "jsonl"]);
    assert!(log.contains("\"mail\"") && !log.contains("example.org"), "{log}");
}

/// A program learns from the answer what was erased, and where else it may be.
#[test]
fn an_erasure_tells_programs_what_it_took() {
    let world = World::new();
    world.ok(["set", "user/17", "mail", "ann@example.org"]);
    world.ok(["backup", "create", "backups"]);
    let place = world.dir().join("backups").canonicalize().unwrap().display().to_string();
    let told: serde_json::Value = serde_json::from_str(&world.ok(["erase", "user/17", "mail", "-o", "jsonl"])).unwrap();
    assert_eq!((&told["values"], &told["bytes"]), (&1.into(), &15.into()), "{told}");
    assert_eq!(told["not_covered"], serde_json::json!([place]), "{told}");
    let csv = world.ok(["erase", "user/17", "-o", "csv"]);
    let (head, row) = csv.split_once('\n').unwrap();
    assert_eq!(head, "seq,at,values,bytes,unreadable,not_covered");
    assert!(row.contains(",\"[\"\"") && row.contains(&place), "{csv}");
    let ran = world.run(["erase", "user", "--with-below"]);
    assert!(ran.stderr.contains(&format!("backups in {place} are not covered")), "{ran:?}");
}

#[test]
fn what_is_made_cold_answers_as_before() {
    let world = World::new();
    let line = |n: u32| {
        let value = format!("{{\\\"at\\\":{n},\\\"status\\\":\\\"finished\\\"}}");
        format!("{{\"events\":[{{\"event\":\"set\",\"scope\":\"task/a\",\"key\":\"wm\",\"value\":\"{value}\"}}]}}\n")
    };
    let lines: String = (1..=300).map(line).collect();
    assert_eq!(world.feed(["append"], lines.as_bytes()).code, Some(0));
    let before = world.ok(["export"]);
    let done = world.ok(["compact", "--cold", "-o", "jsonl"]);
    assert!(done.starts_with(r#"{"dropped":0,"rewritten":1,"made_cold":1,"bytes_before":"#), "{done}");
    // The first of a block may stand in it as it is.
    let bytes: Vec<u64> =
        done.split(',').filter_map(|field| field.split_once("\"bytes_")?.1.split_once(':')?.1.parse().ok()).collect();
    assert!(matches!(bytes[..], [before, after] if after * 2 < before), "it is compressed: {done}");
    assert_eq!(world.ok(["export"]), before);
    assert_eq!(world.ok(["get", "task/a", "wm", "--at", "17"]), r#"{"at":17,"status":"finished"}"#);
    assert!(world.ok(["verify"]).starts_with("clean: 300 commits"));
    let stats = world.ok(["stats", "-o", "csv"]);
    assert!(stats.contains("cold_segments,1"), "{stats}");
    let listed = world.ok(["compact", "--dry-run", "-o", "csv"]);
    assert!(listed.contains("0000000001-1,cold,1,300,300,"), "{listed}");
    // By age, as it is said of the root.
    let refused = world.run(["retain", "set", "task", "--cold", "7d"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("of / alone, and not of task"), "{refused:?}");
    world.ok(["retain", "set", "/", "--everything", "--cold", "7d"]);
    assert!(world.ok(["retain", "explain", "/"]).contains("keep everything, cold after 7d"));
}
