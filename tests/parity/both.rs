//! Both kernels, side by side.

use super::domain::{self, TABLES};
use super::linux::{Linux, links};
use super::shown;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::input::Input;
use uplinkd::engine::route::Op;
use uplinkd::sim::kernel::{Kernel, Request, Told};

/// Between two looks at something that Linux does a little later: this much longer each time.
const PAUSE: Duration = Duration::from_micros(50);

/// How often is looked before Linux and the model are said to disagree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(u32);

impl Patience {
    /// Four seconds in all: the machine may be busy with other things.
    pub(super) const LONG: Self = Self(400);
    /// A tenth of a second, for what is likely to be repeated in vain very often.
    pub(super) const SHORT: Self = Self(60);
}

/// What the model sees of a request.
pub(super) type Glasses = fn(&Request) -> Request;

/// The simulated kernel, the real one, and what was told of links so far.
pub(super) struct Both {
    pub(super) model: Kernel,
    glasses: Glasses,
    patience: Patience,
    linux: Linux,
    told: BTreeMap<u32, String>,
}

/// What one thing did to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    errno: Result<(), i32>,
    news: Vec<String>,
    state: Vec<String>,
}

/// They do not agree.
#[derive(Debug, Clone)]
pub(super) struct Disagreement {
    pub(super) model: Seen,
    pub(super) linux: Seen,
}

/// Which parts of the state can have changed.
#[derive(Debug, Clone, Copy, Default)]
struct Touched {
    routes: [bool; 2],
    rules: [bool; 2],
    addresses: [bool; 2],
    links: bool,
    nexthops: bool,
}

impl Touched {
    const EVERYTHING: Self =
        Self { routes: [true; 2], rules: [true; 2], addresses: [true; 2], links: true, nexthops: true };

    fn by(request: &Request) -> Self {
        let of = |family: Family| Family::ALL.map(|each| each == family);
        match request {
            Request::Op(Op::PutRoute(route, _) | Op::DeleteRoute(route)) | Request::AppendRoute(route) => {
                Self { routes: of(route.family()), ..Self::default() }
            }
            Request::PutRouteBy(route, ..) => Self { routes: of(route.family()), ..Self::default() },
            Request::PutNexthop(..) | Request::DeleteNexthop(_) => {
                Self { routes: [true; 2], nexthops: true, ..Self::default() }
            }
            Request::DeleteRoute(parts) => Self { routes: of(parts.destination.family()), ..Self::default() },
            Request::Op(Op::AddRule(rule) | Op::DeleteRule(rule)) => {
                Self { rules: of(rule.family), ..Self::default() }
            }
            Request::AddAddress(address) | Request::DeleteAddress(address) => {
                let family = of(address.prefix.family());
                Self { routes: family, addresses: family, ..Self::default() }
            }
            Request::Op(Op::IgnoreLinkdown { .. })
            | Request::LinkUp(..)
            | Request::Carrier(..)
            | Request::AddLink(_)
            | Request::DeleteLink(_) => Self::EVERYTHING,
        }
    }
}

fn fresh_model() -> Kernel {
    let mut model = Kernel::new();
    for link in links() {
        let _new = model.request(&Request::AddLink(link));
    }
    for request in domain::tables() {
        let _made = model.request(&request);
    }
    model.news();
    model
}

impl Both {
    pub(super) fn new(glasses: Glasses, patience: Patience) -> io::Result<Self> {
        let mut linux = Linux::new().map_err(|error| io::Error::other(error.to_string()))?;
        for request in domain::tables() {
            let _made = linux.request(&request)?;
        }
        linux.news()?;
        linux.told()?;
        let mut told = BTreeMap::new();
        let model = fresh_model();
        let links: Vec<Input> = model.links().cloned().map(Input::Link).collect();
        shown::remember(&links, &mut told);
        Ok(Self { model, glasses, patience, linux, told })
    }

    /// Is nothing left to be seen of what was done? Then forgets what a model could remember all the same.
    pub(super) fn is_as_new(&mut self) -> bool {
        let (old, new) = (&self.model, fresh_model());
        let same = Family::ALL.iter().all(|family| old.dump(*family) == new.dump(*family));
        let same = same && old.nexthops().next().is_none();
        self.model = new;
        same
    }

