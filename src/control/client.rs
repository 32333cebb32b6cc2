//! The client's side: blocking, one request.

use super::VERSION;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: status of the most uplinks and targets there can be.
const MAX_ANSWER: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error(
        "no daemon at {path}: {source}\n  help: is it running (`uplinkd run`), and with this --control-socket?"
    )]
    Unreachable {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// We may not ask.
    #[error("not allowed to ask the daemon at {path}\n  help: run as root, or as the daemon's user")]
    Forbidden {
        /// Where.
        path: String,
    },
    /// It answered, but not what was asked for.
    #[error("the daemon refused: {0}")]
    Refused(String),
    /// It took the question and did not answer.
    #[error(
        "the daemon at {path} did not answer within {} s\n  help: is it stopped, or very busy? `ps` tells; routes stay as they are meanwhile",
        PATIENCE.as_secs()
    )]
    Silent {
        /// Where.
        path: String,
    },
    /// The connection broke, or the answer makes no sense.
    #[error("no sensible answer from the daemon: {0}")]
    Broken(String),
}

/// Asks one thing.
///
/// # Errors
/// See [`Error`].
pub fn ask(path: &Path, request: &str) -> Result<Value, Error> {
    let unreachable = |source: std::io::Error| {
        let path = path.display().to_string();
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            Error::Forbidden { path }
        } else {
            Error::Unreachable { path, source }
        }
    };
    let mut stream = UnixStream::connect(path).map_err(unreachable)?;
    let broken = |error: std::io::Error| {
        // What a timeout of a blocking socket looks like.
        if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) {
            Error::Silent { path: path.display().to_string() }
        } else {
            Error::Broken(error.to_string())
        }
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
    let line = json!({"version": VERSION, "request": request}).to_string() + "\n";
    stream.write_all(line.as_bytes()).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer).map_err(broken)?;
    if answer.is_empty() {
        return Err(Error::Broken("it hung up; its log may tell why".to_owned()));
    }
    let answer: Value = serde_json::from_str(&answer).map_err(|error| Error::Broken(error.to_string()))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(Error::Refused(error.to_owned())),
        None => Ok(answer),
    }
}
