//! What is done to nexthop objects, and what that does to routes. The comments name the functions of Linux's
//! net/ipv4/nexthop.c that behave so.

use super::errno::{EEXIST, EINVAL, ENETDOWN, ENOENT};
use super::fib4::{Alias, Done, Put};
use super::news::{Told, Verb};
use super::nexthop::{Nexthop, NexthopKind, PutNexthop};
use super::nexthops::{Way, members};
use super::request::{HOST, LINK, UNIVERSE};
use super::{Kernel, check, multipath};
use crate::engine::Family;
use crate::engine::route::{Hop, Kind, MAIN_TABLE, Prefix, Route};
use core::net::IpAddr;
use std::collections::BTreeSet;

/// As many as the message has room for.
const WEIGHT_MAX: u32 = 65_535;

impl Kernel {
    /// `rtm_new_nexthop`. What is asked for is checked before its place is looked at.
    pub(super) fn put_nexthop(&mut self, nexthop: &Nexthop, put: PutNexthop) -> Result<(), i32> {
        if nexthop.id == 0 {
            return Err(EINVAL);
        }
        let scope = self.check_nexthop(&nexthop.kind)?;
        match (self.nexthops.get(nexthop.id).is_some(), put.replaces()) {
            (true, true) => return self.replace_nexthop(nexthop, scope),
            (true, false) => return Err(EEXIST),
            (false, true) if put == PutNexthop::Change => return Err(ENOENT),
            (false, true | false) => {}
        }
        self.nexthops.put(nexthop.clone(), scope);
        self.tell_nexthop(nexthop.id, put.replaces());
        Ok(())
    }

    /// `rtm_del_nexthop`.
    pub(super) fn delete_nexthop(&mut self, id: u32) -> Result<(), i32> {
        if id == 0 {
            return Err(EINVAL);
        }
        self.nexthops.get(id).ok_or(ENOENT)?;
        self.remove_nexthop(id, true);
        Ok(())
    }

    /// `nexthop_flush_dev`: objects by an interface that is down or has no carrier go, and what uses them. Of the objects
    /// nobody is told.
    pub(super) fn flush_nexthops(&mut self, index: u32) {
        for id in self.nexthops.by(index) {
            self.remove_nexthop(id, false);
        }
    }

    /// A route that names an object instead of hops.
    pub(super) fn put_route_by(&mut self, route: &Route, id: u32, scope: u8, put: Put) -> Result<(), i32> {
        let known = match route.kind {
            Kind::Unicast | Kind::Prohibit | Kind::Throw | Kind::Other(6 | 7) => true,
            Kind::Other(_) => false,
        };
        if !known || !route.hops.is_empty() {
            return Err(EINVAL);
        }
        let (done, told) = match route.family() {
            Family::V4 => {
                if check::masked(route.destination) != route.destination {
                    return Err(EINVAL);
                }
                let alias = Alias::by(route.clone(), scope, id);
                // `fib_find_info_nh`: what a route like it was asked, none is asked again.
                if !self.fib4.knows(&alias) {
                    self.check_route_by(route, id, scope)?;
                }
                let way = alias.way();
                (self.fib4.insert(alias, put)?, vec![way])
            }
            Family::V6 => {
                self.nexthops.get(id).ok_or(EINVAL)?;
                let route = multipath::completed(route);
                self.fib6.make_table(route.table);
                self.check_route_by(&route, id, UNIVERSE)?;
                self.fib6.insert(Way { route, nexthop: Some(id) }, put)?
            }
        };
        match done {
            Done::Nothing => {}
            Done::Added => self.tell_routes(told, Verb::Here),
            Done::Replaced => self.tell_routes(told, Verb::Instead),
        }
        Ok(())
    }

    fn check_route_by(&self, route: &Route, id: u32, scope: u8) -> Result<(), i32> {
        let kind = &self.nexthops.get(id).ok_or(EINVAL)?.nexthop.kind;
        let suits = match route.family() {
            // What a route that refuses would do with its hops is not asked.
            Family::V4 => !route.is_unicast() || scope <= HOST && self.nexthops.suits4(kind, scope),
            Family::V6 => self.nexthops.suits6(kind),
        };
        let own = match route.source {
            None => true,
            Some(IpAddr::V4(source)) => route.family() == Family::V4 && self.is_own4(source, None),
            Some(source @ IpAddr::V6(_)) => route.family() == Family::V6 && self.is_own6(source, None),
        };
        if suits && own { Ok(()) } else { Err(EINVAL) }
    }

