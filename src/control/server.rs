//! The server's side. Everything is bounded: line length, clients at once, time per client.

use super::{MAX_REQUEST, VERSION};
use anyhow::Context as _;
use log::debug;
use nix::unistd::Uid;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Clients that are served at once; more wait.
const MAX_CLIENTS: usize = 16;
/// How long one client may take to ask: it is one line, which ours send at once. So silent ones that hold all places
/// keep nobody waiting for long.
const QUESTION: Duration = Duration::from_millis(500);
/// How long one client may take in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a request is answered with: a result, or why there is none.
pub type Answer = Result<Value, String>;

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Pending {
    /// What is asked for.
    pub request: String,
    answer: oneshot::Sender<Answer>,
}

impl Pending {
    /// Answers it. A client that has gone away is nobody's loss.
    pub fn reply(self, answer: Answer) {
        _ = self.answer.send(answer);
    }
}

/// The listening socket, removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    requests: mpsc::Receiver<Pending>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    version: u32,
    request: String,
}

impl Server {
    /// Listens at `path`; a socket that nobody listens to any more is replaced.
    ///
    /// # Errors
    /// The path cannot be used, or a daemon listens there.
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).with_context(|| {
                format!(
                    "cannot make the control socket's directory {}; --control-socket names another place",
                    parent.display()
                )
            })?;
        }
        remove_stale(path)?;
        // Nobody else may connect, not even before the permissions are set.
        let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(path);
        nix::sys::stat::umask(mask);
        let listener = listener.with_context(|| {
            format!(
                "cannot listen at the control socket {}; --control-socket names another place",
                path.display()
            )
        })?;
        let (sender, requests) = mpsc::channel(MAX_CLIENTS);
        tokio::spawn(accept(listener, sender));
        Ok(Self { path: path.to_owned(), requests })
    }

    /// The next request.
    pub async fn next(&mut self) -> Pending {
        match self.requests.recv().await {
            Some(pending) => pending,
            // The listener never ends by itself; if it did, the daemon goes on without it.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    anyhow::ensure!(
        metadata.file_type().is_socket(),
        "{} is in the way: it is no socket, so it is not removed; give another path with --control-socket",
        path.display()
    );
    anyhow::ensure!(
        std::os::unix::net::UnixStream::connect(path).is_err(),
        "another daemon listens at {}; give another path with --control-socket",
        path.display()
    );
    std::fs::remove_file(path).with_context(|| format!("cannot remove the stale socket {}", path.display()))
}

async fn accept(listener: UnixListener, sender: mpsc::Sender<Pending>) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let sender = sender.clone();
                tokio::spawn(async move {
                    match tokio::time::timeout(PATIENCE, serve(stream, sender)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => debug!(error:%; "a client went away"),
                        Err(_) => debug!("a client took too long"),
                    }
                    drop(place);
                });
            }
            // Out of descriptors, perhaps: not at full speed.
            Err(error) => {
                debug!(error:%; "cannot accept a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, sender: mpsc::Sender<Pending>) -> io::Result<()> {
    let peer = Uid::from_raw(stream.peer_cred()?.uid());
    let answer = if peer.is_root() || peer == Uid::effective() {
        ask(&mut stream, &sender).await?
    } else {
        Err("only root and the daemon's own user may ask".to_owned())
    };
    let line = match answer {
        Ok(value) => value.to_string(),
        Err(error) => json!({"version": VERSION, "error": error}).to_string(),
    };
    stream.write_all(line.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.shutdown().await
}

async fn ask(stream: &mut UnixStream, sender: &mpsc::Sender<Pending>) -> io::Result<Answer> {
    let mut line = String::new();
    let limit = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
    let mut reader = BufReader::new(&mut *stream).take(limit);
    let Ok(read) = tokio::time::timeout(QUESTION, reader.read_line(&mut line)).await else {
        return Ok(Err("no question came".to_owned()));
    };
    if read.is_err() || (line.len() >= MAX_REQUEST && !line.ends_with('\n')) {
        return Ok(Err(format!("a request is one line of UTF-8, at most {MAX_REQUEST} bytes long")));
    }
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            return Ok(Err(format!(
                "not a request: {error}; ask like {{\"version\":1,\"request\":\"status\"}}"
            )));
        }
    };
    if request.version != VERSION {
        return Ok(Err(format!("this daemon speaks version {VERSION}, not {}", request.version)));
    }
    let (answer, reply) = oneshot::channel();
    let pending = Pending { request: request.request, answer };
    if sender.send(pending).await.is_err() {
        return Ok(Err("the daemon is ending".to_owned()));
    }
    Ok(reply.await.unwrap_or_else(|_| Err("the daemon is ending".to_owned())))
}
