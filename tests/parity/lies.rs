//! The comparison can fail: a model that is told something else than Linux is found out.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a lie is about few requests and leaves the others alone"
)]

use super::both::{Glasses, Patience};
use super::domain::NO_LINK;
use super::runs::{self, Plan};
use uplinkd::engine::route::{How, Kind, Op, Route};
use uplinkd::sim::kernel::{Member, Nexthop, NexthopKind, Parts, PutNexthop, Request};

/// Enough to meet any of them.
const OPS: usize = 20_000;
/// No lie needs more than this to show.
const LONGEST: usize = 8;

/// What the model mistakes for what.
const LIES: [(&str, Glasses); 8] = [
    ("what is appended goes in front", appended_in_front),
    ("whoever made a route, it is deleted", anyones),
    ("every gateway can be reached", all_on_link),
    // Nothing but the errno is another.
    ("what leads to a missing interface is malformed", malformed),
    ("an object that is to be changed need not be there", changed_or_made),
    ("the members of a group have equal shares", equal_shares),
    ("whatever object a route names, it is deleted", any_object),
    // Neither a notification nor a dump shows it: only what is done later can.
    ("a route that names an object leads anywhere", leads_anywhere),
];

fn appended_in_front(request: &Request) -> Request {
    match request {
        Request::AppendRoute(route) => Request::Op(Op::PutRoute(route.clone(), How::Prepend)),
        other => other.clone(),
    }
}

fn anyones(request: &Request) -> Request {
    match request {
        Request::Op(Op::DeleteRoute(route)) => {
            Request::DeleteRoute(Parts { protocol: 0, ..Parts::of(route) })
        }
        Request::DeleteRoute(parts) => Request::DeleteRoute(Parts { protocol: 0, ..parts.clone() }),
        other => other.clone(),
    }
}

fn all_on_link(request: &Request) -> Request {
    match request {
        Request::Op(Op::PutRoute(route, how)) => {
            let onlink = route.hops.len() == 1 && route.hops[0].via.is_some();
            Request::Op(Op::PutRoute(Route { onlink, ..route.clone() }, *how))
        }
        other => other.clone(),
    }
}

fn malformed(request: &Request) -> Request {
    match request {
        Request::Op(Op::PutRoute(route, how)) if route.uses(NO_LINK) => {
            Request::Op(Op::PutRoute(Route { kind: Kind::Other(5), ..route.clone() }, *how))
        }
        other => other.clone(),
    }
}

fn changed_or_made(request: &Request) -> Request {
    match request {
        Request::PutNexthop(nexthop, PutNexthop::Change) => {
            Request::PutNexthop(nexthop.clone(), PutNexthop::Replace)
        }
        other => other.clone(),
    }
}

fn equal_shares(request: &Request) -> Request {
    match request {
        Request::PutNexthop(Nexthop { id, protocol, kind: NexthopKind::Group(members) }, put) => {
            let equal = |member: &Member| Member { id: member.id, weight: 1 };
            let kind = NexthopKind::Group(members.iter().map(equal).collect());
            Request::PutNexthop(Nexthop { id: *id, protocol: *protocol, kind }, *put)
        }
        other => other.clone(),
    }
}

fn any_object(request: &Request) -> Request {
    match request {
        Request::DeleteRoute(parts) => Request::DeleteRoute(Parts { nexthop: None, ..parts.clone() }),
        other => other.clone(),
    }
}

fn leads_anywhere(request: &Request) -> Request {
    match request {
        Request::PutRouteBy(route, id, _, put) => Request::PutRouteBy(route.clone(), *id, 0, *put),
        other => other.clone(),
    }
}

/// Each is found, and shown by a short sequence.
pub(super) fn are_found_out() -> Result<(), String> {
    for (what, glasses) in LIES {
        let plan = Plan { seed: 1, ops: OPS, glasses, patience: Patience::SHORT, reports: 1 };
        let tally = runs::run(plan).map_err(|error| error.to_string())?;
        let Some((requests, text)) = tally.apart.first() else {
            return Err(format!("not found out: {what}"));
        };
        if requests.len() > LONGEST {
            return Err(format!("`{what}` is not shown by fewer than {} operations: {text}", requests.len()));
        }
    }
    Ok(())
}
