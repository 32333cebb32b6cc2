//! Names, numbers, marks and paths.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::finding::{Complaint, quote};

/// Longest interface name, in bytes: the kernel's IFNAMSIZ without the terminator.
const MAX_INTERFACE_BYTES: usize = 15;
/// Longest uplink name, in bytes: it stands in tables, log lines and metric labels.
const MAX_NAME_BYTES: usize = 64;
/// Longest socket path, in bytes: `sun_path` without the terminator.
const MAX_SOCKET_BYTES: usize = 107;

/// Reads a whole number, as flags have it.
pub(super) fn integer(text: &str) -> Result<i128, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(format!("{} is not a whole number", quote(text)), "write digits only, such as 3")
    })
}

/// Checks the name of an interface by the kernel's own rules, and ours for messages: nothing unprintable.
pub(super) fn interface(text: &str) -> Result<String, Complaint> {
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > MAX_INTERFACE_BYTES {
        format!("{} is {} bytes long, at most {MAX_INTERFACE_BYTES} are allowed", quote(text), text.len())
    } else if matches!(text, "." | "..") || text.contains(['/', ':']) {
        format!("{} cannot be the name of an interface", quote(text))
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        format!("{} has whitespace or control characters in it", quote(text))
    } else {
        return Ok(text.to_owned());
    };
    Err(Complaint::new(problem, "write the name as `ip link` shows it, such as eth0"))
}

/// Checks the name of an uplink: it is typed on command lines.
pub(super) fn uplink_name(text: &str) -> Result<String, Complaint> {
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > MAX_NAME_BYTES {
        format!("{} is {} bytes long, at most {MAX_NAME_BYTES} are allowed", quote(text), text.len())
    } else if text.starts_with('-') {
        format!("{} begins like a flag", quote(text))
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        format!("{} has whitespace or control characters in it", quote(text))
    } else {
        return Ok(text.to_owned());
    };
    Err(Complaint::new(problem, "choose one word that can be typed on a command line, such as fiber"))
}

/// Reads a mark with an optional mask: `16`, `0x10`, `0x10/0xff`.
pub(super) fn mark(text: &str) -> Result<(u32, u32), Complaint> {
    let (mark, mask) = match text.split_once('/') {
        Some((mark, mask)) => (word(mark), word(mask)),
        None => (word(text), Some(u32::MAX)),
    };
    let (Some(mark), Some(mask)) = (mark, mask) else {
        let problem = format!("{} is not a mark", quote(text));
        return Err(Complaint::new(
            problem,
            "write MARK or MARK/MASK, both of 32 bits, such as \"0x10/0xff\"",
        ));
    };
    check_mark(mark, mask)
}

/// A mark and a mask that some but not all packets match.
pub(super) fn check_mark(mark: u32, mask: u32) -> Result<(u32, u32), Complaint> {
    if mask == 0 {
        return Err(Complaint::new(
            "has the mask 0, which every packet matches",
            "set the bits of the mask that the mark uses, such as \"0x10/0xff\"",
        ));
    }
    if mark & !mask != 0 {
        return Err(Complaint::new(
            format!("has bits in the mark ({mark:#x}) that the mask ({mask:#x}) leaves out"),
            format!("widen the mask, for instance \"{mark:#x}/{:#x}\"", mark | mask),
        ));
    }
    if mark == 0 {
        return Err(Complaint::new(
            "is 0, which is the mark of every packet without one",
            "choose a mark above 0",
        ));
    }
    Ok((mark, mask))
}

fn word(text: &str) -> Option<u32> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if digits(hex) => u32::from_str_radix(hex, 16).ok(),
        None if digits(text) => text.parse().ok(),
        Some(_) | None => None,
    }
}

/// Checks the path of a socket.
pub(super) fn socket(path: &Path) -> Result<PathBuf, Complaint> {
    let bytes = path.as_os_str().as_bytes();
    let problem = if bytes.is_empty() {
        "is empty".to_owned()
    } else if bytes.contains(&0) {
        "has a NUL byte in it".to_owned()
    } else if bytes.len() > MAX_SOCKET_BYTES {
        format!("is {} bytes long, the kernel allows {MAX_SOCKET_BYTES}", bytes.len())
    } else if bytes.ends_with(b"/") {
        format!("{} names a directory", quote(&path.to_string_lossy()))
    } else {
        return Ok(path.to_owned());
    };
    Err(Complaint::new(problem, "write the path of the socket, such as /run/uplinkd/control.sock"))
}

/// Checks the path of a file that is to be written.
pub(super) fn file(path: &Path) -> Result<PathBuf, Complaint> {
    let bytes = path.as_os_str().as_bytes();
    let problem = if bytes.is_empty() {
        "is empty".to_owned()
    } else if bytes.contains(&0) {
        "has a NUL byte in it".to_owned()
    } else if bytes.ends_with(b"/") {
        format!("{} names a directory", quote(&path.to_string_lossy()))
    } else {
        return Ok(path.to_owned());
    };
    Err(Complaint::new(problem, "write the path of a file, such as /var/lib/uplinkd/journal.jsonl"))
}

/// As [`file()`], for the configuration file.
pub(super) fn absolute_file(text: &str) -> Result<PathBuf, Complaint> {
    absolute(file(Path::new(text))?, text)
}

/// As [`socket`], for the file: the daemon may be started from any directory.
pub(super) fn absolute_socket(text: &str) -> Result<PathBuf, Complaint> {
    absolute(socket(Path::new(text))?, text)
}

fn absolute(path: PathBuf, text: &str) -> Result<PathBuf, Complaint> {
    if path.is_absolute() {
        return Ok(path);
    }
    let problem = format!("{} depends on the directory that the daemon is started in", quote(text));
    Err(Complaint::new(problem, "write the whole path, from / on"))
}
