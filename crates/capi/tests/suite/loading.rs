//! Loading, what a policy promises, sharing and freeing.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

use omiga_capi::*;
use omiga_format::{ActionSpace, GOLDEN_FILE, HostTensor, Range, TensorFile};

use crate::library::{ACTIONS, Folder, OBS, Policy, last_error, load, text};
use crate::support::assemble;

fn options() -> omiga_load_options {
    let mut options = std::mem::MaybeUninit::uninit();
    // SAFETY: as large as said.
    let code = unsafe { omiga_load_options_default(options.as_mut_ptr(), size_of::<omiga_load_options>() as u32) };
    assert_eq!(code, OMIGA_OK);
    // SAFETY: filled.
    unsafe { options.assume_init() }
}

/// Loading with these options must fail so.
fn check(folder: &Folder, agent: Option<&str>, change: impl FnOnce(&mut omiga_load_options), code: u32, why: &str) {
    let mut options = options();
    change(&mut options);
    let (found, message) = load(&folder.path(), agent, &raw const options).err().expect("a refusal");
    assert_eq!(found, code, "{message}");
    assert!(message.contains(why), "no `{why}` in `{message}`");
}

#[test]
fn a_refused_load_says_why() {
    let folder = Folder::of(false);
    check(&folder, None, |_| (), OMIGA_ARGUMENT, "[\"agent_0\", \"agent_1\"]; name it");
    check(&folder, Some("agent_7"), |_| (), OMIGA_ARGUMENT, "no agent `agent_7`");
    check(&folder, Some("agent_0"), |o| o.tolerance = f32::NAN, OMIGA_ARGUMENT, "tolerance is NaN");
    check(&folder, Some("agent_0"), |o| o.engine = 7, OMIGA_ARGUMENT, "`engine` is 7, expected an OMIGA_ENGINE_...");
    check(&folder, Some("agent_0"), |o| o.struct_size = 3, OMIGA_ARGUMENT, "`struct_size` is 3");
    check(&folder, Some("agent_0"), |o| o.task = c"valve".as_ptr(), OMIGA_IDENTITY, "task is test, expected valve");
    let other = c"00".as_ptr();
    check(&folder, Some("agent_0"), |o| o.contract_sha256 = other, OMIGA_IDENTITY, "expected 00");
    check(
        &folder,
        Some("agent_0"),
        |o| o.least_release = 7,
        OMIGA_IDENTITY,
        "release is no number, expected 7 or later",
    );
    check(&folder, Some("agent_0"), |o| o.guard_untested = 2, OMIGA_ARGUMENT, "`guard_untested` is 2, expected 0 or 1");
    let not_utf8 = c"\xff".as_ptr();
    check(&folder, Some("agent_0"), |o| o.onnxruntime_library = not_utf8, OMIGA_ARGUMENT, "`onnxruntime_library`");
    std::fs::write(folder.path().join("agent_0.onnx"), "x").unwrap();
    check(&folder, Some("agent_0"), |_| (), OMIGA_DAMAGED, "agent_0.onnx");
    let (code, message) = load("no/such".as_ref(), None, ptr::null()).err().unwrap();
    assert_eq!((code, message.contains("no/such")), (OMIGA_IO, true));
}

