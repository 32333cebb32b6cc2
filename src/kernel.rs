//! The kernel's side of the seam: messages become facts, operations become requests. No decisions are made here.
//!
//! ```text
//!   Monitor ─► decode ─► Input           Action::Dump  ─► Kernel::dump  ─► Input::Dumped
//!                                        Action::Apply ─► encode ─► Kernel::apply ─► refusals
//!                                        Action::Flush ─► conntrack::flush
//! ```

pub mod conntrack;
pub mod decode;
pub mod encode;
pub mod socket;

#[cfg(test)]
mod tests;

use crate::engine::Family;
use crate::engine::input::{Dump, Input, Link};
use crate::engine::plan;
use crate::engine::route::{MAIN_TABLE, Op};
use crate::engine::settings::Settings;
use nix::unistd::{AccessFlags, access};
use socket::{Refused, Requests, RouteHead};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// The request side: reads the kernel and changes it.
#[derive(Debug)]
pub struct Kernel {
    requests: Requests,
    /// Those of the uplinks.
    tables: std::ops::Range<u32>,
    protocol: u8,
    /// Names of the uplinks' interfaces; none where every interface counts.
    managed: Vec<String>,
}

impl Kernel {
    /// Opens the request socket.
    ///
    /// # Errors
    /// As [`Requests::open`].
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let tables = plan::ours(settings).tables;
        Ok(Self {
            requests: Requests::open()?,
            tables,
            protocol: settings.routing.protocol,
            managed: settings.uplinks.iter().map(|uplink| uplink.interface.clone()).collect(),
        })
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
        let mut dump = Dump {
            family,
            links: vec![],
            addresses: vec![],
            routes: vec![],
            rules: vec![],
            linkdown: BTreeMap::new(),
        };
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
        if family == Family::V6 {
            let counts = |link: &&Link| self.managed.is_empty() || self.managed.contains(&link.name);
            let known = dump
                .links
                .iter()
                .filter(counts)
                .filter_map(|link| Some((link.index, linkdown_v6(&link.name)?)));
            dump.linkdown = known.collect();
        }
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
        let mut requests = vec![];
        let mut refused = vec![];
        for (place, op) in ops.iter().enumerate() {
            match op {
                Op::IgnoreLinkdown { family: Family::V6, index, on } => {
                    refused.extend(set_linkdown_v6(*index, *on).err().map(|refusal| (place, refusal)));
                }
                Op::PutRoute(..)
                | Op::DeleteRoute(_)
                | Op::AddRule(_)
                | Op::DeleteRule(_)
                | Op::IgnoreLinkdown { family: Family::V4, .. } => {
                    requests.push((place, encode::request(op)));
                }
            }
        }
        let (places, requests): (Vec<usize>, Vec<_>) = requests.into_iter().unzip();
        let results = self.requests.transact(requests)?;
        refused.extend(
            places.into_iter().zip(results).filter_map(|(place, result)| Some((place, result.err()?))),
        );
        Ok(refused)
    }
}

/// An interface's name, or its index where it has gone.
#[must_use]
pub fn interface_name(index: u32) -> String {
    let name = nix::net::if_::if_indextoname(index).ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| format!("if{index}"))
}

/// IPv6 has no netlink attribute for it, only a file.
fn linkdown_path(interface: &str) -> PathBuf {
    format!("/proc/sys/net/ipv6/conf/{interface}/ignore_routes_with_linkdown").into()
}

/// The value, if it can be read and we could change it: containers may have these files read-only.
fn linkdown_v6(interface: &str) -> Option<bool> {
    let path = linkdown_path(interface);
    access(&path, AccessFlags::W_OK).ok()?;
    std::fs::read_to_string(path).ok().map(|text| text.trim() != "0")
}

fn set_linkdown_v6(index: u32, on: bool) -> Result<(), Refused> {
    std::fs::write(linkdown_path(&interface_name(index)), if on { "1" } else { "0" }).map_err(|error| {
        Refused {
            // A vanished interface has no such file.
            errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
            text: None,
        }
    })
}
