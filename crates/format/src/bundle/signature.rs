//! Detached signatures and public keys in the format of minisign.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use blake2::{Blake2b512, Digest};

use crate::base64::decode;
use crate::{Error, Result};

const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";
/// Ed25519 of the message's BLAKE2b-512; `Ed` is that of the message itself, which the tools gave up.
const PREHASHED: &[u8] = b"ED";
/// What public keys start with, whatever they sign.
const KEY: &[u8] = b"Ed";
/// Algorithm, key id and Ed25519 signature.
const SIGNATURE_BYTES: usize = 2 + 8 + 64;
/// Ed25519 signature of the signature and the trusted comment.
const GLOBAL_BYTES: usize = 64;
/// Algorithm, key id and Ed25519 public key.
const KEY_BYTES: usize = 2 + 8 + 32;

/// The number of a key pair, as the tools print it: 16 hexadecimal digits.
///
/// It is chosen at random and anybody can copy it: it says which key to look for, and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl KeyId {
    /// Of what a key or a signature holds.
    fn of(decoded: &[u8]) -> Option<Self> {
        Some(Self(u64::from_le_bytes(decoded.get(2..10)?.try_into().ok()?)))
    }
}

/// Whose bundles are trusted: the public part of a minisign key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: ed25519_compact::PublicKey,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl PublicKey {
    /// Parse the text of a `.pub` file (a comment, then the key), or the key alone.
    ///
    /// # Errors
    /// [`Error::PublicKey`].
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |reason| Error::PublicKey { reason };
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let line = match lines[..] {
            [line] => line,
            [comment, line] if comment.starts_with(UNTRUSTED) => line,
            _ => return Err(wrong("expected a comment and one line, or the line alone")),
        };
        let decoded = decode(line).ok_or(wrong("it is not base64"))?;
        if decoded.len() != KEY_BYTES {
            return Err(wrong("it has another length; is it the secret key?"));
        }
        let (true, Some(id)) = (decoded.starts_with(KEY), KeyId::of(&decoded)) else {
            return Err(wrong("its algorithm is not `Ed`"));
        };
        let key = decoded.get(10..).and_then(|key| ed25519_compact::PublicKey::from_slice(key).ok());
        let key = key.ok_or(wrong("it is not a key"))?;
        Ok(Self { id, key })
    }

    /// Which key pair it belongs to.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

/// A detached signature; that it is there does not mean that it is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    text: String,
    signer: KeyId,
    /// Of the message's hash.
    of_hash: ed25519_compact::Signature,
    trusted_comment: String,
    /// Of that signature and the trusted comment.
    of_comment: ed25519_compact::Signature,
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(by {}, {:?})", self.signer, self.trusted_comment)
    }
}

