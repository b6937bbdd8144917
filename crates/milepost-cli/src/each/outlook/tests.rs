use super::{Earlier, Outlook};

/// `(total, left)`, as a summary says them.
fn says(outlook: &Outlook, marked: u64) -> Option<(u64, u64)> {
    let expected = outlook.expected();
    expected.total.map(|total| (total, total - marked + expected.again))
}

/// The total was that of this list alone, less what was no item: with five items done and a list of ten others it was
/// ten, so that nothing was left when five of them were done, and fifteen of ten in the end.
#[test]
fn items_that_are_not_in_the_list_count() {
    for counted in [true, false] {
        let mut outlook = Outlook::new(5, 0);
        if counted {
            outlook.counted(10);
            assert_eq!(says(&outlook, 5), Some((10, 5)), "five of them may be those that are done");
        }
        for _ in 0..10 {
            outlook.read();
            outlook.chosen(Earlier::Unmarked);
        }
        outlook.ended();
        for done in 0..=10 {
            assert_eq!(says(&outlook, 5 + done), Some((15, 10 - done)));
            outlook.marks(Earlier::Unmarked);
        }
    }
}

/// A list that goes on where it was left is foretold exactly, wherever in it those are that are done.
#[test]
fn the_same_list_again_is_known_before_it_is_read() {
    let mut outlook = Outlook::new(4, 0);
    outlook.counted(10);
    for index in 0..10 {
        assert_eq!(says(&outlook, 4), Some((10, 6)));
        outlook.read();
        if index % 2 == 0 && index < 8 { outlook.met() } else { outlook.chosen(Earlier::Unmarked) }
    }
    assert_eq!(says(&outlook, 4), Some((10, 6)));
}

/// Failed items that run again were marked all the while: 100 %, and nothing left.
#[test]
fn what_runs_again_is_left() {
    let mut outlook = Outlook::new(5, 3);
    outlook.counted(5);
    assert_eq!(says(&outlook, 5), Some((5, 3)));
    for index in 0..5 {
        outlook.read();
        if index < 2 {
            outlook.met()
        } else {
            outlook.chosen(Earlier::Failed)
        }
        assert_eq!(says(&outlook, 5), Some((5, 3)));
    }
    outlook.marks(Earlier::Failed);
    assert_eq!(says(&outlook, 5), Some((5, 2)));
    // A list with one of them runs that one again, and no other.
    let mut outlook = Outlook::new(5, 3);
    outlook.chosen(Earlier::Failed);
    outlook.ended();
    assert_eq!(says(&outlook, 5), Some((5, 1)));
}

/// A list that is not read yet is not said to be done, though all of it may be.
#[test]
fn nothing_is_said_before_it_is_known() {
    let mut outlook = Outlook::new(5, 0);
    assert_eq!(says(&outlook, 5), None, "of a pipe");
    outlook.counted(3);
    assert_eq!(says(&outlook, 5), None);
    for _ in 0..2 {
        outlook.read();
        outlook.met();
    }
    assert_eq!(says(&outlook, 5), None);
    outlook.read();
    outlook.chosen(Earlier::Unmarked);
    assert_eq!(says(&outlook, 5), Some((6, 1)));
}
