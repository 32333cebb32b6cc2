//! Many packets in one system call.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::SockAddr;

use super::packet::LENGTH;

/// Sends `packets[i]` to `addresses[i]`, in one call. Tells how many went; an error is the first one's.
///
/// By hand, because the wrapper of nix tells how many went only by reading addresses that were never written.
#[expect(unsafe_code, reason = "sendmmsg has no sound safe wrapper among our dependencies")]
pub(super) fn send(
    fd: BorrowedFd<'_>,
    packets: &[[u8; LENGTH]],
    addresses: &[SockAddr],
) -> io::Result<usize> {
    let mut vectors: Vec<libc::iovec> = packets
        .iter()
        .map(|packet| libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .zip(addresses)
        .map(|(vector, address)| {
            // SAFETY: a header of zeros is a valid one, without address, data and ancillary data.
            let mut message: libc::mmsghdr = unsafe { core::mem::zeroed() };
            message.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            message.msg_hdr.msg_namelen = address.len();
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    // SAFETY: `messages` holds `count` headers, which point to vectors, packets and addresses that outlive the call; the
    // kernel reads these (the pointers are mutable only because receiving shares the type) and writes `msg_len` alone.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
