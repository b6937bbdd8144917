//! Round trips, truncations, flipped bits and bombs.

use proptest::prelude::*;

use super::*;

fn seed() -> Seed {
    Seed::of_salt(0x0123_4567_89ab_cdef)
}

fn packed(raw_at: u32, raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packer::new().pack(raw_at, raw, seed(), &mut bytes);
    bytes
}

/// A block with a right checksum over whatever is said.
fn forged(raw_at: u32, raw_bytes: u32, stored: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        [raw_at, raw_bytes, stored.len() as u32].iter().flat_map(|field| field.to_le_bytes()).collect();
    let crc = crc(&bytes, stored, seed());
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(stored);
    bytes
}

/// What compresses well and what does not.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 1..3000);
    let text = (1..9000usize, any::<u8>()).prop_map(|(bytes, step)| {
        (0..bytes).map(|index| b'a' + (index / (1 + step as usize) % 20) as u8).collect::<Vec<u8>>()
    });
    prop_oneof![noise, text]
}

#[test]
fn the_bytes_are_the_documented_ones() {
    // One byte can't be made smaller.
    let bytes = packed(64, b"x");
    assert_eq!(bytes.len(), 17);
    assert_eq!(bytes[..12], [64, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(u32_at(&bytes, 12), seed().crc(&[&bytes[..12], b"x"].concat()));
    let bytes = packed(64, &[7; 5000]);
    assert!(bytes.len() < 60);
    assert_eq!(bytes[16..20], [0x28, 0xb5, 0x2f, 0xfd], "the magic of zstd");
}

#[test]
fn every_flipped_bit_and_truncation_is_met() {
    for raw in [&b"short"[..], &[9; 3000], &(0..=255u8).collect::<Vec<_>>()] {
        let bytes = packed(4096, raw);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut out = b"before".to_vec();
            assert!(unpack(&bytes, seed(), &mut out).is_err(), "bit {bit}");
            assert_eq!(out, b"before");
        }
        for length in 0..bytes.len() {
            assert!(unpack(&bytes[..length], seed(), &mut Vec::new()).is_err(), "{length}");
        }
        assert_eq!(unpack(&bytes, Seed::of_salt(5), &mut Vec::new()), Err(BlockFault::Crc));
    }
}

/// FAULTS H4: whatever a block claims, no more memory is taken than a block may have.
#[test]
fn a_bomb_is_refused_before_it_takes_memory() {
    // A gigabyte of zeros, in frames of 33 KiB or so.
    let zeros = vec![0; 1 << 30];
    let bomb = zstd::bulk::compress(&zeros, 3).unwrap();
    drop(zeros);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    for raw_bytes in [u32::MAX, 1 << 31, BLOCK_BYTES_MAX as u32 + 1, 0] {
        let mut out = Vec::new();
        let fault = unpack(&forged(64, raw_bytes, &bomb), seed(), &mut out).unwrap_err();
        assert!(matches!(fault, BlockFault::Length { .. }), "{fault}");
        assert_eq!(out.capacity(), 0);
    }
    // One that claims to be a block: not a byte beyond it is written.
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).unwrap();
    for raw_bytes in [bomb.len() as u32 + 1, BLOCK_BYTES_MAX as u32] {
        let mut out = Vec::new();
        let fault = unpack(&forged(64, raw_bytes, &bomb), seed(), &mut out).unwrap_err();
        assert_eq!(fault, BlockFault::Content { raw_bytes });
        assert!(out.is_empty() && out.capacity() <= BLOCK_BYTES_MAX, "{}", out.capacity());
    }
}

/// What can't be made smaller is stored as it is, also where it would be as long compressed: as many stored bytes as
/// raw ones are taken for these.
#[test]
fn what_compresses_to_its_own_length_comes_back() {
    let (mut packer, mut met) = (Packer::new(), 0);
    for (distinct, run) in (0..48_u8).flat_map(|distinct| (1..48).map(move |run| (distinct, run))) {
        let raw: Vec<u8> = (0..distinct).chain(std::iter::repeat_n(200, run)).collect();
        met += u32::from(zstd::bulk::compress(&raw, LEVEL).unwrap().len() == raw.len());
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        packer.pack(64, &raw, seed(), &mut bytes);
        let header = unpack(&bytes, seed(), &mut out).unwrap();
        assert!(out == raw && header.stored_bytes <= header.raw_bytes, "{distinct} and {run}");
    }
    assert!(met > 0, "no length was met exactly");
}

#[test]
fn what_is_no_zstd_frame_is_refused() {
    for (raw_bytes, stored) in [(100, &b"anything"[..]), (100, &[0; 99]), (9, &[0x28, 0xb5, 0x2f, 0xfd])] {
        let fault = unpack(&forged(64, raw_bytes, stored), seed(), &mut Vec::new()).unwrap_err();
        assert_eq!(fault, BlockFault::Content { raw_bytes });
    }
    // Fewer bytes than were promised, and more.
    let stored = zstd::bulk::compress(&[1; 500], 3).unwrap();
    for raw_bytes in [499, 501] {
        let fault = unpack(&forged(64, raw_bytes, &stored), seed(), &mut Vec::new()).unwrap_err();
        assert_eq!(fault, BlockFault::Content { raw_bytes });
    }
}

proptest! {
    #[test]
    fn blocks_come_back(raws in prop::collection::vec(raw(), 1..8)) {
        let (mut packer, mut file, mut raw_at) = (Packer::new(), Vec::new(), 64);
        for raw in &raws {
            packer.pack(raw_at, raw, seed(), &mut file);
            raw_at += raw.len() as u32;
        }
        let (mut at, mut out) = (0, Vec::new());
        while at < file.len() {
            let header = unpack(&file[at..], seed(), &mut out).unwrap();
            prop_assert_eq!(header.raw_at as usize + header.raw_bytes as usize, 64 + out.len());
            prop_assert!(header.stored_bytes <= header.raw_bytes);
            at += header.block_bytes();
        }
        prop_assert_eq!(out, raws.concat());
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), raw_bytes in 0..300u32) {
        let _ = unpack(&bytes, seed(), &mut Vec::new());
        let mut out = Vec::new();
        if let Ok(header) = unpack(&forged(64, raw_bytes, &bytes), seed(), &mut out) {
            prop_assert_eq!(out.len(), header.raw_bytes as usize);
        }
    }
}