    /// `rtm_to_nh_config` and `nexthop_create`. Returns how far the neighbour is.
    fn check_nexthop(&self, kind: &NexthopKind) -> Result<u8, i32> {
        match kind {
            NexthopKind::Blackhole(_) => Ok(UNIVERSE),
            NexthopKind::Group(members) => {
                let ids: BTreeSet<u32> = members.iter().map(|member| member.id).collect();
                let fits = |id: &u32| match self.nexthops.get(*id).map(|object| &object.nexthop.kind) {
                    None | Some(NexthopKind::Group(_)) => false,
                    Some(NexthopKind::Blackhole(_)) => members.len() == 1,
                    Some(NexthopKind::Single { .. }) => true,
                };
                let weights = members.iter().all(|member| (1..=WEIGHT_MAX).contains(&member.weight));
                let good = !ids.is_empty() && ids.len() == members.len() && weights && ids.iter().all(fits);
                if good { Ok(UNIVERSE) } else { Err(EINVAL) }
            }
            NexthopKind::Single { family, hop, onlink } => self.check_single(*family, *hop, *onlink),
        }
    }

    fn check_single(&self, family: Family, hop: Hop, onlink: bool) -> Result<u8, i32> {
        let strange = hop.via.is_some_and(|via| Family::of(via) != family);
        if strange || onlink && hop.via.is_none() {
            return Err(EINVAL);
        }
        let link = self.link(hop.index).ok_or(EINVAL)?;
        // A route may lead by an interface without carrier, an object may not.
        if !link.up || !link.carrier {
            return Err(ENETDOWN);
        }
        // No table but those that the rules name is asked for the gateway.
        let table = match family {
            Family::V4 => MAIN_TABLE,
            Family::V6 => 0,
        };
        let route = Route {
            table,
            metric: 0,
            destination: Prefix::default_route(family),
            kind: Kind::Unicast,
            hops: vec![hop],
            protocol: 0,
            source: None,
            onlink,
        };
        match family {
            Family::V4 => self.check_hop4(&route, hop),
            Family::V6 => self.check_hop6(&route).map(|()| LINK),
        }
    }

    /// `replace_nexthop`: all routes that name it, or a group that it is in, must be content with the new one. They are
    /// told as if each were replaced.
    fn replace_nexthop(&mut self, new: &Nexthop, scope: u8) -> Result<(), i32> {
        let Some(old) = self.nexthops.get(new.id) else { return Err(ENOENT) };
        let groups = old.groups.clone();
        let is_group = |kind: &NexthopKind| matches!(kind, NexthopKind::Group(_));
        let several = |id: &u32| self.nexthops.hops(*id).is_some_and(|hops| hops.len() > 1);
        let blackhole = matches!(new.kind, NexthopKind::Blackhole(_));
        if is_group(&old.nexthop.kind) != is_group(&new.kind) || blackhole && groups.iter().any(several) {
            return Err(EINVAL);
        }
        for id in core::iter::once(&new.id).chain(&groups) {
            let content4 =
                self.fib4.naming(*id).iter().all(|alias| self.nexthops.suits4(&new.kind, alias.scope));
            let content6 = self.fib6.naming(*id).is_empty() || self.nexthops.suits6(&new.kind);
            if !content4 || !content6 {
                return Err(EINVAL);
            }
        }
        // A group keeps its maker (Linux 6.18).
        let protocol = if is_group(&new.kind) { old.nexthop.protocol } else { new.protocol };
        self.nexthops.put(Nexthop { protocol, ..new.clone() }, scope);
        self.tell_nexthop(new.id, true);
        for id in core::iter::once(new.id).chain(groups) {
            let mut ways: Vec<Way> = self.fib4.naming(id).into_iter().map(Alias::way).collect();
            ways.extend(self.fib6.naming(id));
            for way in ways {
                self.tell_routes(vec![way], Verb::Instead);
            }
        }
        Ok(())
    }

    /// `remove_nexthop`: routes that name it go, IPv4's without a word; then it leaves its groups, and those that it was
    /// the last of go in the same way.
    fn remove_nexthop(&mut self, id: u32, told: bool) {
        let Some(object) = self.nexthops.get(id).cloned() else { return };
        if told {
            self.news.tell_object(Told::NexthopGone { nexthop: object.nexthop, scope: object.scope });
        }
        self.fib4.forget(id);
        for way in self.fib6.naming(id) {
            self.tell_routes(vec![way], Verb::Gone);
        }
        self.fib6.forget(id);
        for group in object.groups {
            let others = self.nexthops.get(group).map_or(0, |object| members(&object.nexthop.kind).len());
            if others <= 1 {
                self.remove_nexthop(group, told);
                continue;
            }
            self.nexthops.shrink(group, id);
            if told {
                self.tell_nexthop(group, false);
            }
        }
        self.nexthops.remove(id);
    }

    fn tell_nexthop(&mut self, id: u32, replaces: bool) {
        if let Some(object) = self.nexthops.get(id) {
            let (nexthop, scope) = (object.nexthop.clone(), object.scope);
            self.news.tell_object(Told::Nexthop { nexthop, scope, replaces });
        }
    }
}
