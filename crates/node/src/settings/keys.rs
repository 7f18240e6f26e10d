//! Names and keys that the network and the file system can have.

use super::Settings;
use crate::{Error, Result};

/// Ticks that may wait for the disk: memory for all of them is taken at the start.
const MOST_QUEUED: usize = 1 << 20;

impl Settings {
    /// Can its keys be keys, its addresses addresses, and its name a part of a key and of a file's name?
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub(crate) fn require_keys(&self) -> Result<()> {
        let name = self.name();
        if !is_key(name, false) || name.contains('/') || name.starts_with('.') {
            let reason = format!(
                "`{}` cannot name a node: it becomes a part of a key and of a file's name; take another without / * $ ? # and a dot \
                 in front",
                name.escape_debug()
            );
            return Err(Error::setting("name", reason));
        }
        let alone = [("command.key", &self.command.key), ("network.prefix", &self.network.prefix)];
        let alone = alone.into_iter().map(|(setting, key)| (setting.to_owned(), key, false));
        let inputs = self.inputs.iter().enumerate().map(|(i, input)| (format!("input.{i}.key"), &input.key, true));
        for (setting, key, is_expression) in alone.chain(inputs) {
            if !is_key(key, is_expression) {
                let hint = if is_expression { "" } else { ", and without *: it is one key" };
                let reason = format!("`{}` is no key; expected parts between single slashes{hint}", key.escape_debug());
                return Err(Error::setting(setting, reason));
            }
        }
        let addresses = self.network.connect.iter().map(|address| ("network.connect", address));
        let addresses = addresses.chain(self.network.listen.iter().map(|address| ("network.listen", address)));
        for (setting, address) in addresses {
            // zenoh would try for ever what can never be.
            let rest = ["tcp/", "udp/"].iter().find_map(|protocol| address.strip_prefix(protocol));
            if !rest.is_some_and(|rest| rest.contains(':')) {
                let reason =
                    format!("`{}` is no address; expected one as tcp/10.0.0.1:7447 or udp/...", address.escape_debug());
                return Err(Error::setting(setting, reason));
            }
        }
        match &self.record {
            Some(record) if !(1..=MOST_QUEUED).contains(&record.queue) => {
                let reason = format!("is {}, expected ticks from 1 to {MOST_QUEUED}", record.queue);
                Err(Error::setting("record.queue", reason))
            }
            _ => Ok(()),
        }
    }
}

/// As zenoh has them: no empty part, none of its signs but `*` and `$*` in expressions.
fn is_key(key: &str, is_expression: bool) -> bool {
    let has_sign = |part: &str| match is_expression {
        true => part.replace("$*", "").contains(['$', '?', '#']),
        false => part.contains(['*', '$', '?', '#']),
    };
    key.split('/').all(|part| !part.is_empty() && !has_sign(part)) && !key.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, why: Option<&str>) {
        let text = include_str!("../../tests/data/spread.toml");
        assert!(text.contains(from));
        let settings = Settings::parse(&text.replacen(from, to, 1)).unwrap();
        let found = settings.require_keys().map_err(|error| error.to_string());
        match why {
            None => found.unwrap(),
            Some(why) => assert!(found.clone().unwrap_err().contains(why), "expected {why}, found {found:?}"),
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        let (agent, command, obs) =
            ("agent = \"agent_0\"", "key = \"plant/agent_0/command\"", "key = \"plant/agent_0/obs\"");
        let named = |name: &str| format!("{agent}\nname = {name:?}");
        for name in ["", "a/b", "../../a", "..", ".a", "*", "a*", "a$", "a?", "a#", "a\nb"] {
            check(agent, &named(name), Some("cannot name a node"));
        }
        for name in ["left arm", "arm-1.2", "Ärmchen"] {
            check(agent, &named(name), None);
        }
        for key in ["", "/a", "a/", "a//b", "a?", "a/#", "a$b"] {
            check(command, &format!("key = {key:?}"), Some("`command.key`: "));
            check(obs, &format!("key = {key:?}"), Some("`input.0.key`: "));
        }
        // Whoever commands all keys commands everybody.
        for key in ["plant/*/command", "plant/**", "plant/a$*"] {
            check(command, &format!("key = {key:?}"), Some("it is one key"));
            check(obs, &format!("key = {key:?}"), None);
        }
        let network = |part: &str| format!("[network]\n{part}\n[command]");
        for address in ["tpc/10.0.0.1:7447", "10.0.0.1:7447", "tcp/10.0.0.1", "", "tls/10.0.0.1:7447"] {
            check("[command]", &network(&format!("connect = [{address:?}]")), Some("`network.connect`: "));
            check("[command]", &network(&format!("listen = [{address:?}]")), Some("`network.listen`: "));
        }
        check("[command]", &network("connect = [\"tcp/[::1]:7447\", \"udp/10.0.0.1:7447#iface=lo\"]"), None);
        let record = |queue: u64| format!("[record]\nfolder = \"r\"\nqueue = {queue}\n[command]");
        check("[command]", &record(1), None);
        check("[command]", &record(0), Some("`record.queue`: is 0"));
        check("[command]", &record(1_000_000_000_000), Some("`record.queue`"));
    }
}
