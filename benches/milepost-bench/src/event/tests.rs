use super::{Event, number_of};

#[test]
fn key_and_value_say_their_number() {
    let mut event = Event::new();
    for (key, value) in [(0, 0), (7, 1), (999_999_999_999_999_999, 123_456_789_012_345_678), (1, 10)] {
        event.number(key, value);
        assert_eq!(event.key(), format!("file-{key:018}"));
        assert_eq!(event.key().len(), 23);
        assert_eq!(event.value().len(), 103);
        assert_eq!(number_of(event.value()).unwrap(), value);
    }
}

#[test]
fn foreign_values_have_no_number() {
    let event = Event::new();
    let mut wrong = event.value().to_vec();
    wrong[9] = b'x';
    for value in [&b""[..], b"1", &event.value()[..102], &wrong] {
        assert!(number_of(value).is_err(), "{}", value.escape_ascii());
    }
}