/// A policy that acts the other way round, however small its commands: hashes and contract are right.
#[test]
fn a_policy_that_acts_otherwise_is_refused() {
    let mut folder = Folder::changed(false, |task| {
        for agent in &mut task.agents {
            let ActionSpace::Continuous(fields) = &mut agent.action else { unreachable!("its actions are commands") };
            fields.iter_mut().for_each(|field| field.range = Range::new(-1e-5, 1e-5));
        }
    });
    let bundle = folder.team.bundle();
    let names = bundle.manifest().files.iter().map(|file| file.name.clone());
    let mut files: BTreeMap<_, _> = names.map(|name| (name.clone(), bundle.file(&name).unwrap().to_vec())).collect();
    let mut golden = TensorFile::parse(GOLDEN_FILE, &files[GOLDEN_FILE]).unwrap();
    for (_, tensor) in golden.tensors.iter_mut().filter(|(name, _)| name.ends_with(".action")) {
        let turned: Vec<_> = tensor.to_f32().unwrap().iter().map(|x| -x).collect();
        *tensor = HostTensor::from_f32(tensor.shape(), &turned);
    }
    files.insert(GOLDEN_FILE.to_owned(), golden.to_bytes().unwrap());
    bundle.write(&folder.path()).unwrap();
    assert!(load(&folder.path(), Some("agent_0"), ptr::null()).is_ok());
    assemble(&folder.team.task, files).write(&folder.path()).unwrap();
    check(&folder, Some("agent_0"), |_| (), OMIGA_SELFTEST, "self-test case");
}

