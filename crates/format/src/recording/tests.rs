use super::*;

fn header() -> RecordingHeader {
    RecordingHeader {
        omiga_version: "0.1.0".into(),
        task: "pumps".into(),
        agent: "west".into(),
        bundle_sha256: Some(crate::hash::of_bytes(b"sums")),
        policy_contract_sha256: crate::hash::of_bytes(b"contract"),
        engine: "native, avx2".into(),
        obs_dim: 3,
        action_dim: 2,
        discrete: false,
        options: serde_json::json!({ "controller": { "period_ns": 1 } }),
    }
}

/// Blocks of these numbers of calls, from call `first` on, each with a snapshot of three bytes.
fn file(header: &RecordingHeader, first: u64, calls: &[u32]) -> Vec<u8> {
    let mut bytes = header.to_bytes().unwrap();
    RecordingHeader::put_blocks(&mut bytes, calls.len() as u32);
    let layout = header.layout();
    let mut number = first;
    for calls in calls {
        bytes.extend(RecordedBlock::head(number, *calls, 3));
        bytes.extend([1, 2, 3]);
        for _ in 0..*calls {
            let status = RecordedStatus { source: 1, ..RecordedStatus::default() };
            let (obs, mask, action) = (&[0.5, -1.0, number as f32][..], &[][..], &[1.0, 2.0][..]);
            let (call, now_ns, stamp_ns, choice) = (Call::Commands, number * 10, number * 10 - 1, 0);
            let at = bytes.len();
            bytes.resize(at + layout.record_len(), 0);
            layout.encode(&Record { call, now_ns, stamp_ns, obs, mask, status, action, choice }, &mut bytes[at..]);
            number += 1;
        }
    }
    sealed(bytes)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(Crc32c::of(&bytes).to_le_bytes());
    bytes
}

#[test]
fn a_file_comes_back() {
    let bytes = file(&header(), 7, &[2, 3, 1]);
    let recording = Recording::parse("x.rec", bytes).unwrap();
    assert_eq!((recording.header(), recording.len(), recording.is_empty()), (&header(), 6, false));
    assert_eq!(
        recording.blocks().map(|block| (block.first, block.len())).collect::<Vec<_>>(),
        [(7, 2), (9, 3), (12, 1)]
    );
    assert!(recording.blocks().all(|block| block.snapshot == [1, 2, 3]));
    let records: Vec<_> = recording.blocks().flat_map(RecordedBlock::records).collect();
    assert_eq!(records.len(), 6);
    assert!(records.iter().zip(7..).all(|((number, record), n)| *number == n && record.obs[2] == n as f32));
    assert!(Recording::parse("x.rec", file(&header(), 1, &[])).unwrap().is_empty());
}

/// Every cut, and every flipped bit.
#[test]
fn what_is_damaged_is_refused() {
    let good = file(&header(), 1, &[2, 1]);
    for len in 0..good.len() {
        let error = Recording::parse("x.rec", good[..len].to_vec()).unwrap_err();
        let short = if len < 8 {
            matches!(error, Error::NoRecording { .. })
        } else {
            matches!(error, Error::RecordingDamaged { .. })
        };
        assert!(short, "{len}: {error}");
    }
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        Recording::parse("x.rec", bad).unwrap_err();
    }
    let longer = [&good[..], &[0]].concat();
    check(
        longer,
        "x.rec: damaged flight recording (its CRC-32C is not that of its content); copy it from the machine again",
    );
}

fn check(bytes: Vec<u8>, message: &str) {
    assert_eq!(Recording::parse("x.rec", bytes).unwrap_err().to_string(), message);
}

/// The bytes without their CRC, changed and sealed again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = file(&header(), 1, &[2, 1]);
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    sealed(bytes)
}

#[test]
fn what_nobody_writes_is_refused_by_its_reason() {
    let damaged = |what: &str| format!("x.rec: damaged flight recording ({what}); copy it from the machine again");
    let start = header().to_bytes().unwrap().len();
    check(
        b"PK\x03\x04 something".to_vec(),
        "x.rec: not a flight recording (it does not start with `OMIGAREC`); give the file that a recorder wrote",
    );
    check(
        changed(|b| b[8] = 2),
        "x.rec: layout 2 of flight recordings, expected 1; replay it with the version that wrote it",
    );
    check(changed(|b| b.push(0)), &damaged("it goes on after its last block"));
    check(changed(|b| b.truncate(b.len() - 1)), &damaged("it ends in a block"));
    check(changed(|b| b[16] = 1), &damaged("it goes on after its last block"));
    check(changed(|b| b[16..20].fill(255)), &damaged("it ends in a block"));
    check(changed(|b| b[20] ^= 1), &damaged("its records have another length than those of its widths"));
    check(changed(|b| b[12..16].fill(255)), &damaged("it ends in its header"));
    // The second call's number does not follow; no calls; four billion calls, or a snapshot of so many bytes.
    let second = start + 16 + 3 + 2 * header().layout().record_len();
    check(changed(|b| b[second] = 9), &damaged("its blocks do not follow each other"));
    check(changed(|b| b[start + 8] = 0), &damaged("its blocks do not follow each other"));
    check(changed(|b| b[start + 8..start + 12].fill(255)), &damaged("it ends in a block"));
    check(changed(|b| b[start + 12..start + 16].fill(255)), &damaged("it ends in a block"));
    check(changed(|b| b[start + 16 + 3 + 60] = 7), &damaged("one of its records is none"));
    check(changed(|b| b[start..start + 8].fill(255)), &damaged("its blocks do not follow each other"));
}

proptest::proptest! {
    /// Whatever else is in a file with a right CRC: it is refused or read, and as long as it says.
    #[test]
    fn changed_bytes_do_no_harm(changes: Vec<(usize, u8)>, cut in 0..40_usize) {
        let bytes = changed(|bytes| {
            changes.iter().for_each(|(at, value)| {
                let at = at % bytes.len();
                bytes[at] = *value;
            });
            bytes.truncate(bytes.len() - cut);
        });
        if let Ok(recording) = Recording::parse("x.rec", bytes) {
            assert_eq!(recording.blocks().flat_map(RecordedBlock::records).count(), recording.len());
        }
    }
}

#[test]
fn a_header_is_small_and_printable() {
    let refused = |change: fn(&mut RecordingHeader)| {
        let mut header = header();
        change(&mut header);
        header.to_bytes().unwrap_err().to_string()
    };
    assert!(refused(|h| h.task = "a\u{1b}]0;owned".into()).contains("not printable"));
    assert!(refused(|h| h.agent = "x".repeat(201)).contains("longer than 200"));
    assert!(refused(|h| h.obs_dim = 0).contains("a width"));
    assert!(refused(|h| h.action_dim = 1 << 30).contains("a width"));
    assert!(refused(|h| h.policy_contract_sha256 = "no".into()).contains("a hash"));
}
