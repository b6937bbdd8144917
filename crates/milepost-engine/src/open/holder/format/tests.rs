use super::*;

#[test]
fn what_is_written_is_read_and_anything_else_is_nobody() {
    let holder = Holder { pid: 4711, host: "worker 7".to_owned(), since: Timestamp(-5) };
    let text = encode(&holder);
    assert_eq!(text, "pid 4711\nhost worker 7\nsince -5\n");
    assert_eq!(decode(text.as_bytes()), Some(holder));
    for text in [&b""[..], b"pid 4711\nhost worker 7\n", b"pid x\nhost a\nsince 1\n", b"pid 1\nhost \xff\nsince 1\n"] {
        assert_eq!(decode(text), None, "{}", String::from_utf8_lossy(text));
    }
}
