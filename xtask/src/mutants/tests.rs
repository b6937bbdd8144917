//! A program with its mutants in it, built by the real compiler: off it means what it meant, on what the mutant says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::{
    list::{self, Mutant},
    place,
    render::{arm_after, mutants_at, render},
};

const PROGRAM: &str = r#"
#[derive(Debug, Clone, Copy)]
struct Point { x: u32, y: u32 }
const BASE: Point = Point { x: 7, y: 9 };
fn sum(a: u32, b: u32, c: u32) -> u32 {
    a + b * c
}
fn named(n: u32) -> &'static str {
    match n {
        0 => "none",
        few if few < 3 => "few",
        _ => "many",
    }
}
fn is_odd(n: u32) -> bool {
    !(n % 2 == 0)
}
fn at(x: u32) -> Point {
    Point { x: x, ..BASE }
}
fn main() {
    let mut total = 1;
    total += 4;
    print!("{} {} {} {} {} {} {total}", sum(2, 3, 4), named(0), named(2), named(5), is_odd(3), at(1).x);
}
"#;

/// A mutant of the program, by what stands where it begins.
fn mutant(id: u64, genre: &str, begins: &str, replacement: &str) -> Mutant {
    let at = PROGRAM.find(begins).unwrap_or_else(|| panic!("{begins}"));
    let line = PROGRAM[..at].matches('\n').count() + 1;
    let column = at - PROGRAM[..at].rfind('\n').map_or(0, |end| end + 1) + 1;
    let row = json!({
        "name": format!("{id}"), "file": "main.rs", "package": "milepost-types", "genre": genre,
        "replacement": replacement, "span": { "start": { "line": line, "column": column } },
    });
    list::parse(u32::try_from(id).unwrap(), &row).unwrap()
}

fn mutants() -> Vec<Mutant> {
    vec![
        mutant(1, "FnValue", "a + b * c", "0"),
        mutant(2, "BinaryOperator", "+ b * c", "-"),
        mutant(3, "BinaryOperator", "* c", "+"),
        mutant(4, "MatchArm", "0 => \"none\"", ""),
        mutant(5, "MatchArmGuard", "few < 3", "true"),
        mutant(6, "MatchArmGuard", "few < 3", "false"),
        mutant(7, "BinaryOperator", "< 3", ">"),
        mutant(8, "UnaryOperator", "!(n", ""),
        mutant(9, "BinaryOperator", "== 0", "!="),
        mutant(10, "StructField", "x: x", ""),
        mutant(11, "BinaryOperator", "+= 4", "*="),
    ]
}

/// Builds a program whose mutants are in, with the switch in its module.
fn build(dir: &Path, mutants: &[Mutant]) -> PathBuf {
    let (edits, placed) = place::edits(PROGRAM, &mutants.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(placed.len(), mutants.len(), "all are found");
    let source = dir.join("main.rs");
    fs::write(&source, format!("{}{}", render(PROGRAM, &edits), include_str!("switch.txt"))).unwrap();
    let program = dir.join("program");
    let built = Command::new("rustc")
        .args(["--edition", "2024", "--cap-lints", "allow", "-o"])
        .args([&program, &source])
        .output()
        .expect("rustc runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

#[test]
fn a_mutant_is_what_the_program_does_while_its_switch_is_on() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &mutants());
    let says = |id: u32| {
        let ran = Command::new(&program).env("MUTANT", id.to_string()).output().unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    assert_eq!(says(0), "14 none few many true 1 5");
    let expected = [
        (1, "0 none few many true 1 5"),
        (3, "9 none few many true 1 5"),
        (4, "14 few few many true 1 5"),
        (5, "14 none few few true 1 5"),
        (6, "14 none many many true 1 5"),
        (7, "14 none many few true 1 5"),
        (8, "14 none few many false 1 5"),
        (9, "14 none few many false 1 5"),
        (10, "14 none few many true 7 5"),
        (11, "14 none few many true 1 4"),
    ];
    for (id, output) in expected {
        assert_eq!(says(id), output, "mutant {id}");
    }
    // 2 - 12 of unsigned numbers.
    assert_eq!(Command::new(&program).env("MUTANT", "2").output().unwrap().status.code(), Some(101));
}

#[test]
fn a_traced_program_notes_each_mutant_that_it_comes_past_once() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &mutants());
    let trace = dir.path().join("trace");
    let ran = Command::new(&program).env("MUTANT_TRACE", &trace).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "14 none few many true 1 5");
    let mut met: Vec<u32> =
        fs::read(&trace).unwrap().chunks_exact(4).map(|id| u32::from_le_bytes(id.try_into().unwrap())).collect();
    met.sort_unstable();
    assert_eq!(met, (1..=11).collect::<Vec<_>>());
}

#[test]
fn what_the_compiler_refuses_belongs_to_the_innermost_mutant_around_it() {
    let mutants = [mutant(1, "FnValue", "a + b * c", "\"no number\""), mutant(3, "BinaryOperator", "* c", "<<")];
    let (edits, _) = place::edits(PROGRAM, &mutants.iter().collect::<Vec<_>>()).unwrap();
    let written = render(PROGRAM, &edits);
    let wrong = written.find("\"no number\"").unwrap();
    assert_eq!(mutants_at(&written, &(wrong..wrong + 4)), [1]);
    let shifted = written.find("b << c").unwrap();
    assert_eq!(mutants_at(&written, &(shifted..shifted + 6)), [3]);
    assert_eq!(mutants_at(&written, &(0..5)), [0; 0]);
}

#[test]
fn a_match_that_is_open_by_a_switch_is_told_from_its_arm() {
    let mutants = [mutant(5, "MatchArmGuard", "few < 3", "true"), mutant(4, "MatchArm", "0 => \"none\"", "")];
    let (edits, _) = place::edits(PROGRAM, &mutants.iter().collect::<Vec<_>>()).unwrap();
    let written = render(PROGRAM, &edits);
    let scrutinee = written.find("match n").unwrap();
    assert_eq!(arm_after(&written, scrutinee), Some(4));
    assert_eq!(arm_after(&written, written.find("few if").unwrap()), None);
}