    /// Does one thing to both, and looks at what it can have changed, or at everything. Returns the errno that both
    /// refused it with, if they did.
    pub(super) fn step(
        &mut self,
        request: &Request,
        wholly: bool,
    ) -> io::Result<Result<Result<(), i32>, Disagreement>> {
        let touched = if wholly { Touched::EVERYTHING } else { Touched::by(request) };
        let errno = self.model.request(&(self.glasses)(request));
        let said = self.model.told();
        let inputs: Vec<Input> = said.iter().cloned().filter_map(Told::fact).collect();
        let model = Seen { errno, news: self.news(&inputs, &said), state: self.state_of_model(touched) };
        let errno_of_linux = self.linux.request(request)?;
        let (mut heard, mut said) = (vec![], vec![]);
        let mut attempt = 0;
        loop {
            heard.extend(self.linux.news()?);
            said.extend(self.linux.told()?);
            let linux = Seen {
                errno: errno_of_linux,
                news: self.news(&heard, &said),
                state: self.state_of_linux(touched)?,
            };
            if model == linux {
                break;
            }
            // No use waiting for another errno.
            if attempt == self.patience.0 || model.errno != linux.errno {
                return Ok(Err(Disagreement { model, linux }));
            }
            attempt += 1;
            std::thread::sleep(PAUSE * attempt);
        }
        shown::remember(&heard, &mut self.told);
        Ok(Ok(errno))
    }

    /// What the daemon hears, and what those hear who listen to nexthop objects.
    fn news(&self, inputs: &[Input], said: &[Told]) -> Vec<String> {
        let mut news = shown::news(inputs, &self.told);
        news.extend(said.iter().filter_map(shown::told));
        news
    }

    fn state_of_model(&self, touched: Touched) -> Vec<String> {
        let (mut state, mut routes) = (vec![], vec![]);
        for (place, family) in Family::ALL.iter().enumerate() {
            if touched.routes[place] {
                for table in TABLES {
                    let ways = self.model.ways(*family, table).into_iter();
                    routes.extend(ways.map(|(route, id)| (Input::Route(route), id)));
                }
            }
            if touched.rules[place] || touched.addresses[place] {
                let dump = self.model.dump(*family);
                let rules = dump.rules.into_iter().map(Input::Rule);
                state.extend(rules.filter(|_| touched.rules[place]));
                let addresses = dump.addresses.into_iter().map(Input::Address);
                state.extend(addresses.filter(|_| touched.addresses[place]));
            }
        }
        if touched.links {
            state.extend(self.model.links().cloned().map(Input::Link));
        }
        let nexthops = self.model.nexthops().filter(|_| touched.nexthops);
        let nexthops = nexthops.map(|(nexthop, scope)| shown::nexthop(nexthop, scope));
        shown::state(&routes, &state, nexthops)
    }

    fn state_of_linux(&mut self, touched: Touched) -> io::Result<Vec<String>> {
        let (mut state, mut routes) = (vec![], vec![]);
        for (place, family) in Family::ALL.into_iter().enumerate() {
            if touched.routes[place] {
                for table in TABLES {
                    routes.extend(self.linux.table(family, table)?);
                }
            }
            if touched.rules[place] {
                state.extend(self.linux.rules(family)?);
            }
            if touched.addresses[place] {
                state.extend(self.linux.addresses(family)?);
            }
        }
        if touched.links {
            state.extend(self.linux.links()?);
        }
        let nexthops = if touched.nexthops { self.linux.nexthops()? } else { vec![] };
        let nexthops = nexthops.iter().map(|(nexthop, scope)| shown::nexthop(nexthop, *scope));
        Ok(shown::state(&routes, &state, nexthops))
    }
}

impl Disagreement {
    /// Both sides of whatever differs.
    pub(super) fn words(&self) -> String {
        let mut lines = vec![];
        let (model, linux) = (&self.model, &self.linux);
        if model.errno != linux.errno {
            lines.push(format!("  errno: model {:?}, Linux {:?}", model.errno, linux.errno));
        }
        for (what, model, linux) in
            [("news", &model.news, &linux.news), ("state", &model.state, &linux.state)]
        {
            if model != linux {
                for (whose, side) in [("the model", model), ("Linux", linux)] {
                    lines.push(format!("  {what} of {whose}:"));
                    lines.extend(side.iter().map(|line| format!("    {line}")));
                }
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}
