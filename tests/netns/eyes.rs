//! What the router's kernel has, in the words of `ip`.

use super::site::Site;
use libtest_mimic::Failed;
use uplinkd::engine::Family;
use uplinkd::engine::input::{Dump, Input};
use uplinkd::engine::plan::SHELF;
use uplinkd::engine::route::{MAIN_TABLE, Names, Route, Rule};
use uplinkd::engine::settings::{Failover, Profile, Routing, Settings};
use uplinkd::kernel::socket::{Drained, Monitor};
use uplinkd::kernel::{Kernel, decode};

/// Nobody's settings but the usual numbers.
pub(super) fn settings() -> Settings {
    Settings {
        uplinks: vec![],
        probe: Profile::Steady.probe(),
        failover: Failover::default(),
        routing: Routing::default(),
    }
}

fn names(dump: &Dump) -> Names {
    dump.links.iter().map(|link| (link.index, link.name.clone())).collect()
}

/// Is it in one of the tables that are ours?
fn in_our_tables(route: &Route) -> bool {
    (7700..7800).contains(&route.table)
}

impl Site {
    /// Everything of one family.
    pub(super) fn dump(&self, family: Family) -> Result<Dump, Failed> {
        let settings = settings();
        let dump = || Kernel::open_all(&settings).and_then(|mut kernel| kernel.dump(family));
        Ok(self.world.router().run(dump)??)
    }

    /// Default routes of the main table, best first: of those with one metric, in the kernel's order.
    pub(super) fn defaults(&self, family: Family) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names = names(&dump);
        let in_main = |route: &&Route| route.table == MAIN_TABLE && route.is_default();
        let mut routes: Vec<&Route> = dump.routes.iter().filter(in_main).collect();
        routes.sort_by_key(|route| route.metric);
        Ok(routes.into_iter().map(|route| route.words(&names)).collect())
    }

    /// Routes of one table of ours, best first.
    pub(super) fn table(&self, family: Family, table: u32) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names = names(&dump);
        let mut routes: Vec<&Route> = dump.routes.iter().filter(|route| route.table == table).collect();
        routes.sort_by_key(|route| (route.metric, (*route).clone()));
        Ok(routes.into_iter().map(|route| route.words(&names)).collect())
    }

    /// What waits in an uplink's table to be put back.
    pub(super) fn shelf(&self, family: Family, table: u32) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names = names(&dump);
        let waits = |route: &&Route| route.table == table && route.metric >= SHELF;
        Ok(dump.routes.iter().filter(waits).map(|route| route.words(&names)).collect())
    }

    /// All rules, in the kernel's order.
    pub(super) fn rules(&self, family: Family) -> Result<Vec<String>, Failed> {
        Ok(self.dump(family)?.rules.iter().map(Rule::words).collect())
    }

    /// Everything of ours, routes and rules, and of how often each is there nothing is left out.
    pub(super) fn ours(&self, family: Family) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names = names(&dump);
        let routes = dump.routes.iter().filter(|route| route.protocol == 117 || in_our_tables(route));
        let mut words: Vec<String> = routes.map(|route| route.words(&names)).collect();
        words.sort();
        let mut rules: Vec<String> =
            dump.rules.iter().filter(|rule| rule.protocol == 117).map(Rule::words).collect();
        rules.sort();
        words.extend(rules);
        Ok(words)
    }

    /// Everything that the daemon could change, both families, also what is not its own.
    pub(super) fn everything(&self) -> Result<Vec<String>, Failed> {
        let mut words = vec![];
        for family in Family::ALL {
            let dump = self.dump(family)?;
            let names = names(&dump);
            words.extend(dump.links.iter().map(|link| format!("{link:?}")));
            words.extend(dump.routes.iter().map(|route| route.words(&names)));
            words.extend(dump.rules.iter().map(Rule::words));
        }
        Ok(words)
    }

    /// `ignore_routes_with_linkdown` of both uplinks.
    pub(super) fn ignores_linkdown(&self) -> Result<Vec<Option<bool>>, Failed> {
        let dump = self.dump(Family::V4)?;
        let of = |name: &str| {
            dump.links.iter().find(|link| link.name == name).and_then(|link| link.ignore_linkdown)
        };
        Ok(vec![of("wan0"), of("wan1")])
    }

    /// The same of one interface.
    pub(super) fn ignores_linkdown_of(&self, name: &str) -> Result<Option<bool>, Failed> {
        let dump = self.dump(Family::V4)?;
        Ok(dump.links.iter().find(|link| link.name == name).and_then(|link| link.ignore_linkdown))
    }

    /// IPv6's, where it can be read and written.
    pub(super) fn linkdown_v6(&self, name: &str) -> Result<Option<bool>, Failed> {
        let dump = self.dump(Family::V6)?;
        let index = dump.links.iter().find(|link| link.name == name).map(|link| link.index);
        Ok(index.and_then(|index| dump.linkdown.get(&index).copied()))
    }

    /// Listens to the router's kernel from now on.
    pub(super) fn listen(&self) -> Result<Ears, Failed> {
        let monitor = self.world.router().run(|| Monitor::open(None))??;
        Ok(Ears { monitor, names: names(&self.dump(Family::V4)?) })
    }
}

/// Hears what the kernel announces.
pub(super) struct Ears {
    monitor: Monitor,
    names: Names,
}

impl Ears {
    /// Changes of routes and rules since the last call, both families, but for the kernel's own.
    pub(super) fn heard(&mut self) -> Result<Vec<String>, Failed> {
        let mut messages = vec![];
        loop {
            match self.monitor.receive(&mut messages)? {
                Drained::Empty => break,
                Drained::More => {}
                Drained::Overrun => return Err("the test did not listen fast enough".into()),
            }
        }
        Ok(messages.iter().flat_map(decode::news).filter_map(|news| self.words(&news)).collect())
    }

    fn words(&self, news: &Input) -> Option<String> {
        let (verb, route) = match news {
            Input::Rule(rule) => return Some(format!("rule {}", rule.words())),
            Input::RuleGone(rule) => return Some(format!("gone rule {}", rule.words())),
            Input::Route(route) => ("", route),
            Input::RouteReplaced(route) => ("instead ", route),
            Input::RouteGone(route) => ("gone ", route),
            Input::Tick
            | Input::Link(_)
            | Input::LinkGone(_)
            | Input::Address(_)
            | Input::AddressGone(_)
            | Input::Dumped(_)
            | Input::DumpFailed(_)
            | Input::Applied { .. }
            | Input::Overrun
            | Input::Probe { .. }
            | Input::Operator(_)
            | Input::Drain(_)
            | Input::Undrain(_)
            | Input::Stop => return None,
        };
        // The kernel's own come with addresses.
        (route.protocol != 2).then(|| format!("{verb}route {}", route.words(&self.names)))
    }
}
