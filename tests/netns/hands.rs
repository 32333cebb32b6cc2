//! A stranger's hands: whoever else changes the router's routes and rules.

use super::eyes::settings;
use super::site::Site;
use libtest_mimic::Failed;
use std::net::{IpAddr, Ipv4Addr};
use uplinkd::engine::Family;
use uplinkd::engine::route::{Hop, How, Kind, MAIN_TABLE, Op, Prefix, Route, Rule};
use uplinkd::kernel::Kernel;

/// `rtm_protocol` of an administrator.
pub(super) const STATIC: u8 = 4;
/// `rtm_protocol` of a DHCP client.
pub(super) const DHCP: u8 = 16;

impl Site {
    /// Does these things in the router; all of them must succeed.
    pub(super) fn stranger(&self, ops: &[Op]) -> Result<(), Failed> {
        let settings = settings();
        let refused = self
            .world
            .router()
            .run(|| Kernel::open(&settings).and_then(|mut kernel| kernel.apply(ops)))??;
        match refused.first() {
            None => Ok(()),
            Some((place, refusal)) => {
                Err(format!("the kernel refused the stranger's {:?}: {refusal}", ops[*place]).into())
            }
        }
    }

    /// A stranger's route to somewhere through the gateway of an uplink.
    pub(super) fn route(
        &self,
        to: Prefix,
        uplink: usize,
        metric: u32,
        protocol: u8,
    ) -> Result<Route, Failed> {
        let plan = self.world.uplink(uplink)?.plan(to.family()).ok_or("the uplink lacks this family")?;
        let hop = Hop { via: plan.gateway, index: self.world.index(uplink)? };
        let (table, kind) = (MAIN_TABLE, Kind::Unicast);
        Ok(Route {
            table,
            metric,
            destination: to,
            kind,
            hops: vec![hop],
            protocol,
            source: None,
            onlink: false,
        })
    }

    /// A stranger's default route through an uplink.
    pub(super) fn default_by(&self, uplink: usize, metric: u32, protocol: u8) -> Result<Route, Failed> {
        self.route(Prefix::default_route(Family::V4), uplink, metric, protocol)
    }

    /// The routes of ours that are there, as values.
    pub(super) fn our_routes(&self) -> Result<Vec<Route>, Failed> {
        self.our_routes_of(Family::V4)
    }

    /// The same of one family.
    pub(super) fn our_routes_of(&self, family: Family) -> Result<Vec<Route>, Failed> {
        let routes = self.dump(family)?.routes;
        Ok(routes.into_iter().filter(|route| route.protocol == 117).collect())
    }

    /// The rules of ours that are there, as values.
    pub(super) fn our_rules(&self) -> Result<Vec<Rule>, Failed> {
        self.our_rules_of(Family::V4)
    }

    /// The same of one family.
    pub(super) fn our_rules_of(&self, family: Family) -> Result<Vec<Rule>, Failed> {
        let rules = self.dump(family)?.rules;
        Ok(rules.into_iter().filter(|rule| rule.protocol == 117).collect())
    }
}

/// A network of the internet.
pub(super) fn network(third: u8) -> Prefix {
    Prefix { address: IpAddr::V4(Ipv4Addr::new(203, 0, third, 0)), length: 24 }
}

/// Puts routes in places that are free.
pub(super) fn add(route: &Route) -> Op {
    Op::PutRoute(route.clone(), How::Add)
}

/// A stranger's rule.
pub(super) fn rule(priority: u32, table: u32, protocol: u8) -> Rule {
    Rule {
        family: Family::V4,
        priority,
        from: None,
        oif: None,
        mark: None,
        table,
        suppress_prefixlength: None,
        protocol,
        strange: false,
    }
}
