//! What is tried: few values of each kind, so that they meet.

use super::linux::LINKS;
use super::objects;
use super::places::{V4, V6, ip, places, prefix};
use super::random::Random;
use uplinkd::engine::Family;
use uplinkd::engine::input::Address;
use uplinkd::engine::route::{Hop, How, Kind, MAIN_TABLE, Op, Prefix, Route, Rule};
use uplinkd::sim::kernel::{Kernel, Parts, Request};

/// The tables that are used.
pub(super) const TABLES: [u32; 3] = [MAIN_TABLE, 7700, 7701];
/// An interface that is not there.
pub(super) const NO_LINK: u32 = 99;
/// A table that nobody makes.
const NO_TABLE: u32 = 7799;
const METRICS: [u32; 5] = [0, 1, 10, 256, 1024];
pub(super) const PROTOCOLS: [u8; 5] = [2, 3, 4, 16, 117];
const PRIORITIES: [u32; 4] = [100, 101, 7700, 7701];

/// Makes the tables, so that a namespace that has served for a sequence is as good as new.
pub(super) fn tables() -> Vec<Request> {
    let rules = Family::ALL.into_iter().flat_map(|family| TABLES.map(|table| plain_rule(family, table)));
    let both = |rule: Rule| [Op::AddRule(rule.clone()), Op::DeleteRule(rule)];
    rules.flat_map(both).map(Request::Op).collect()
}

fn plain_rule(family: Family, table: u32) -> Rule {
    Rule {
        family,
        priority: PRIORITIES[0],
        from: None,
        oif: None,
        mark: None,
        table,
        suppress_prefixlength: None,
        protocol: 3,
        strange: false,
    }
}

/// What most routers have: links that are up and have an address of each family. It is part of the sequence.
pub(super) fn beginning() -> Vec<Request> {
    let up = LINKS.iter().map(|(index, _)| Request::LinkUp(*index, true));
    let address = |index: u32, text: &str| Request::AddAddress(address(index, prefix(text)));
    let addresses = [
        address(LINKS[0].0, V4.addresses[0]),
        address(LINKS[1].0, V4.addresses[3]),
        address(LINKS[0].0, V6.addresses[0]),
        address(LINKS[1].0, V6.addresses[3]),
    ];
    up.chain(addresses).collect()
}

fn address(index: u32, prefix: Prefix) -> Address {
    Address { index, prefix, peer: None, global: true }
}

/// Which of the values are tried in one sequence: all, or so few that they meet all the time.
pub(super) struct Domain {
    metrics: &'static [u32],
    tables: &'static [u32],
    destinations: usize,
    gateways: usize,
    /// So many of a hundred requests are about nexthop objects.
    objects: usize,
}

impl Domain {
    pub(super) fn choose(random: &mut Random) -> Self {
        let objects = random.pick(&[0, 15, 50]);
        if random.percent(50) {
            let (destinations, gateways) = (usize::MAX, usize::MAX);
            Self { metrics: &METRICS, tables: &TABLES, destinations, gateways, objects }
        } else {
            let metric = random.below(METRICS.len());
            let table = random.below(TABLES.len());
            Self {
                metrics: &METRICS[metric..(metric + 2).min(METRICS.len())],
                tables: &TABLES[table..=table],
                destinations: 1 + random.below(4),
                gateways: 2 + random.below(6),
                objects,
            }
        }
    }
}

