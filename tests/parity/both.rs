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
use uplinkd::sim::kernel::{Kernel, Request};

/// How long something that Linux does a little later is waited for, in all.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_micros(50);

/// The simulated kernel, the real one, and what was told of links so far.
pub(super) struct Both {
    pub(super) model: Kernel,
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
}

impl Touched {
    const EVERYTHING: Self = Self { routes: [true; 2], rules: [true; 2], addresses: [true; 2], links: true };

    fn by(request: &Request) -> Self {
        let of = |family: Family| Family::ALL.map(|each| each == family);
        match request {
            Request::Op(Op::PutRoute(route, _) | Op::DeleteRoute(route)) | Request::AppendRoute(route) => {
                Self { routes: of(route.family()), ..Self::default() }
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
    pub(super) fn new() -> io::Result<Self> {
        let mut linux = Linux::new().map_err(|error| io::Error::other(error.to_string()))?;
        for request in domain::tables() {
            let _made = linux.request(&request)?;
        }
        linux.news()?;
        let mut told = BTreeMap::new();
        let model = fresh_model();
        let links: Vec<Input> = model.links().cloned().map(Input::Link).collect();
        shown::remember(&links, &mut told);
        Ok(Self { model, linux, told })
    }

    /// Does one thing to both. Returns whether both did it or both refused.
    pub(super) fn step(&mut self, request: &Request) -> io::Result<Result<bool, Disagreement>> {
        self.compare(request, Touched::by(request))
    }

    /// Does one thing to both and looks at everything.
    pub(super) fn step_wholly(&mut self, request: &Request) -> io::Result<Result<bool, Disagreement>> {
        self.compare(request, Touched::EVERYTHING)
    }

    /// Begins anew, if nothing is left of before: forgets what a model could remember that is not to be seen.
    pub(super) fn begin_anew(&mut self) -> bool {
        let (old, new) = (&self.model, fresh_model());
        let same = Family::ALL.iter().all(|family| old.dump(*family) == new.dump(*family));
        self.model = new;
        same
    }

    fn compare(&mut self, request: &Request, touched: Touched) -> io::Result<Result<bool, Disagreement>> {
        let errno = self.model.request(request);
        let inputs = self.model.news();
        let model =
            Seen { errno, news: shown::news(&inputs, &self.told), state: self.state_of_model(touched) };
        let errno = self.linux.request(request)?;
        let mut heard = vec![];
        let mut attempt = 0;
        loop {
            heard.extend(self.linux.news()?);
            let linux =
                Seen { errno, news: shown::news(&heard, &self.told), state: self.state_of_linux(touched)? };
            if model == linux {
                break;
            }
            // No use waiting for another errno.
            if attempt == ATTEMPTS || model.errno != linux.errno {
                return Ok(Err(Disagreement { model, linux }));
            }
            attempt += 1;
            std::thread::sleep(PAUSE * attempt);
        }
        shown::remember(&heard, &mut self.told);
        Ok(Ok(errno.is_ok()))
    }

    fn state_of_model(&self, touched: Touched) -> Vec<String> {
        let mut state = vec![];
        for (place, family) in Family::ALL.iter().enumerate() {
            if touched.routes[place] {
                for table in TABLES {
                    state.extend(self.model.table(*family, table).into_iter().map(Input::Route));
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
        state.iter().filter_map(shown::words).collect()
    }

    fn state_of_linux(&mut self, touched: Touched) -> io::Result<Vec<String>> {
        let mut state = vec![];
        for (place, family) in Family::ALL.into_iter().enumerate() {
            if touched.routes[place] {
                for table in TABLES {
                    state.extend(self.linux.table(family, table)?);
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
        Ok(state.iter().filter_map(shown::words).collect())
    }
}

impl Disagreement {
    /// Both sides, and in long lists only what differs.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        if self.model.errno != self.linux.errno {
            words += &format!("  errno: model {:?}, Linux {:?}\n", self.model.errno, self.linux.errno);
        }
        for (what, model, linux) in
            [("news", &self.model.news, &self.linux.news), ("state", &self.model.state, &self.linux.state)]
        {
            if model != linux {
                words += &format!("  {what} of the model:\n");
                model.iter().for_each(|line| words += &format!("    {line}\n"));
                words += &format!("  {what} of Linux:\n");
                linux.iter().for_each(|line| words += &format!("    {line}\n"));
            }
        }
        words
    }
}
