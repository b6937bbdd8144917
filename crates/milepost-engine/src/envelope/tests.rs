use super::*;

const ENVELOPE: Envelope = Envelope { magic: *b"MPSTTEST", version: 3, archive_bytes_max: 64 };

/// The bytes with another version, and a checksum that says it was written so.
fn of_version(version: u32) -> Vec<u8> {
    Envelope { version, ..ENVELOPE }.encode(b"an archive")
}

#[test]
fn what_goes_in_comes_out() {
    for archive in [&b""[..], b"an archive", &[7; 64]] {
        assert_eq!(ENVELOPE.archive_of(&ENVELOPE.encode(archive)).unwrap().as_slice(), archive);
    }
    let too_large = ENVELOPE.archive_of(&ENVELOPE.encode(&[7; 65]));
    assert_eq!(too_large.unwrap_err(), corrupt(12, "65 bytes follow the header, which says 65"));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_named() {
    let bytes = ENVELOPE.encode(b"an archive");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(ENVELOPE.archive_of(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(ENVELOPE.archive_of(&bytes[..length]).is_err(), "length {length}");
    }
}

#[test]
fn versions_are_read_up_to_the_newest_that_is_known() {
    for (version, refused) in [
        (0, Some(corrupt(8, "it has no version"))),
        (1, None),
        (3, None),
        (4, Some(Fault::NewerFormat { found: 4 })),
        (u32::MAX, Some(Fault::NewerFormat { found: u32::MAX })),
    ] {
        assert_eq!(ENVELOPE.archive_of(&of_version(version)).err(), refused, "{version}");
    }
}
