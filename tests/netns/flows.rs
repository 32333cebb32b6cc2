//! Connections that are forgotten when their line is left. The kernel's table is filled by hand, since nothing here
//! translates addresses; drills/keepalive has the whole of it.

use super::Case;
use super::expect::{becomes, remains, same};
use super::site::Site;
use libtest_mimic::Failed;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use nix::libc::{
    AF_INET, AF_INET6, ENOENT, IPPROTO_TCP, IPPROTO_UDP, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST,
};
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::settings::Flows;
use uplinkd::kernel::conntrack;

pub(super) const CASES: &[Case] = &[
    ("udp_that_was_translated_to_a_line_is_forgotten_when_that_line_is_left", udp),
    ("tcp_is_forgotten_too_where_that_is_wanted", all),
    ("no_connection_is_forgotten_where_that_is_wanted", none),
    ("a_table_of_many_connections_is_gone_through_to_the_end", many),
];

/// Addresses of the world: of `wan0`, of `wan1`, and of somebody behind the router.
const WAN0: &str = "192.0.2.10";
const WAN1: &str = "198.51.100.10";
const WAN0_V6: &str = "2001:db8:1::10";
const INSIDE: &str = "192.168.77.20";
const INSIDE_V6: &str = "2001:db8:77::20";
const FAR: &str = "203.0.113.200";
const FAR_V6: &str = "2001:db8:113::200";

/// A connection: protocol, port, who began it, with whom, and to whom the answers go.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Flow(i32, u16, &'static str, &'static str, &'static str);

const PHONE: Flow = Flow(IPPROTO_UDP, 5060, INSIDE, FAR, WAN0);
const PHONE_V6: Flow = Flow(IPPROTO_UDP, 5060, INSIDE_V6, FAR_V6, WAN0_V6);
const DOWNLOAD: Flow = Flow(IPPROTO_TCP, 443, INSIDE, FAR, WAN0);
const OTHER_LINE: Flow = Flow(IPPROTO_UDP, 5061, INSIDE, FAR, WAN1);
const UNTRANSLATED: Flow = Flow(IPPROTO_UDP, 5062, INSIDE, FAR, INSIDE);
const OUR_OWN: Flow = Flow(IPPROTO_UDP, 5063, WAN0, FAR, WAN0);
const FLOWS: [Flow; 6] = [PHONE, PHONE_V6, DOWNLOAD, OTHER_LINE, UNTRANSLATED, OUR_OWN];

fn udp() -> Result<(), Failed> {
    let site = with("")?;
    site.world.cut(0)?;
    site.wait_for_family("ipv6", "fallback", "wan1")?;
    let left = vec![DOWNLOAD, OTHER_LINE, UNTRANSLATED, OUR_OWN];
    becomes("connections after the failover", &left, || known(&site))?;
    site.world.mend(0)?;
    site.wait_for("primary", "wan0")?;
    becomes("connections after the failback", &vec![DOWNLOAD, UNTRANSLATED, OUR_OWN], || known(&site))
}

fn all() -> Result<(), Failed> {
    let site = with("flow_flush = \"all\"")?;
    site.world.cut(0)?;
    becomes("connections", &vec![OTHER_LINE, UNTRANSLATED, OUR_OWN], || known(&site))
}

fn none() -> Result<(), Failed> {
    let site = with("flow_flush = \"none\"")?;
    site.world.cut(0)?;
    site.wait_for("fallback", "wan1")?;
    same(
        &remains("connections", Duration::from_millis(300), || known(&site))?,
        &FLOWS.to_vec(),
        "connections",
    )
}

/// More than one datagram of the kernel holds, every other of them to be forgotten.
fn many() -> Result<(), Failed> {
    const MANY: u16 = 3000;
    let site = Site::quick(&[])?;
    let flow = |port| Flow(IPPROTO_UDP, port, INSIDE, FAR, if port % 2 == 0 { WAN0 } else { WAN1 });
    let addresses: [IpAddr; 1] = [WAN0.parse()?];
    let (forgotten, again, left) = site.world.router().run(|| -> io::Result<_> {
        let mut table = Table::open()?;
        for port in 1..=MANY {
            table.add(flow(port))?;
        }
        let flush = || conntrack::flush(Family::V4, &addresses, Flows::Udp);
        let (forgotten, again) = (flush()?, flush()?);
        let mut left = vec![];
        for port in 1..=MANY {
            left.extend(table.has(flow(port))?.then_some(port));
        }
        Ok((forgotten, again, left))
    })??;
    same(&(forgotten, again), &(usize::from(MANY / 2), 0), "forgotten the first time, and the second")?;
    same(&left, &(1..=MANY).step_by(2).collect(), "connections that are left")
}

