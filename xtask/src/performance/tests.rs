//! Rows made up by the tests: what the page makes of them.

use std::fs;

use super::{numbers::show, outdated, renew, with_tables};

fn row(figure: &str, engine: &str, median: f64, is_disturbed: bool) -> String {
    let (min, max) = (median * 0.9, median * 1.1);
    let whose = format!(r#""figure":"{figure}","engine":"{engine}","unit":"per_second""#);
    let of_row = format!(r#"{whose},"median":{median},"min":{min}"#);
    let beside = format!(r#""max":{max},"sync_p50_us":150.0,"others_percent":3.0,"disturbed":{is_disturbed}"#);
    format!(r#"{{{of_row},{beside},"curve":[[50,100.0],[99,900.0],[100,1500.0]]}}"#)
}

fn house(rows: &[String]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("docs/performance")).unwrap();
    fs::write(root.path().join("docs/performance/a.jsonl"), rows.join("\n")).unwrap();
    let page = "# Words\n\n<!-- measured: commits -->\n\nold\n<!-- end -->\n\nmore words\n";
    fs::write(root.path().join("docs/performance.md"), page).unwrap();
    root
}

#[test]
fn tables_stand_between_their_marks_and_words_around_them_stay() {
    let root = house(&[
        row("commit::single/writers=1", "milepost", 8000.0, false),
        row("commit::single/writers=1", "other", 4000.0, true),
        row("commit::single/writers=64", "milepost", 80_000.0, false),
        row("commit::single_p99/writers=64", "milepost", 900.0, false),
    ]);
    assert_eq!(
        outdated(root.path()).unwrap(),
        ["docs/performance.md", "docs/performance/writers.svg", "docs/performance/latency.svg"]
    );
    renew(root.path()).unwrap();
    assert!(outdated(root.path()).unwrap().is_empty());
    let page = fs::read_to_string(root.path().join("docs/performance.md")).unwrap();
    assert!(page.starts_with("# Words\n\n<!-- measured: commits -->\n\n| engine | 1 writer |"), "{page}");
    assert!(page.ends_with("<!-- end -->\n\nmore words\n"), "{page}");
    assert!(page.contains("| milepost | 8.00 k/s (7.20 to 8.80 k/s) |"), "{page}");
    assert!(page.contains("| other | 4.00 k/s*, 0.50 x (3.60 to 4.40 k/s) |"), "{page}");
    assert!(!page.contains("old"), "{page}");
    let plot = fs::read_to_string(root.path().join("docs/performance/writers.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.contains("milepost") && plot.contains("polyline"), "{plot}");
}

#[test]
fn the_long_haul_is_a_table_its_sums_and_a_plot() {
    let minute = |at: u32| {
        let of = r#"{"p50_us":300.0,"p99_us":900.0,"p999_us":1500.0}"#;
        format!(r#"{{"row":{{"at_s":{at},"commit":{of},"read":{of},"sync":{of}}}}}"#)
    };
    let verdict =
        r#"{"name":"files","before":11,"after":14.0,"times":1.27,"times_max":1.2,"outcome":"too_short","unit":""}"#;
    let sums = r#"{"checks":41,"kills":3,"looked_for":7,"commit":{"p999_us":22544.3},"sync":{"p999_us":33374.2}}"#;
    let lines = [r#"{"plan":{}}"#.to_owned(), minute(60), minute(120), format!(r#"{{"verdict":{verdict}}}"#)];
    let root = house(&[&lines[..], &[format!(r#"{{"haul":{sums}}}"#)]].concat());
    let page = root.path().join("docs/performance.md");
    fs::write(&page, "<!-- measured: haul -->\n<!-- end -->\n").unwrap();
    renew(root.path()).unwrap();
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("| files | 11.0 | 14.0 | 1.27 | 1.20 | too short |"), "{page}");
    assert!(page.contains("2 minutes, 3 kills; 41 answers compared, none wrong; 7 acknowledged"), "{page}");
    assert!(page.contains("was 22.5 ms, of the disk's own sync 33.4 ms."), "{page}");
    let plot = fs::read_to_string(root.path().join("docs/performance/haul.svg")).unwrap();
    assert!(plot.contains("p99.9 of a sync"), "{plot}");
}

#[test]
fn a_number_changed_by_hand_is_found() {
    let root = house(&[row("commit::single/writers=1", "milepost", 8000.0, false)]);
    renew(root.path()).unwrap();
    let page = root.path().join("docs/performance.md");
    let better = fs::read_to_string(&page).unwrap().replace("8.00 k/s", "9.00 k/s");
    fs::write(&page, better).unwrap();
    assert_eq!(outdated(root.path()).unwrap(), ["docs/performance.md"]);
}

#[test]
fn what_is_there_twice_or_is_no_row_is_refused() {
    let twice = row("a::b/c=1", "milepost", 1.0, false);
    let refused = |rows: &[String]| renew(house(rows).path()).unwrap_err();
    assert!(refused(&[twice.clone(), twice]).contains("a.jsonl:2: a::b/c=1 of milepost is there twice"));
    assert!(refused(&["{}".to_owned()]).contains("a.jsonl:1: this is no row"));
    assert!(refused(&["what".to_owned()]).contains("a.jsonl:1: "));
    for page in ["<!-- end -->\n", "<!-- measured: commits -->\n", "<!-- measured: nothing -->\n<!-- end -->\n"] {
        let table = |name: &str| if name == "commits" { Ok(String::new()) } else { Err(name.to_owned()) };
        assert!(with_tables(page, &mut { table }).is_err(), "{page}");
    }
}

#[test]
fn numbers_have_three_digits_that_count() {
    for (value, unit, text) in [
        (1_234_567.0, "per_second", "1.23 M/s"),
        (12_345.0, "per_second", "12.3 k/s"),
        (999.0, "per_second", "999 /s"),
        (0.0123, "seconds", "12.3 ms"),
        (1234.0, "microseconds", "1.23 ms"),
        (0.5, "bytes_per_user_byte", "0.50"),
        (11_700_000_000.0, "bytes", "11.7 GB"),
        (117.0, "bytes", "117 B"),
        (0.0, "seconds", "0 µs"),
    ] {
        assert_eq!(show(value, unit), text);
    }
}