impl Signature {
    /// Parse the four lines.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |reason| Error::Signature { reason };
        let text = str::from_utf8(bytes).map_err(|_| wrong("it is not text"))?;
        let lines: Vec<_> = text.lines().collect();
        let (true, [untrusted, signature, trusted, global]) = (text.ends_with('\n'), &lines[..]) else {
            return Err(wrong("expected four lines"));
        };
        let (true, Some(trusted_comment)) = (untrusted.starts_with(UNTRUSTED), trusted.strip_prefix(TRUSTED)) else {
            return Err(wrong("expected a comment in the first and third line"));
        };
        if untrusted.chars().chain(trusted_comment.chars()).any(|c| c.is_control() && c != '\t') {
            return Err(wrong("a comment has control characters"));
        }
        let decoded = decode(signature).filter(|s| s.len() == SIGNATURE_BYTES);
        let signed = decoded.ok_or(wrong("the second line is no signature"))?;
        let global = decode(global).filter(|g| g.len() == GLOBAL_BYTES);
        let global = global.ok_or(wrong("the fourth line is no signature"))?;
        let (true, Some(signer)) = (signed.starts_with(PREHASHED), KeyId::of(&signed)) else {
            return Err(wrong("its algorithm is not `ED`, the pre-hashed one"));
        };
        let signature =
            |bytes| ed25519_compact::Signature::from_slice(bytes).map_err(|_| wrong("it has another length"));
        let of_hash = signature(signed.get(10..).unwrap_or_default())?;
        let (of_comment, trusted_comment) = (signature(&global)?, trusted_comment.to_owned());
        Ok(Self { text: text.to_owned(), signer, of_hash, trusted_comment, of_comment })
    }

    /// The key pair that it names.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// What the signer says about the bundle; signed too. A single line.
    pub fn trusted_comment(&self) -> &str {
        &self.trusted_comment
    }

    /// The file's content.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn verify(&self, key: &PublicKey, message: &[u8]) -> Result<()> {
        if self.signer != key.id {
            return Err(Error::OtherSigner { expected: key.id, found: self.signer });
        }
        let commented = [self.of_hash.as_slice(), self.trusted_comment.as_bytes()].concat();
        let hashed = key.key.verify(Blake2b512::digest(message), &self.of_hash);
        let verified = hashed.and_then(|()| key.key.verify(commented, &self.of_comment));
        verified.map_err(|_| Error::Forged { key: key.id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minisign's own: the message is `test`.
    const KEY_LINE: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNED: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1556193335\tfile:test\n\
        y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";

    fn check(text: &str, message: &str, expected: &str) {
        assert!((text, message) != (SIGNED, "test"));
        let key = PublicKey::parse(KEY_LINE).unwrap();
        let verified = Signature::parse(text.as_bytes()).and_then(|s| s.verify(&key, message.as_bytes()));
        let error = verified.unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` lacks `{expected}`");
    }

    #[test]
    fn a_known_signature() {
        let key = PublicKey::parse(KEY_LINE).unwrap();
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
        for text in [SIGNED.to_owned(), SIGNED.replace('\n', "\r\n")] {
            let signature = Signature::parse(text.as_bytes()).unwrap();
            assert_eq!((signature.signer(), signature.text()), (key.id(), &text[..]));
            assert_eq!(signature.trusted_comment(), "timestamp:1556193335\tfile:test");
            signature.verify(&key, b"test").unwrap();
        }
    }

    #[test]
    fn a_wrong_signature_is_named() {
        check(SIGNED, "Test", "is not the signature of key E7620F1842B4E81F");
        check(&SIGNED.replace("file:test", "file:rest"), "test", "is not the signature of key");
        check(&SIGNED.replace("RUQf6L", "RUQf6M"), "test", "signed by key");
        check(&SIGNED.replace("RUQf6L", "RWQf6L"), "test", "pre-hashed");
        check(&SIGNED.replace("Zwo=", "Zwp="), "test", "second line");
        check(&SIGNED.replace("hEBg==", "hEBh=="), "test", "fourth line");
        check(&SIGNED.replace("test\n", "te\u{1b}[31mst\n"), "test", "control characters");
        check(&SIGNED.replace("trusted comment: t", "comment: t"), "test", "first and third line");
        check(&format!("{SIGNED}x\n"), "test", "four lines");
        check("", "test", "four lines");
    }

    /// But for the untrusted comment, which the format leaves out.
    #[test]
    fn every_byte_counts() {
        let key = PublicKey::parse(KEY_LINE).unwrap();
        let start = SIGNED.find('\n').unwrap();
        let verified = |bytes: &[u8]| Signature::parse(bytes).and_then(|s| s.verify(&key, b"test"));
        for at in (0..UNTRUSTED.len()).chain(start..SIGNED.len()) {
            for bit in 0..8 {
                let mut bytes = SIGNED.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                assert!(verified(&bytes).is_err(), "byte {at}, bit {bit}");
            }
        }
        (0..SIGNED.len()).for_each(|n| assert!(verified(&SIGNED.as_bytes()[..n]).is_err(), "{n} bytes"));
        verified(SIGNED.as_bytes()).unwrap();
    }

    #[test]
    fn keys_come_as_a_file_or_a_line() {
        let file = format!("untrusted comment: minisign public key\r\n{KEY_LINE}\r\n");
        assert_eq!(PublicKey::parse(&file).unwrap(), PublicKey::parse(KEY_LINE).unwrap());
        for (text, expected) in [
            (String::new(), "expected a comment and one line"),
            (SIGNED.to_owned(), "expected a comment and one line"),
            ("no key".to_owned(), "not base64"),
            (KEY_LINE[..52].to_owned(), "is it the secret key?"),
            (KEY_LINE.replace("RWQ", "AAA"), "algorithm"),
        ] {
            let error = PublicKey::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "`{error}` lacks `{expected}`");
        }
    }
}
