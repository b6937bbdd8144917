//! Where a new file ends at the latest: offsets have 32 bits, as it is read and as it is stored.

use milepost_io::SimDisk;
use milepost_types::Seq;

use super::*;
use crate::{SegmentId, StoreId};

fn begun() -> Out {
    let (disk, log_dir) = (SimDisk::new(1), Path::new("/log"));
    disk.create_dir(log_dir).unwrap();
    let header = SegmentHeader {
        id: SegmentId(1),
        generation: 1,
        form: Form::Raw,
        store: StoreId([7; 16]),
        first_seq: Seq(1),
        epoch: 1,
        salt: 9,
    };
    Out::begin(Arc::new(disk), log_dir, header, false).unwrap()
}

#[test]
fn no_frame_ends_behind_what_an_offset_can_say() {
    let body = [5; 100];
    let view = FrameView {
        seq: Seq(1),
        at: Timestamp(10),
        batch_first: Seq(1),
        body: &body,
        body_crc: crc32fast::hash(&body),
        epoch: 1,
        segment: SegmentName { id: SegmentId(1), generation: 0 },
        offset: 64,
    };
    // A frame of 144 bytes; what can't be compressed takes a little more, and the header is still pending.
    let most = u64::from(u32::MAX);
    for (end, written, fits) in [
        (64, 0, true),
        (most - 144, 0, true),
        (most - 143, 0, false),
        (64, most - 64 - 2 * 144, true),
        (64, most - 64 - 2 * 144 + 1, false),
        (most - 144, most - 64 - 2 * 144, true),
    ] {
        let mut out = begun();
        (out.end, out.written) = (end, written);
        let added = out.frame(&view, view.body);
        assert_eq!(added.is_ok(), fits, "{end}, {written}");
        if let Err(refused) = added {
            assert!(refused.to_string().contains("offsets have 32 bits"), "{refused}");
        }
    }
}
