//! Each rule of the chain, broken alone.

use super::*;
use crate::{SegmentId, StoreId, format::header::first_written};

fn chain() -> Chain {
    Chain { prev_crc: 5, epoch: 3, next_seq: Seq(10), last_at: Timestamp(100), batch_first: Seq(8) }
}

fn next() -> FrameHeader {
    FrameHeader { body_bytes: 0, body_crc: 0, prev_crc: 5, epoch: 3, seq: Seq(10), at: Timestamp(101), batch_offset: 2 }
}

#[test]
fn a_frame_links_only_if_every_rule_holds() {
    let rows = [
        ("goes on with the batch", next(), true),
        ("begins a batch", FrameHeader { batch_offset: 0, ..next() }, true),
        ("begins a batch in a later epoch", FrameHeader { batch_offset: 0, epoch: 4, ..next() }, true),
        ("follows another frame", FrameHeader { prev_crc: 6, ..next() }, false),
        ("of an earlier epoch", FrameHeader { batch_offset: 0, epoch: 2, ..next() }, false),
        ("goes on with the batch in a later epoch", FrameHeader { epoch: 4, ..next() }, false),
        ("of a batch that began later", FrameHeader { batch_offset: 1, ..next() }, false),
        ("of a batch that began earlier", FrameHeader { batch_offset: 3, ..next() }, false),
        ("stamped at the same time", FrameHeader { at: Timestamp(100), ..next() }, false),
        ("stamped earlier", FrameHeader { at: Timestamp(-1), ..next() }, false),
    ];
    for (what, header, expected) in rows {
        assert_eq!(chain().links(&header), expected, "{what}");
    }
}

#[test]
fn only_the_next_seq_is_expected_and_the_last_never() {
    assert!(chain().expects(Seq(10)));
    assert!(!chain().expects(Seq(9)) && !chain().expects(Seq(11)));
    assert!(!Chain { next_seq: Seq::MAX, ..chain() }.expects(Seq::MAX));
}

#[test]
fn what_is_written_links() {
    let header = first_written(SegmentId(1), StoreId([0; 16]), Seq(10), 1, 77);
    let mut written = Chain::begin(&header, Timestamp::MIN);
    let mut read = written;
    for batch_first in [10, 10, 12] {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        let at = Timestamp(written.next_seq.0 as i64);
        written.write(&mut bytes, crc32fast::hash(b""), at, Seq(batch_first), header.seed());
        let frame = Frame::decode(&bytes, header.seed()).unwrap();
        assert!(read.links(&frame.header) && read.expects(frame.header.seq));
        read.pass(&frame);
        assert_eq!(read, written);
    }
    assert_eq!((read.next_seq, read.batch_first), (Seq(13), Seq(12)));
}