/// The first of them.
fn first(values: &[&'static str], count: usize) -> Vec<&'static str> {
    values.iter().take(count).copied().collect()
}

/// The next thing to do, with an eye on what is there: most random deletions would find nothing.
pub(super) fn next(random: &mut Random, domain: &Domain, kernel: &Kernel) -> Request {
    if random.percent(domain.objects) {
        return objects::next(random, domain, kernel);
    }
    let family = random.pick(&Family::ALL);
    match random.below(1000) {
        0..430 => put(random, domain, kernel, family),
        430..700 => delete(random, domain, kernel, family),
        700..780 => add_rule(random, family),
        780..840 => delete_rule(random, kernel, family),
        840..900 => {
            let text = random.pick(places(family).addresses);
            let mut new = address(index(random), prefix(text));
            if family == Family::V4 && random.percent(10) {
                new.prefix = prefix("10.0.0.1/32");
                new.peer = Some(ip("10.0.0.2"));
            }
            Request::AddAddress(new)
        }
        900..950 => match random.of(&kernel.dump(family).addresses) {
            Some(there) if random.percent(85) => Request::DeleteAddress(there),
            _ => {
                let text = random.pick(places(family).addresses);
                Request::DeleteAddress(address(index(random), prefix(text)))
            }
        },
        950..960 => Request::Op(Op::IgnoreLinkdown {
            family: Family::V4,
            index: index(random),
            on: random.percent(50),
        }),
        960..970 => Request::Carrier(index(random), random.percent(60)),
        970..998 => Request::LinkUp(index(random), random.percent(65)),
        _ => Request::DeleteLink(index(random)),
    }
}

fn index(random: &mut Random) -> u32 {
    random.pick(&LINKS).0
}

pub(super) fn hop(random: &mut Random, domain: &Domain, family: Family) -> Hop {
    let direct = random.percent(20);
    let gateway = ip(random.pick(&first(places(family).gateways, domain.gateways)));
    let index = if random.percent(2) { NO_LINK } else { index(random) };
    Hop { via: (!direct).then_some(gateway), index }
}

pub(super) fn route(random: &mut Random, domain: &Domain, kernel: &Kernel, family: Family) -> Route {
    let kind = match random.below(100) {
        0..80 => Kind::Unicast,
        80..87 => Kind::Prohibit,
        87..94 => Kind::Throw,
        94..97 => Kind::Other(6),
        _ => Kind::Other(7),
    };
    let unicast = kind == Kind::Unicast;
    // Those without an interface are not of interest, but for these.
    let count = match random.below(100) {
        _ if !unicast => 0,
        0..2 => 0,
        2..14 => 2 + random.below(2),
        _ => 1,
    };
    let mut hops: Vec<Hop> = (0..count).map(|_| hop(random, domain, family)).collect();
    if family == Family::V6 && count > 1 {
        // Refused in any case, but when has changed with the versions of Linux.
        hops.retain(|hop| hop.via.is_some());
    }
    let own = kernel.dump(family).addresses;
    let source = match random.below(100) {
        0..15 => random.of(&own).map(|address| address.prefix.address),
        15..17 => Some(prefix(random.pick(places(family).addresses)).address),
        _ => None,
    };
    Route {
        table: random.pick(domain.tables),
        metric: random.pick(domain.metrics),
        destination: prefix(random.pick(&first(places(family).destinations, domain.destinations))),
        kind,
        // In IPv4, the hops of a multipath route have flags of their own, which we never set.
        onlink: (family == Family::V6 || hops.len() == 1) && random.percent(20),
        hops,
        protocol: random.pick(&PROTOCOLS),
        source: source.filter(|_| unicast),
    }
}

fn put(random: &mut Random, domain: &Domain, kernel: &Kernel, family: Family) -> Request {
    let mut new = route(random, domain, kernel, family);
    // One that is there, with a difference or none.
    if let Some(there) = random.of(&there(kernel, family)).filter(|_| random.percent(40)) {
        let other = core::mem::replace(&mut new, there);
        match random.below(7) {
            0 => new.metric = other.metric,
            1 => new.protocol = other.protocol,
            2 | 3 if other.kind == Kind::Unicast => {
                (new.kind, new.hops, new.onlink) = (other.kind, other.hops, other.onlink);
            }
            4 => new.source = other.source.filter(|_| new.kind == Kind::Unicast),
            5 => new.table = other.table,
            _ => {}
        }
    }
    match random.below(4) {
        0 => Request::Op(Op::PutRoute(new, How::Add)),
        1 => Request::Op(Op::PutRoute(new, How::Prepend)),
        2 => Request::AppendRoute(new),
        _ => Request::Op(Op::PutRoute(new, How::Replace)),
    }
}

/// The routes of the tables that are used, but for what only routes that name objects can be: those of IPv4 with a gateway
/// of IPv6, for which other requests have no word, and those into a blackhole that have a source.
pub(super) fn there(kernel: &Kernel, family: Family) -> Vec<Route> {
    let foreign = |hop: &Hop| hop.via.is_some_and(|via| Family::of(via) != family);
    let all = TABLES.iter().flat_map(|table| kernel.table(family, *table));
    let strange =
        |route: &Route| route.hops.iter().any(foreign) || !route.is_unicast() && route.source.is_some();
    all.filter(|route| !strange(route)).collect()
}

fn delete(random: &mut Random, domain: &Domain, kernel: &Kernel, family: Family) -> Request {
    let mut victim = match random.of(&there(kernel, family)) {
        Some(there) if random.percent(90) => there,
        _ => route(random, domain, kernel, family),
    };
    if random.percent(2) {
        victim.table = NO_TABLE;
    }
    if random.percent(60) {
        return Request::Op(Op::DeleteRoute(victim));
    }
    let mut parts = Parts::of(&victim);
    parts.metric *= u32::from(random.percent(50));
    parts.protocol *= u8::from(random.percent(40));
    parts.kind = parts.kind.filter(|_| random.percent(50));
    parts.scope = parts.scope.filter(|_| random.percent(20));
    parts.source = parts.source.filter(|_| random.percent(50));
    match random.below(4) {
        0 => parts.hops.clear(),
        1 => parts.hops.truncate(1),
        2 => parts.hops.iter_mut().for_each(|hop| hop.via = None),
        _ if parts.hops.len() == 1 => parts.hops[0].index = 0,
        _ => {}
    }
    Request::DeleteRoute(parts)
}

fn rule(random: &mut Random, family: Family) -> Rule {
    let from = random.percent(40).then(|| prefix(random.pick(places(family).addresses)).address);
    let oif = random.percent(35).then(|| random.pick(&[LINKS[0].1, LINKS[1].1, "wan9"]).to_owned());
    Rule {
        priority: random.pick(&PRIORITIES),
        from: from.map(Prefix::host),
        oif,
        mark: random.percent(25).then(|| (random.pick(&[1, 2]), random.pick(&[0xff, u32::MAX]))),
        suppress_prefixlength: random.percent(25).then(|| random.pick(&[0, 24])),
        protocol: random.pick(&[3, 117]),
        ..plain_rule(family, random.pick(&TABLES))
    }
}

/// Those that nobody is born with.
fn rules(kernel: &Kernel, family: Family) -> Vec<Rule> {
    kernel.dump(family).rules.into_iter().filter(|rule| PRIORITIES.contains(&rule.priority)).collect()
}

fn add_rule(random: &mut Random, family: Family) -> Request {
    Request::Op(Op::AddRule(rule(random, family)))
}

fn delete_rule(random: &mut Random, kernel: &Kernel, family: Family) -> Request {
    let mut victim = match random.of(&rules(kernel, family)) {
        Some(there) if random.percent(90) => Rule { strange: false, ..there },
        _ => rule(random, family),
    };
    match random.below(10) {
        0 => victim.from = None,
        1 => victim.oif = None,
        2 => victim.mark = None,
        3 => victim.suppress_prefixlength = None,
        4 => victim.protocol = 0,
        _ => {}
    }
    Request::Op(Op::DeleteRule(victim))
}

/// Back to the state of a new namespace, as far as that can be done by asking.
pub(super) fn end(kernel: &Kernel, links: &[Request]) -> Vec<Request> {
    let mut requests = objects::end(kernel);
    for family in Family::ALL {
        requests.extend(there(kernel, family).into_iter().map(|route| Request::Op(Op::DeleteRoute(route))));
        let rules = rules(kernel, family).into_iter().map(|rule| Rule { strange: false, ..rule });
        requests.extend(rules.map(|rule| Request::Op(Op::DeleteRule(rule))));
        requests.extend(kernel.dump(family).addresses.into_iter().map(Request::DeleteAddress));
    }
    for link in kernel.links() {
        requests.push(Request::LinkUp(link.index, false));
        requests.push(Request::Carrier(link.index, true));
        requests.push(Request::Op(Op::IgnoreLinkdown { family: Family::V4, index: link.index, on: false }));
    }
    requests.extend(links.iter().cloned());
    requests
}
