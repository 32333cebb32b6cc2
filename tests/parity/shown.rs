//! What is compared, and what is not: lists of words, which are easily told apart.

use std::collections::BTreeMap;
use std::net::IpAddr;
use uplinkd::engine::input::{Address, Input, Link};
use uplinkd::engine::route::{Names, Route};
use uplinkd::lab::wire::LOOPBACK;
use uplinkd::sim::kernel::{Nexthop, Told};

/// RT_TABLE_LOCAL: it follows from the addresses and is not modelled.
const LOCAL_TABLE: u32 = 255;

/// The interfaces' names, which never change.
pub(super) fn names() -> Names {
    super::linux::LINKS.iter().map(|(index, name)| (*index, (*name).to_owned())).collect()
}

/// In words, but for what is left out on both sides:
///
/// * the loopback interface and its addresses;
/// * routes of the local table;
/// * link-local addresses and routes to them or to multicast groups, which the kernel makes by itself in IPv6.
pub(super) fn words(input: &Input) -> Option<String> {
    let names = names();
    let route = |verb: &str, route: &Route| {
        is_compared(route).then(|| format!("{verb}route {}", route.words(&names)))
    };
    let address = |verb: &str, address: &Address| {
        let own = match address.prefix.address {
            IpAddr::V4(own) => !own.is_loopback(),
            IpAddr::V6(own) => !own.is_loopback() && !own.is_unicast_link_local(),
        };
        let Address { index, prefix, peer, global } = *address;
        let text = format!(
            "{verb}address {}/{} dev {index} peer {peer:?} global {global}",
            prefix.address, prefix.length
        );
        own.then_some(text)
    };
    match input {
        Input::Link(link) => (link.index != LOOPBACK)
            .then(|| format!("{} ignore {:?}", link_words(link), link.ignore_linkdown)),
        Input::LinkGone(index) => Some(format!("gone link {index}")),
        Input::Address(there) => address("", there),
        Input::AddressGone(gone) => address("gone ", gone),
        Input::Route(there) => route("", there),
        Input::RouteReplaced(there) => route("instead ", there),
        Input::RouteGone(gone) => route("gone ", gone),
        Input::Rule(rule) => Some(format!("{}rule {}", strange(rule.strange), rule.words())),
        Input::RuleGone(rule) => Some(format!("gone {}rule {}", strange(rule.strange), rule.words())),
        Input::Overrun => Some("overrun".to_owned()),
        Input::Tick
        | Input::Dumped(_)
        | Input::DumpFailed(_)
        | Input::Applied { .. }
        | Input::Probe { .. }
        | Input::Operator(_)
        | Input::Drain(_)
        | Input::Undrain(_)
        | Input::Stop => None,
    }
}

/// The same for what those hear who listen to nexthop objects.
pub(super) fn told(told: &Told) -> Option<String> {
    match told {
        Told::Fact(_) => None,
        Told::RouteBy(input, id) => words_by(input, Some(*id)),
        Told::Nexthop { nexthop, scope, replaces } => {
            Some(format!("{} replaces {replaces}", self::nexthop(nexthop, *scope)))
        }
        Told::NexthopGone { nexthop, scope } => Some(format!("gone {}", self::nexthop(nexthop, *scope))),
    }
}

/// An object, and how far its gateway is.
pub(super) fn nexthop(nexthop: &Nexthop, scope: u8) -> String {
    format!("nexthop {} scope {scope}", nexthop.words(&names()))
}

/// All that is there.
pub(super) fn state(
    routes: &[(Input, Option<u32>)],
    others: &[Input],
    nexthops: impl Iterator<Item = String>,
) -> Vec<String> {
    let routes = routes.iter().filter_map(|(route, id)| words_by(route, *id));
    routes.chain(others.iter().filter_map(words)).chain(nexthops).collect()
}

/// A route, and the object that it names.
fn words_by(route: &Input, id: Option<u32>) -> Option<String> {
    let id = id.map_or(String::new(), |id| format!(" nhid {id}"));
    words(route).map(|words| words + &id)
}

fn strange(strange: bool) -> &'static str {
    if strange { "strange " } else { "" }
}

/// Without `ignore_routes_with_linkdown`: that it changes is not told, but whatever is told later shows it.
fn link_words(link: &Link) -> String {
    let Link { index, name, up, carrier, point_to_point, .. } = link;
    format!("link {index} {name} up {up} carrier {carrier} p2p {point_to_point}")
}

fn is_compared(route: &Route) -> bool {
    let noise = match route.destination.address {
        IpAddr::V4(_) => false,
        IpAddr::V6(to) => to.is_unicast_link_local() || to.is_multicast(),
    };
    route.table != LOCAL_TABLE && !noise
}

/// The same for news. Linux tells the state of a link whenever any of its properties changes, of which we know few:
/// what repeats the state that was told last is left out, and so is a state that did not last to the end of one
/// operation.
pub(super) fn news(inputs: &[Input], told: &BTreeMap<u32, String>) -> Vec<String> {
    let mut words = vec![];
    for (place, input) in inputs.iter().enumerate() {
        if let Input::Link(link) = input {
            let again = |later: &Input| matches!(later, Input::Link(other) if other.index == link.index);
            let lasting = inputs[place..].iter().rfind(|later| again(later));
            let first = !inputs[..place].iter().any(again);
            let Some(Input::Link(lasting)) = lasting.filter(|_| first) else { continue };
            if link.index == LOOPBACK {
                continue;
            }
            if told.get(&link.index) == Some(&link_words(lasting)) {
                continue;
            }
            words.push(link_words(lasting));
        } else {
            words.extend(self::words(input));
        }
    }
    words
}

/// Remembers what was told of links.
pub(super) fn remember(inputs: &[Input], told: &mut BTreeMap<u32, String>) {
    for input in inputs {
        if let Input::Link(link) = input {
            told.insert(link.index, link_words(link));
        } else if let Input::LinkGone(index) = input {
            told.remove(index);
        }
    }
}
