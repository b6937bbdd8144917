use std::io::Write;

use super::Prefixed;

fn check(chunks: &[&str], expected: &str) {
    let mut to = Vec::new();
    let mut lines = Prefixed::new(&mut to, "x: ");
    for chunk in chunks {
        lines.write_all(chunk.as_bytes()).unwrap();
    }
    lines.end().unwrap();
    assert_eq!(String::from_utf8(to).unwrap(), expected);
}

#[test]
fn each_line_gets_its_prefix_however_it_arrives() {
    check(&[], "");
    check(&["a\nb\n"], "x: a\nx: b\n");
    check(&["a", "b", "\n", "c"], "x: ab\nx: c\n");
    check(&["\n\n"], "x: \nx: \n");
}
