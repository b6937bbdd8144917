use super::{Event, USER_BYTES, number_of};

#[test]
fn an_event_says_where_it_belongs_and_its_number() {
    let mut event = Event::new();
    for (scope, key, number) in [(0, 0, 0), (7, 1, 2), (9999, 999_999_999_999_999_999, 123_456_789_012_345_678)] {
        event.place(scope, key);
        event.number(number);
        assert_eq!(event.scope(), format!("task/nightly_ingest/2026-11-24T02:00/load/{scope:04}"));
        assert_eq!(event.key(), format!("file-{key:018}"));
        assert_eq!(number_of(event.value()).unwrap(), number);
        assert_eq!(USER_BYTES as usize, event.scope().len() + event.key().len() + event.value().len());
    }
    assert_eq!(USER_BYTES, 172);
}

/// A flipped bit anywhere in a value must not pass: else an engine that returns half a value would be the fastest.
#[test]
fn any_other_byte_is_found() {
    let mut event = Event::new();
    event.number(123_456_789_012_345_678);
    for place in 0..event.value().len() {
        let mut wrong = event.value().to_vec();
        wrong[place] ^= 1;
        assert!(number_of(&wrong).map_or(true, |number| number != 123_456_789_012_345_678), "byte {place}");
    }
    for value in [&b""[..], b"1", &event.value()[..102], &[event.value(), b" "].concat()] {
        assert!(number_of(value).is_err(), "{}", value.escape_ascii());
    }
}

#[test]
fn a_step_leads_to_the_next_key_and_number() {
    for number in [0, 8, 9, 99_999, 123_456_789_999] {
        let (mut stepped, mut placed) = (Event::new(), Event::new());
        stepped.place(7, number);
        stepped.number(number);
        stepped.step();
        placed.place(7, number + 1);
        placed.number(number + 1);
        let parts = |event: &Event| (event.scope().to_owned(), event.key().to_owned(), event.value().to_owned());
        assert_eq!(parts(&stepped), parts(&placed));
    }
}
