//! Restricts this program before it reads a dump. Landlock allows only the files that are open already, and reading
//! from the symbol directories. seccomp denies system calls that a walk does not need. On a kernel that lacks either, the walk
//! goes on without it.
//!
//! The filter lists denied calls, not allowed ones, because C libraries differ in the calls that they make. A denied
//! call fails with EPERM, or with ENOSYS if the C library then tries another.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use landlock::{path_beneath_rules, Access, AccessFs, AccessNet, LandlockStatus, RulesetStatus, Scope, ABI};
use landlock::{Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError};
use libc::c_long;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{sock_filter, BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp};
use seccompiler::{SeccompCondition, SeccompFilter, SeccompRule};

use crate::attempts::{Outcomes, DENIED_BY_LANDLOCK, DENIED_BY_SECCOMP};

/// The state of both restrictions.
pub struct Sandbox {
    pub landlock: Enforcement,
    pub seccomp: Enforcement,
}

impl Sandbox {
    /// Marks a restriction as failed if an attempt that it should have denied was possible.
    pub fn doubt(&mut self, attempts: &Outcomes) {
        let denied = |name: &str, error: i32| attempts.get(name) == Some(&error);
        if self.landlock.is_enforced() && !denied(DENIED_BY_LANDLOCK, libc::EACCES) {
            self.landlock = Enforcement::Failed("a file could be read".to_string());
        }
        let possible = DENIED_BY_SECCOMP.iter().find(|name| !denied(name, libc::EPERM));
        if let Some(name) = possible.filter(|_| self.seccomp.is_enforced()) {
            self.seccomp = Enforcement::Failed(format!("{name} was possible"));
        }
    }
}

pub enum Enforcement {
    /// With the version of Landlock that the kernel has.
    Enforced(Option<ABI>),
    Missing(&'static str),
    Failed(String),
}

impl Enforcement {
    fn is_enforced(&self) -> bool {
        matches!(self, Enforcement::Enforced(_))
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Enforcement::Enforced(Some(version)) => write!(to, "enforced, ABI {}", *version as i32),
            Enforcement::Enforced(None) => write!(to, "enforced"),
            Enforcement::Missing(why) => write!(to, "{why}"),
            Enforcement::Failed(why) => write!(to, "not enforced: {why}"),
        }
    }
}

const NOT_SUPPORTED: &str = "not supported by this kernel";
const NOT_ENABLED: &str = "not enabled in this kernel";

/// Restricts this process: of all paths it may only read those at or below `readable`. Must be called before another
/// thread is started.
pub fn enter(readable: &[&Path]) -> Sandbox {
    Sandbox { landlock: restrict_paths(readable), seccomp: restrict_calls() }
}

fn restrict_paths(readable: &[&Path]) -> Enforcement {
    let restrict = || -> Result<_, RulesetError> {
        let newest = ABI::V10;
        Ruleset::default()
            .handle_access(AccessFs::from_all(newest))?
            .handle_access(AccessNet::from_all(newest))?
            .scope(Scope::from_all(newest))?
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?
            .restrict_self()
    };
    match restrict() {
        Ok(status) => match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => Enforcement::Missing(NOT_ENABLED),
            (RulesetStatus::NotEnforced, _) => Enforcement::Missing(NOT_SUPPORTED),
            (_, LandlockStatus::Available { effective_abi, .. }) => Enforcement::Enforced(Some(effective_abi)),
            (_, _) => Enforcement::Enforced(None),
        },
        Err(error) => Enforcement::Failed(error.to_string()),
    }
}

fn restrict_calls() -> Enforcement {
    let program = match program() {
        Ok(Some(program)) => program,
        Ok(None) => return Enforcement::Missing("not supported on this machine's architecture"),
        Err(error) => return Enforcement::Failed(error.to_string()),
    };
    match seccompiler::apply_filter(&program) {
        Ok(()) => Enforcement::Enforced(None),
        Err(seccompiler::Error::Seccomp(error)) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => Enforcement::Missing(NOT_SUPPORTED),
            _ => Enforcement::Failed(error.to_string()),
        },
        Err(error) => Enforcement::Failed(error.to_string()),
    }
}

/// The seccomp filter; None if the numbers of this architecture's calls are not known here.
fn program() -> Result<Option<BpfProgram>, BackendError> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Ok(None);
    }
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, argument, length, operator, value) in conditions() {
        let condition = SeccompCondition::new(argument, length, operator, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
    }
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, std::env::consts::ARCH.try_into()?)?;
    let mut program = absent_calls();
    program.extend(denied_calls());
    program.extend(BpfProgram::try_from(filter)?);
    Ok(Some(program))
}

