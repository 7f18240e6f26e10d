//! A checkpoint of any bytes.

use omiga_format::Checkpoint;

/// Parse it; one that is taken can be written and is then the same. Was it taken?
pub fn check(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::parse("any.safetensors", bytes) else { return false };
    let written = checkpoint.to_bytes().unwrap();
    assert_eq!(Checkpoint::parse("any.safetensors", &written).unwrap(), checkpoint);
    true
}
