//! How a row is laid out.

use super::line;

#[test]
fn cells_stand_below_each_other() {
    let row = |cells: &[&str]| -> Vec<String> { cells.iter().map(|cell| (*cell).to_owned()).collect() };
    for (cells, screen, shown) in [
        (&["a", "b", "c"][..], None, "a    b   c"),
        (&["abc", "", "c"], None, "abc      c"),
        (&["日", "b", ""], None, "日   b"),
        (&["longer than it", "b", "c"], None, "longer than it  b   c"),
        (&["a", "b", "0123456789"], Some(12), "a    b   01…"),
    ] {
        assert_eq!(line(&row(cells), &[3, 2, 9], screen), shown);
    }
}