/// Denies calls by their number, which must be loaded. Calls are grouped because the kernel runs a new filter once for
/// every system call and compiles it: with a single list, or the longer code of the crate, that takes half a millisecond.
fn denied_calls() -> BpfProgram {
    const CALLS_A_GROUP: usize = 12;
    const AROUND_CALLS: usize = 3;
    let mut calls = [DENIED, DENIED_BY_ARCHITECTURE].concat();
    calls.sort_unstable();
    let groups: Vec<&[c_long]> = calls.chunks(CALLS_A_GROUP).collect();
    let mut program = vec![];
    for (number, group) in groups.iter().enumerate() {
        let later: usize = groups[number + 1..].iter().map(|group| group.len() + AROUND_CALLS).sum();
        let (count, last) = (group.len() as u8, group[group.len() - 1] as u32);
        program.push(step(IS_ABOVE, count + 2, 0, last));
        for (place, call) in group.iter().enumerate() {
            program.push(step(IS, count - place as u8, 0, *call as u32));
        }
        program.push(step(JUMP, 0, 0, later as u32 + 1));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    }
    program
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IS_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const IS_ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Loads the number of the call, and lets some calls fail as if the kernel did not have them: those with arguments in
/// memory, which a filter cannot read, and those of the x32 ABI, which are the same calls under other numbers.
fn absent_calls() -> BpfProgram {
    // The offset of `nr` in the seccomp_data of linux/seccomp.h; __X32_SYSCALL_BIT of asm/unistd.h.
    const NUMBER_OF_CALL: u32 = 0;
    const X32: u32 = 0x4000_0000;
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    vec![
        step(LOAD, 0, 0, NUMBER_OF_CALL),
        step(IS_AT_LEAST, 2, 0, X32),
        step(IS, 1, 0, libc::SYS_clone3 as u32),
        step(IS, 0, 1, libc::SYS_openat2 as u32),
        step(RETURN, 0, 0, absent),
    ]
}

/// TIOCSTI (asm-generic/ioctls.h). C libraries declare it with different types.
const TYPE_INTO_TERMINAL: u64 = 0x5412;

type Condition = (c_long, u8, SeccompCmpArgLen, SeccompCmpOp, u64);

/// Calls that are denied if an argument matches: call, number of the argument, its size, comparison and value.
fn conditions() -> Vec<Condition> {
    use SeccompCmpArgLen::{Dword, Qword};
    let own = std::process::id().into();
    let mut conditions = vec![
        // Threads are allowed, processes are not.
        (libc::SYS_clone, 0, Qword, MaskedEq(libc::CLONE_THREAD as u64), 0),
        // An abort sends a signal to its own process.
        (libc::SYS_kill, 0, Dword, Ne, own),
        (libc::SYS_tkill, 0, Dword, Ne, own),
        (libc::SYS_tgkill, 0, Dword, Ne, own),
        // The C library asks for its own limits.
        (libc::SYS_prlimit64, 0, Dword, Ne, 0),
        (libc::SYS_sendto, 4, Qword, Ne, 0),
        (libc::SYS_ioctl, 1, Dword, Eq, TYPE_INTO_TERMINAL),
    ];
    let opening = [
        (libc::SYS_openat, 2),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, 1),
    ];
    for (call, argument) in opening {
        for flag in [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC] {
            conditions.push((call, argument, Dword, MaskedEq(flag as u64), flag as u64));
        }
    }
    conditions
}

const DENIED: &[c_long] = &[
    // programs and other processes
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    // sockets; an inherited one may send and receive
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // asynchronous calls, which a filter does not see
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_setup,
    libc::SYS_io_submit,
    // changes to files
    libc::SYS_truncate,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_inotify_init1,
    libc::SYS_fanotify_init,
    // user, privileges, namespaces and mounts
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    // resources that processes share
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // the kernel and the machine
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_vhangup,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

#[cfg(target_arch = "x86_64")]
const DENIED_BY_ARCHITECTURE: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_chmod,
    FCHMODAT2,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_inotify_init,
    libc::SYS_uselib,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    KEXEC_FILE_LOAD,
];
#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: c_long = 320;

#[cfg(target_arch = "aarch64")]
const DENIED_BY_ARCHITECTURE: &[c_long] = &[RENAMEAT, FCHMODAT2, KEXEC_FILE_LOAD];
#[cfg(target_arch = "aarch64")]
const RENAMEAT: c_long = 38;
#[cfg(target_arch = "aarch64")]
const KEXEC_FILE_LOAD: c_long = 294;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DENIED_BY_ARCHITECTURE: &[c_long] = &[];

/// Not declared for every C library.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const FCHMODAT2: c_long = 452;
