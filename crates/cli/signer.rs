//! Keys in the files of minisign: the secret one that signs bundles, the public one that they are checked with.

use std::env;
use std::io::{self, Cursor, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use minisign::{ErrorKind, SecretKey, SecretKeyBox};
use omiga_format::{Bundle, PublicKey, SUMS_FILE, atomic, base64};

/// The secret key's password, for whoever cannot type it.
const PASSWORD_VARIABLE: &str = "OMIGA_SIGN_PASSWORD";
/// Largest key file read, 16 KiB.
const MAX_KEY_BYTES: u64 = 16 << 10;
/// Size of a secret key.
const SECRET_KEY_BYTES: usize = 158;

/// A secret key, unlocked. Nothing of it is ever shown.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

impl Signer {
    /// Read a secret key; `may_ask` for its password if it has one and the environment does not say it.
    pub fn read(path: &Path, may_ask: bool) -> Result<Self> {
        let file = path.display();
        let text = read_text(path)?;
        let decoded = text.lines().nth(1).and_then(|line| base64::decode(line.trim()));
        let Some(decoded) = decoded.filter(|key| key.len() == SECRET_KEY_BYTES) else {
            bail!("`{file}` is not a minisign secret key; give the file that `minisign -G` or `rsign generate` wrote");
        };
        let secret = match decoded[2..4] {
            // No password. The checksum of such a key, which the crate insists on, is left 0 by the C program.
            [0, 0] => SecretKey::from_bytes(&decoded).map_err(|e| anyhow!("`{file}`: {e}"))?,
            _ => unlock(path, text, may_ask)?,
        };
        let damaged = || format!("`{file}` is a damaged secret key; take it from your backup");
        let public = minisign::PublicKey::from_secret_key(&secret).with_context(damaged)?;
        let public = PublicKey::parse(&public.to_base64()).with_context(damaged)?;
        Ok(Self { secret, public })
    }

    /// `bundle` with a signature, which was checked.
    pub fn sign(&self, bundle: Bundle) -> Result<Bundle> {
        let (task, from) = (&bundle.manifest().task.name, &bundle.manifest().provenance);
        let checkpoint = from.checkpoint_sha256.get(..16).unwrap_or_default();
        // No date: no clock is read for what is exported.
        let comment =
            format!("file:{SUMS_FILE}\ttask:{task}\tstep:{}\tseed:{}\tcheckpoint:{checkpoint}", from.step, from.seed);
        let sums = Cursor::new(bundle.sums());
        let signature = minisign::sign(None, &self.secret, sums, Some(&comment), Some("signature by omiga export"));
        let signature = signature.map_err(|e| anyhow!("cannot sign: {e}"))?.into_string();
        let signed = bundle.with_signature(&signature)?;
        // A key whose parts do not belong together makes signatures that nobody can check.
        signed.verify(&self.public).context("the secret key is damaged; take it from your backup")?;
        Ok(signed)
    }
}

/// Read a public key.
pub fn read_public_key(path: &Path) -> Result<PublicKey> {
    PublicKey::parse(&read_text(path)?).with_context(|| format!("`{}`", path.display()))
}

fn unlock(path: &Path, text: String, may_ask: bool) -> Result<SecretKey> {
    let file = path.display();
    let password = match env::var(PASSWORD_VARIABLE) {
        Ok(password) => Some(password),
        Err(env::VarError::NotUnicode(_)) => {
            bail!("{PASSWORD_VARIABLE} is not UTF-8; set it to the password of `{file}`")
        }
        // The crate asks, and says on standard output that it did.
        Err(env::VarError::NotPresent) if may_ask && io::stdin().is_terminal() => None,
        Err(env::VarError::NotPresent) => {
            bail!("`{file}` has a password and nobody can be asked for it; set {PASSWORD_VARIABLE}")
        }
    };
    SecretKeyBox::from(text).into_secret_key(password).map_err(|e| match e.kind() {
        ErrorKind::Verify => anyhow!("wrong password for `{file}`; set {PASSWORD_VARIABLE} to the right one"),
        _ => anyhow!("`{file}` cannot be unlocked ({e}); make a key with `minisign -G` or `rsign generate`"),
    })
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = atomic::read(path, MAX_KEY_BYTES)?;
    String::from_utf8(bytes).map_err(|_| anyhow!("`{}` is not a key file of minisign: it is not text", path.display()))
}