#[test]
fn arguments_are_checked() {
    let mut policy = ptr::null_mut();
    // SAFETY: NULL is refused, not used.
    unsafe {
        assert_eq!(omiga_policy_load(ptr::null(), ptr::null(), ptr::null(), &raw mut policy), OMIGA_NULL);
        assert_eq!(last_error(), "`path` is NULL, expected a pointer");
        assert_eq!(omiga_policy_load(c"x".as_ptr(), ptr::null(), ptr::null(), ptr::null_mut()), OMIGA_NULL);
        assert_eq!(last_error(), "`policy` is NULL, expected a pointer");
        assert_eq!(omiga_policy_load(c"\xff".as_ptr(), ptr::null(), ptr::null(), &raw mut policy), OMIGA_ARGUMENT);
        assert_eq!(last_error(), "`path` is not UTF-8, expected UTF-8; rename the file");
        assert_eq!(omiga_load_options_default(ptr::null_mut(), 32), OMIGA_NULL);
        assert_eq!(omiga_policy_fork(ptr::null(), &raw mut policy), OMIGA_NULL);
        assert_eq!(omiga_policy_get_info(ptr::null(), ptr::null_mut(), 0), OMIGA_NULL);
        assert_eq!(omiga_policy_get_obs_field(ptr::null(), 0, ptr::null_mut(), 0), OMIGA_NULL);
        assert_eq!(omiga_policy_run_selftest(ptr::null(), ptr::null_mut(), 0), OMIGA_NULL);
        assert_eq!(omiga_policy_reset(ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_policy_free(ptr::null_mut()), OMIGA_OK);
    }
    let policy = Folder::of(false).load();
    // SAFETY: NULL and a misaligned place are refused, not used.
    unsafe {
        assert_eq!(omiga_policy_get_info(policy.0, ptr::null_mut(), 72), OMIGA_NULL);
        assert_eq!(omiga_policy_get_info(policy.0, ptr::without_provenance_mut(1), 72), OMIGA_ARGUMENT);
        assert_eq!(last_error(), "`info` is misaligned, expected an address that fits its type");
        assert_eq!(
            omiga_policy_get_info(policy.0.cast_const().wrapping_byte_add(1), ptr::null_mut(), 72),
            OMIGA_ARGUMENT
        );
        assert_eq!(omiga_policy_fork(policy.0, ptr::null_mut()), OMIGA_NULL);
    }
}

/// Name, unit and range.
type Field = (String, String, Option<(f32, f32)>);

fn field(policy: &Policy, obs: bool, index: usize) -> Result<Field, String> {
    let of = if obs { omiga_policy_get_obs_field } else { omiga_policy_get_action_field };
    let mut field = std::mem::MaybeUninit::uninit();
    // SAFETY: a place for it.
    match unsafe { of(policy.0, index, field.as_mut_ptr(), size_of::<omiga_field>()) } {
        OMIGA_OK => {
            // SAFETY: written, as the code says.
            let field = unsafe { field.assume_init() };
            Ok((text(field.name), text(field.unit), (field.has_range == 1).then_some((field.low, field.high))))
        }
        code => Err(format!("{code}: {}", last_error())),
    }
}

#[test]
fn a_policy_says_what_it_promises() {
    let folder = Folder::changed(false, |task| {
        task.period_ns = Some(20_000_000);
        for agent in &mut task.agents {
            agent.obs[0].name = "level".into();
            agent.obs[0].unit = "m³".into();
            agent.obs[0].range = Some(omiga_format::Range::new(-3.5, 4.0));
        }
    });
    let policy = folder.load();
    let info = policy.info();
    assert_eq!((info.obs_dim as usize, info.action_dim as usize, info.discrete), (OBS, ACTIONS, 0));
    assert_eq!((info.agent_index, info.n_agents, info.has_contract), (1, 2, 1));
    assert_eq!((info.period_ns, info.selftest_cases), (20_000_000, 5));
    assert!(info.selftest_max_abs_difference < 1e-4);
    assert_eq!((text(info.agent), text(info.task)), ("agent_1".into(), "test".into()));
    assert!(text(info.engine).starts_with("native, "));
    assert_eq!(field(&policy, true, 0), Ok(("level".into(), "m³".into(), Some((-3.5, 4.0)))));
    assert_eq!(field(&policy, true, 1), Ok(("obs.1".into(), String::new(), None)));
    let range = folder.team.task.agents[1].action.ranges()[2];
    assert_eq!(field(&policy, false, 2), Ok(("a.2".into(), "N".into(), Some((range.low, range.high)))));
    assert_eq!(field(&policy, false, 3), Err(format!("{OMIGA_ARGUMENT}: `index` is 3, expected below 3")));
    assert_eq!(field(&policy, true, usize::MAX).unwrap_err().split(' ').next(), Some("3:"));
    assert_eq!((index(&policy, true, c"level"), index(&policy, true, c"obs.6")), (Ok(0), Ok(6)));
    assert_eq!(index(&policy, false, c"a.2"), Ok(2));
    let message = "3: `name` is \"a.2\", expected the name of one of the policy's 7 fields";
    assert_eq!(index(&policy, true, c"a.2"), Err(message.to_owned()));
}

/// Where a field of that name stands.
fn index(policy: &Policy, obs: bool, name: &CStr) -> Result<usize, String> {
    let of = if obs { omiga_policy_obs_index } else { omiga_policy_action_index };
    let mut index = 77;
    // SAFETY: a name and a place.
    match unsafe { of(policy.0, name.as_ptr(), &raw mut index) } {
        OMIGA_OK => Ok(index),
        code => Err(format!("{code}: {}", last_error())),
    }
}

#[test]
fn choices_have_names() {
    let names = ["left", "right", "stay"].map(str::to_owned).to_vec();
    let change = |task: &mut omiga_format::TaskSpec| {
        task.agents.iter_mut().for_each(|a| a.action = ActionSpace::Discrete(names.clone()));
    };
    let policy = Folder::changed(true, change).load();
    assert_eq!(policy.info().discrete, 1);
    assert_eq!(field(&policy, false, 1), Ok(("right".into(), String::new(), None)));
    assert_eq!(index(&policy, false, c"stay"), Ok(2));
}

/// The bundle's files in memory, as the code and the text.
fn load_memory(files: &[(CString, Vec<u8>)], agent: *const c_char) -> Result<Policy, (u32, String)> {
    let file = |(name, data): &(CString, Vec<u8>)| omiga_file {
        name: name.as_ptr(),
        data: data.as_ptr(),
        len: data.len() as u64,
    };
    let files: Vec<_> = files.iter().map(file).collect();
    let mut policy = ptr::dangling_mut();
    // SAFETY: files and place are there.
    let code = unsafe { omiga_policy_load_memory(files.as_ptr(), files.len(), agent, ptr::null(), &raw mut policy) };
    assert_eq!(policy.is_null(), code != OMIGA_OK);
    if code == OMIGA_OK { Ok(Policy(policy)) } else { Err((code, last_error())) }
}

#[test]
fn a_bundle_may_be_in_memory() {
    let folder = Folder::of(false);
    let bundle = omiga_format::Bundle::read(&folder.path()).unwrap();
    let named = |(name, data): (String, Vec<u8>)| (CString::new(name).unwrap(), data);
    let mut files: Vec<_> = bundle.to_files().into_iter().map(named).collect();
    let (policy, other) = (load_memory(&files, c"agent_1".as_ptr()).unwrap(), folder.load());
    let (mut action, mut expected) = ([0.0; ACTIONS], [1.0; ACTIONS]);
    assert_eq!(u32::from(policy.step(&[0.1; OBS], &mut action).code), OMIGA_OK);
    assert_eq!(u32::from(other.step(&[0.1; OBS], &mut expected).code), OMIGA_OK);
    assert_eq!(action, expected);
    let refused = |files: &[_], agent| load_memory(files, agent).err().unwrap();
    assert!(refused(&files, ptr::null()).1.contains("[\"agent_0\", \"agent_1\"]; name it"));
    *files[0].1.last_mut().unwrap() ^= 1;
    let (code, message) = refused(&files, c"agent_1".as_ptr());
    assert_eq!(code, OMIGA_DAMAGED, "{message}");
    assert_eq!(refused(&[], ptr::null()).0, OMIGA_DAMAGED);
}

/// A length that no memory has is a code, not the end of the process.
#[test]
fn no_memory_is_a_code() {
    let byte = 0_u8;
    for (len, expected) in [(1 << 62, OMIGA_MEMORY), (u64::MAX, OMIGA_ARGUMENT)] {
        let (file, mut policy) = (omiga_file { name: c"x".as_ptr(), data: &raw const byte, len }, ptr::null_mut());
        // SAFETY: refused before a byte is read.
        let code = unsafe { omiga_policy_load_memory(&raw const file, 1, ptr::null(), ptr::null(), &raw mut policy) };
        assert_eq!(code, expected, "{}", last_error());
    }
}

fn identity(policy: &Policy) -> omiga_identity {
    let mut identity = std::mem::MaybeUninit::uninit();
    let size = size_of::<omiga_identity>();
    // SAFETY: a place for it, which is written.
    unsafe {
        assert_eq!(omiga_policy_get_identity(policy.0, identity.as_mut_ptr(), size), OMIGA_OK);
        identity.assume_init()
    }
}

#[test]
fn a_policy_says_which_bundle_it_is_from() {
    let folder = Folder::of(false);
    let (policy, bundle) = (folder.load(), omiga_format::Bundle::read(&folder.path()).unwrap());
    let (found, expected) = (identity(&policy), bundle.identity(None).unwrap());
    assert_eq!((text(found.bundle_sha256), text(found.task)), (expected.bundle_sha256, expected.task));
    assert_eq!((text(found.contract_sha256), text(found.algorithm)), (expected.contract_sha256, expected.algorithm));
    assert_eq!((found.step, found.seed, found.has_release), (expected.step, expected.seed, 0));
    assert_eq!((text(found.signer), text(found.trusted_comment), found.is_verified), (String::new(), String::new(), 0));
    let mut options = options();
    let contract = CString::new(text(found.contract_sha256)).unwrap();
    (options.task, options.contract_sha256) = (c"test".as_ptr(), contract.as_ptr());
    assert!(load(&folder.path(), Some("agent_0"), &raw const options).is_ok(), "{}", last_error());
}

/// Nothing to replay is no self-test that was passed.
#[test]
fn golden_vectors_can_be_given_back() {
    let (folder, mut options) = (Folder::of(false), options());
    options.drop_golden = 1;
    let policy = load(&folder.path(), Some("agent_0"), &raw const options).unwrap();
    assert_eq!(policy.info().selftest_cases, 5);
    // SAFETY: the result may be NULL.
    assert_eq!(unsafe { omiga_policy_run_selftest(policy.0, ptr::null_mut(), 0) }, OMIGA_SELFTEST);
}

#[test]
fn only_who_is_trusted() {
    let folder = Folder::of(false);
    let key = CString::new(include_str!("../../../../tests/golden/minisign/first.pub")).unwrap();
    check(&folder, Some("agent_0"), |o| o.public_key = key.as_ptr(), OMIGA_UNTRUSTED, "it is not signed, expected key");
    let none = c"RW".as_ptr();
    check(&folder, Some("agent_0"), |o| o.public_key = none, OMIGA_ARGUMENT, "not a minisign public key");
    let bundle = omiga_format::Bundle::read(&folder.path()).unwrap();
    let secret = include_str!("../../../../tests/golden/minisign/first.key").lines().nth(1).unwrap();
    let secret = minisign::SecretKey::from_bytes(&omiga_format::base64::decode(secret).unwrap()).unwrap();
    let signature = minisign::sign(None, &secret, std::io::Cursor::new(bundle.sums()), None, None).unwrap();
    bundle.with_signature(&signature.into_string()).unwrap().write(&folder.path()).unwrap();
    let mut options = options();
    options.public_key = key.as_ptr();
    let policy = load(&folder.path(), Some("agent_0"), &raw const options).unwrap();
    let found = identity(&policy);
    let signer = omiga_format::PublicKey::parse(key.to_str().unwrap()).unwrap().id();
    assert_eq!((text(found.signer), found.is_verified), (signer.to_string(), 1));
    assert!(!text(found.trusted_comment).is_empty());
}

/// C would see only the beginning of a text with a NUL: no contract has one.
#[test]
fn texts_that_c_cannot_read_are_refused() {
    let mut task = Folder::of(false).team.task;
    task.agents[0].obs[1].unit = "m\0s".into();
    let message = task.validate().unwrap_err().to_string();
    assert!(message.ends_with("is m\\0s, expected text without control characters"), "{message}");
}

#[test]
fn a_foreign_file_has_no_names() {
    let mut model = Folder::of(false).team.model(0);
    model.metadata_props.clear();
    let file = tempfile::Builder::new().suffix(".onnx").tempfile().unwrap();
    std::fs::write(file.path(), model.to_bytes()).unwrap();
    let policy = load(file.path(), None, ptr::null()).unwrap();
    let info = policy.info();
    assert_eq!((info.has_contract, info.n_agents, info.selftest_cases, info.period_ns), (0, 0, 0, 0));
    assert_eq!((info.obs_dim as usize, info.action_dim as usize), (OBS, ACTIONS));
    assert_eq!(field(&policy, true, OBS - 1), Ok((String::new(), String::new(), None)));
    assert!(field(&policy, false, ACTIONS).is_err());
    assert!(index(&policy, true, c"").unwrap_err().contains("`name` is \"\""), "no name is nobody's");
    // SAFETY: the result may be NULL.
    assert_eq!(unsafe { omiga_policy_run_selftest(policy.0, ptr::null_mut(), 0) }, OMIGA_SELFTEST);
    assert!(last_error().contains("there are no golden vectors"));
}

#[test]
fn the_self_test_runs_again() {
    let policy = Folder::of(true).load();
    let mut result = omiga_selftest { cases: 0, max_abs_difference: -1.0, reserved: 9 };
    // SAFETY: a place for it.
    assert_eq!(unsafe { omiga_policy_run_selftest(policy.0, &raw mut result, size_of::<omiga_selftest>()) }, OMIGA_OK);
    assert_eq!((result.cases, result.reserved), (5, 0));
    assert_eq!(result.max_abs_difference, policy.info().selftest_max_abs_difference);
}

#[test]
fn the_version_is_the_headers() {
    assert_eq!(omiga_abi_version(), OMIGA_ABI_VERSION);
    assert_eq!(env!("OMIGA_SONAME"), format!("libomiga.so.{OMIGA_ABI_VERSION}"));
    assert_eq!(text(omiga_code_text(OMIGA_BUSY)), "another thread is inside a call on this handle");
}
