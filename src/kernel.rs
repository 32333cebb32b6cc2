//! The kernel's side of the seam: messages become facts, operations become requests. No decisions are made here.
//!
//! ```text
//!   Monitor ─► decode ─► Input           Action::Dump  ─► Kernel::dump  ─► Input::Dumped
//!                                        Action::Apply ─► encode ─► Kernel::apply ─► refusals
//! ```

pub mod decode;
pub mod encode;
pub mod socket;

#[cfg(test)]
mod tests;

use crate::engine::Family;
use crate::engine::input::{Dump, Input};
use crate::engine::plan;
use crate::engine::route::{MAIN_TABLE, Op};
use crate::engine::settings::Settings;
use socket::{Refused, Requests, RouteHead};
use std::io;

/// The request side: reads the kernel and changes it.
#[derive(Debug)]
pub struct Kernel {
    requests: Requests,
    /// Those of the uplinks.
    tables: std::ops::Range<u32>,
    protocol: u8,
}

impl Kernel {
    /// Opens the request socket.
    ///
    /// # Errors
    /// As [`Requests::open`].
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let tables = plan::ours(settings).tables;
        Ok(Self { requests: Requests::open()?, tables, protocol: settings.routing.protocol })
    }

    /// The same for every table that could be ours: what an earlier configuration has left.
    ///
    /// # Errors
    /// As [`Requests::open`].
    pub fn open_all(settings: &Settings) -> io::Result<Self> {
        Self::open(&Settings { uplinks: vec![], ..settings.clone() })
    }

    /// Everything of one family that matters to us.
    ///
    /// # Errors
    /// The kernel refused, or the tables change faster than they can be read.
    pub fn dump(&mut self, family: Family) -> io::Result<Dump> {
        let mut dump = Dump { family, links: vec![], addresses: vec![], routes: vec![], rules: vec![] };
        let protocol = self.protocol;
        // Of the main table the default routes and ours count, whatever else a routing daemon has there.
        let matters = |head: RouteHead| head.length == 0 || head.protocol == protocol;
        let mut found = self.requests.dump_where(encode::table_routes(family, MAIN_TABLE), matters)?;
        for request in [encode::all_links(), encode::all_addresses(family), encode::all_rules(family)]
            .into_iter()
            .chain(self.tables.clone().map(|table| encode::table_routes(family, table)))
        {
            found.extend(self.requests.dump(request)?);
        }
        found.iter().flat_map(decode::inputs).for_each(|input| dump.add(input));
        Ok(dump)
    }

    /// The state of one link now, unless it is up and has carrier, as those that the engine asks for had a moment ago:
    /// that is nearly always so, and reading all of an answer costs more than getting it. Asking makes the kernel look
    /// at a carrier event that it has put off.
    ///
    /// # Errors
    /// The socket failed.
    pub fn link(&mut self, index: u32) -> io::Result<Vec<Input>> {
        const WELL: u32 = (nix::libc::IFF_UP | nix::libc::IFF_LOWER_UP).cast_unsigned();
        if self.requests.link_flags(encode::one_link(index))?.is_ok_and(|flags| flags & WELL == WELL) {
            return Ok(vec![]);
        }
        match self.requests.get(encode::one_link(index))? {
            Ok(message) => Ok(decode::inputs(&message)),
            Err(_gone) => Ok(vec![Input::LinkGone(index)]),
        }
    }

    /// The interface by which a packet of a socket that is bound to `index` would leave for `address`; none if there is
    /// no way.
    ///
    /// # Errors
    /// The socket failed.
    pub fn leaves_by(&mut self, address: std::net::IpAddr, index: u32) -> io::Result<Option<u32>> {
        Ok(self.requests.get(encode::lookup(address, index))?.ok().as_ref().and_then(decode::leaves_by))
    }

    /// Carries out operations in order; returns those that were refused, by their place.
    ///
    /// # Errors
    /// The socket failed: it is not known what was done.
    pub fn apply(&mut self, ops: &[Op]) -> io::Result<Vec<(usize, Refused)>> {
        let results = self.requests.transact(ops.iter().map(encode::request).collect())?;
        for (op, _) in ops.iter().zip(&results).filter(|(_, result)| result.is_ok()) {
            if let Op::IgnoreLinkdown { index, on } = op {
                ignore_linkdown_v6(*index, *on);
            }
        }
        Ok(results
            .into_iter()
            .enumerate()
            .filter_map(|(place, result)| Some((place, result.err()?)))
            .collect())
    }
}

/// An interface's name, or its index where it has gone.
#[must_use]
pub fn interface_name(index: u32) -> String {
    let name = nix::net::if_::if_indextoname(index).ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| format!("if{index}"))
}

/// IPv6 has no netlink attribute for it, only a file, which containers may have read-only: best effort.
fn ignore_linkdown_v6(index: u32, on: bool) {
    let name = interface_name(index);
    let path = format!("/proc/sys/net/ipv6/conf/{name}/ignore_routes_with_linkdown");
    if let Err(error) = std::fs::write(&path, if on { "1" } else { "0" }) {
        log::debug!(path, error:%; "cannot set the IPv6 side");
    }
}
