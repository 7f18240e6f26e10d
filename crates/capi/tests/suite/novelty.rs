//! Observations that a policy has not learned from.

use omiga_capi::*;

use crate::controlling::{Controller, MS, SAFE, UNTOUCHED, check, folder, new, safe};
use crate::library::{ACTIONS, Folder};

/// The detector in the contract: a report that is counted, or a fault.
#[test]
fn what_is_novel_is_reported() {
    let policy = Folder::watched(1.0).load();
    let run = |controller: &Controller| {
        let mut flags = Vec::new();
        for (i, value) in [0.1, 1.5, 1.5, 0.1].into_iter().enumerate() {
            let mut action = [UNTOUCHED; ACTIONS];
            let status = controller.tick(i as u64 * 10 * MS, &[value, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &mut action);
            assert_eq!(status.source == OMIGA_SOURCE_SAFE, action == SAFE);
            flags.push(status.flags);
        }
        (flags, controller.stats().novel)
    };
    let novel = OMIGA_FLAG_OBS_NOVEL;
    assert_eq!(run(&new(&policy, |_| ()).unwrap()), (vec![0, novel, novel, 0], 2));
    let patient = new(&policy, |o| (o.novel_k, o.novel_n) = (2, 2)).unwrap();
    assert_eq!(run(&patient), (vec![0, 0, novel, 0], 1));
    let strict = new(&policy, |o| {
        safe(o);
        o.fault_on |= novel;
    });
    let fault = novel | OMIGA_FLAG_DECLARED;
    assert_eq!(run(&strict.unwrap()), (vec![0, fault, fault, 0], 2));
    check(&policy, "expected (k, n) with 1 <= k <= n <= 64", |o| o.novel_k = 2);
    check(&folder(false).load(), "as the contract has no detector", |o| o.fault_on |= novel);
}
