//! IPv6's multipath routes in one request, which Linux takes apart: `ip6_route_multipath_add` and `_del` of
//! net/ipv6/route.c.

use super::Kernel;
use super::check::masked;
use super::errno::{EEXIST, EINVAL};
use super::fib4::Put;
use super::news::Verb;
use super::request::Parts;
use crate::engine::route::{Hop, Route};

/// IP6_RT_PRIO_USER: what IPv6 makes of no metric.
const USER_METRIC: u32 = 1024;

/// A route as IPv6 keeps it: stray bits and the lack of a metric are no mistakes.
pub(super) fn completed(route: &Route) -> Route {
    let metric = if route.metric == 0 { USER_METRIC } else { route.metric };
    Route { metric, destination: masked(route.destination), ..route.clone() }
}

impl Kernel {
    /// All hops are checked before the first goes in. There is one notification; that of a request to replace says that
    /// something was replaced, even if the place was free (Linux 6.18).
    pub(super) fn put_multipath(&mut self, route: &Route, put: Put) -> Result<(), i32> {
        let route = completed(route);
        self.fib6.make_table(route.table);
        if !route.is_unicast() || route.hops.iter().any(|hop| hop.via.is_none()) {
            return Err(EINVAL);
        }
        let mut single: Vec<Route> = vec![];
        for hop in &route.hops {
            let next = Route { hops: vec![*hop], ..route.clone() };
            self.check6(&next)?;
            if single.contains(&next) {
                return Err(EEXIST);
            }
            single.push(next);
        }
        let mut outcome = Ok(());
        let mut done: Vec<Route> = vec![];
        for next in single {
            // The first makes room for the others.
            let put = if done.is_empty() { put } else { Put::Prepend };
            match self.fib6.insert(next.clone().into(), put) {
                Ok(_) => done.push(next),
                Err(errno) => {
                    outcome = Err(errno);
                    break;
                }
            }
        }
        // From its first new hop on, or if it was appended to, from its first.
        let shown = if put == Put::Append { done.last() } else { done.first() };
        let told = shown.map(|shown| self.fib6.told(shown, put == Put::Append)).unwrap_or_default();
        if !told.is_empty() {
            self.tell_routes(told, if put == Put::Replace { Verb::Instead } else { Verb::Here });
        }
        if outcome.is_err() {
            for route in done {
                self.delete_route(&Parts::of(&route))?;
            }
        }
        outcome
    }

    /// One after the other, whatever becomes of each; the last refusal counts.
    pub(super) fn delete_multipath(&mut self, parts: &Parts) -> Result<(), i32> {
        let mut outcome = Ok(());
        for hop in &parts.hops {
            let hop: Hop = *hop;
            match self.fib6.delete_one(&Parts { hops: vec![hop], ..parts.clone() }) {
                Ok(way) => self.tell_routes(vec![way], Verb::Gone),
                Err(errno) => outcome = Err(errno),
            }
        }
        outcome
    }
}
