//! What travels beside a message: sequence number, time and sender, as `rmw_zenoh` writes them, and who commands.

use super::Malformed;

/// Bytes of a sender's identity.
pub const SENDER_BYTES: usize = 16;

/// Who sent a message, when, and after how many others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// One more than in the sender's message before.
    pub sequence: i64,
    /// UNIX time in nanoseconds, on the sender's clock.
    pub stamp_unix_ns: i64,
    /// Unlike that of any other sender.
    pub sender: [u8; SENDER_BYTES],
}

/// The names before the values, which newer versions of `rmw_zenoh` write.
const NAMES: [&str; 3] = ["sequence_number", "source_timestamp", "source_gid"];
/// What a command has beside, two texts and a time.
const COMMAND_NAMES: [&str; 3] = ["source", "bundle_sha256", "obs_stamp"];

/// What a node says beside a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commanded<'a> {
    /// Who, when, and after how many others.
    pub attachment: Attachment,
    /// Whose action it is: `policy`, `held` or `safe`.
    pub source: &'a str,
    /// SHA-256 of the bundle, hexadecimal.
    pub bundle_sha256: &'a str,
    /// When the tick's observation was measured: UNIX time in nanoseconds, 0 if there was none.
    pub obs_stamp_unix_ns: i64,
}

impl Attachment {
    /// Read one, with names (ROS 2 Jazzy and later) or without (Humble). What follows is left alone.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let named = bytes.get(1..).is_some_and(|rest| rest.starts_with(NAMES[0].as_bytes()));
        let skip = |reader: &mut Reader<'_>, name: &str| if named { reader.name(name) } else { Ok(()) };
        let [sequence, stamp, sender] = NAMES;
        skip(&mut reader, sequence)?;
        let sequence = i64::from_le_bytes(reader.array()?);
        skip(&mut reader, stamp)?;
        let stamp_unix_ns = i64::from_le_bytes(reader.array()?);
        skip(&mut reader, sender)?;
        let sender = reader.sized()?.try_into().map_err(|_| Malformed)?;
        Ok(Self { sequence, stamp_unix_ns, sender })
    }

    /// Write it, with names.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let [sequence, stamp, sender] = NAMES;
        bytes.clear();
        push_sized(bytes, sequence.as_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        push_sized(bytes, stamp.as_bytes());
        bytes.extend(self.stamp_unix_ns.to_le_bytes());
        push_sized(bytes, sender.as_bytes());
        push_sized(bytes, &self.sender);
    }
}

impl<'a> Commanded<'a> {
    /// Write it. Who reads an [`Attachment`] alone finds it at the begin.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let [source, bundle, obs] = COMMAND_NAMES;
        self.attachment.write(bytes);
        for (name, value) in [(source, self.source), (bundle, self.bundle_sha256)] {
            push_sized(bytes, name.as_bytes());
            push_sized(bytes, value.as_bytes());
        }
        push_sized(bytes, obs.as_bytes());
        bytes.extend(self.obs_stamp_unix_ns.to_le_bytes());
    }

    /// Read one, with names.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let attachment = Attachment::read(bytes)?;
        let mut start = Vec::new();
        attachment.write(&mut start);
        let mut reader = Reader(bytes.strip_prefix(&start[..]).ok_or(Malformed)?);
        let [source, bundle, obs] = COMMAND_NAMES;
        let source = reader.text(source)?;
        let bundle_sha256 = reader.text(bundle)?;
        reader.name(obs)?;
        Ok(Self { attachment, source, bundle_sha256, obs_stamp_unix_ns: i64::from_le_bytes(reader.array()?) })
    }
}

/// zenoh's serialisation of a text or an array of bytes: its length as LEB128, then the bytes.
fn push_sized(bytes: &mut Vec<u8>, value: &[u8]) {
    let mut length = value.len();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(value);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn name(&mut self, name: &str) -> Result<(), Malformed> {
        if self.sized()? == name.as_bytes() { Ok(()) } else { Err(Malformed) }
    }

    fn text(&mut self, name: &str) -> Result<&'a str, Malformed> {
        self.name(name)?;
        str::from_utf8(self.sized()?).map_err(|_| Malformed)
    }

    /// Nothing here is longer than four bytes of a length can say.
    fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let [byte] = self.array()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACHMENT: Attachment = Attachment {
        sequence: 7,
        stamp_unix_ns: 1_700_000_000_123_456_789,
        sender: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    };

    /// Written by the reference of zenoh's serialisation: `tests/golden/generate.py`.
    #[test]
    fn it_is_what_zenoh_writes() {
        let golden = include_str!("../../tests/golden/attachment.hex");
        let mut bytes = Vec::new();
        ATTACHMENT.write(&mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.trim());
        assert_eq!(Attachment::read(&bytes), Ok(ATTACHMENT));
    }

    #[test]
    fn one_without_names_is_read() {
        let mut bytes = Vec::new();
        bytes.extend(ATTACHMENT.sequence.to_le_bytes());
        bytes.extend(ATTACHMENT.stamp_unix_ns.to_le_bytes());
        push_sized(&mut bytes, &ATTACHMENT.sender);
        assert_eq!(Attachment::read(&bytes), Ok(ATTACHMENT));
    }

    #[test]
    fn a_command_says_whose_it_is() {
        let bundle_sha256 = "ab".repeat(100);
        let commanded = Commanded {
            attachment: ATTACHMENT,
            source: "policy",
            bundle_sha256: &bundle_sha256,
            obs_stamp_unix_ns: 1_700_000_000_123_400_000,
        };
        let mut bytes = Vec::new();
        commanded.write(&mut bytes);
        assert_eq!(Commanded::read(&bytes), Ok(commanded));
        // Who does not know of it reads the rest.
        assert_eq!(Attachment::read(&bytes), Ok(ATTACHMENT));
        for end in 0..bytes.len() {
            assert_eq!(Commanded::read(&bytes[..end]), Err(Malformed), "{end}");
        }
    }

    #[test]
    fn what_is_no_attachment_is_none() {
        let mut bytes = Vec::new();
        ATTACHMENT.write(&mut bytes);
        for end in 0..bytes.len() {
            assert_eq!(Attachment::read(&bytes[..end]), Err(Malformed), "{end}");
        }
        assert_eq!(Attachment::read(&[0xff; 64]), Err(Malformed));
    }
}