/// A quick daemon at home, and all of the connections.
fn with(setting: &str) -> Result<Site, Failed> {
    let site = Site::configured(&format!(
        "[[uplink]]\ninterface = \"wan0\"\ngateway = \"192.0.2.1\"\ngateway6 = \"2001:db8:1::1\"\n\
         [[uplink]]\ninterface = \"wan1\"\ngateway = \"198.51.100.1\"\ngateway6 = \"2001:db8:2::1\"\n\
         [probe]\nprofile = \"fast\"\ninterval = \"100ms\"\nconfirm_interval = \"50ms\"\ntimeout = \"400ms\"\n\
         targets = [\"203.0.113.1\", \"203.0.113.2\", \"2001:db8:113::1\"]\n\
         [failover]\nstable_window = \"0s\"\n[routing]\n{setting}\n"
    ))?
    .rested()?;
    site.wait_for_family("ipv6", "primary", "wan0")?;
    site.wait("IPv6 healthy", |status| status["uplinks"][1]["families"]["ipv6"]["health"] == "healthy")?;
    site.world.router().run(|| FLOWS.into_iter().try_for_each(|flow| Table::open()?.add(flow)))??;
    same(&known(&site)?, &FLOWS.to_vec(), "connections")?;
    Ok(site)
}

fn known(site: &Site) -> Result<Vec<Flow>, Failed> {
    let all = site.world.router().run(|| {
        let mut table = Table::open()?;
        FLOWS.into_iter().map(|flow| Ok((flow, table.has(flow)?))).collect::<io::Result<Vec<_>>>()
    })??;
    Ok(all.into_iter().filter(|(_, there)| *there).map(|(flow, _)| flow).collect())
}

/// The kernel's table, in the bytes of linux/netfilter/nfnetlink_conntrack.h.
struct Table(Socket);

impl Table {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        Ok(Self(socket))
    }

    fn add(&mut self, flow: Flow) -> io::Result<()> {
        let Flow(protocol, port, from, to, answers_to) = flow;
        let timeout = attribute(7, &3600_u32.to_be_bytes());
        let rest =
            [tuple(1, protocol, from, (port, to), false), tuple(2, protocol, to, (port, answers_to), true)];
        match self.ask(0x100, NLM_F_CREATE, flow, &[rest.concat(), timeout].concat())? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn has(&mut self, flow: Flow) -> io::Result<bool> {
        let Flow(protocol, port, from, to, _) = flow;
        match self.ask(0x101, 0, flow, &tuple(1, protocol, from, (port, to), false))? {
            0 => Ok(true),
            ENOENT => Ok(false),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The error number of the acknowledgement, after whatever else is answered.
    fn ask(&mut self, kind: u16, flags: i32, flow: Flow, attributes: &[u8]) -> io::Result<i32> {
        let flags = u16::try_from(flags | NLM_F_REQUEST | NLM_F_ACK).map_err(io::Error::other)?;
        let family = if flow.2.contains(':') { AF_INET6 } else { AF_INET };
        let head = [u8::try_from(family).map_err(io::Error::other)?, 0, 0, 0];
        let length = u32::try_from(16 + head.len() + attributes.len()).map_err(io::Error::other)?;
        let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
        self.0.send_to(&[&header, &head[..], attributes].concat(), &SocketAddr::new(0, 0), 0)?;
        loop {
            let (answer, _) = self.0.recv_from_full()?;
            if answer.get(4..6) == Some(&2_u16.to_ne_bytes()) {
                let code = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
                return code
                    .map(i32::saturating_neg)
                    .ok_or_else(|| io::Error::other("a short acknowledgement"));
            }
        }
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap_or_default().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// One direction; the port is that of the far end, and 40000 that of who began.
fn tuple(kind: u16, protocol: i32, from: &str, (port, to): (u16, &str), answers: bool) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    let bytes = |text: &str| match text.parse() {
        Ok(IpAddr::V4(address)) => (1, address.octets().to_vec()),
        Ok(IpAddr::V6(address)) => (3, address.octets().to_vec()),
        Err(_) => (0, vec![]),
    };
    let ((first, from), (_, to)) = (bytes(from), bytes(to));
    let addresses = [attribute(first, &from), attribute(first + 1, &to)].concat();
    let (source, destination) = if answers { (port, 40_000) } else { (40_000_u16, port) };
    let protocol = [
        attribute(1, &[u8::try_from(protocol).unwrap_or_default()]),
        attribute(2, &source.to_be_bytes()),
        attribute(3, &destination.to_be_bytes()),
    ];
    let parts = [attribute(NESTED | 1, &addresses), attribute(NESTED | 2, &protocol.concat())];
    attribute(NESTED | kind, &parts.concat())
}
