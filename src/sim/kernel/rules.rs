//! Policy rules. The comments name the functions of Linux's net/core/fib_rules.c that behave so.

use super::Kernel;
use super::errno::{EEXIST, ENOENT};
use crate::engine::Family;
use crate::engine::input::Input;
use crate::engine::route::{MAIN_TABLE, Rule};

/// RT_TABLE_DEFAULT and RT_TABLE_LOCAL.
const DEFAULT_TABLE: u32 = 253;
pub(super) const LOCAL_TABLE: u32 = 255;
/// RTPROT_KERNEL.
pub(super) const PROTOCOL_KERNEL: u8 = 2;

/// The rules that a network namespace is born with, in the order in which all are kept: by priority.
pub(super) fn initial() -> Vec<Rule> {
    let rule = |family, priority, table| Rule {
        family,
        priority,
        from: None,
        oif: None,
        mark: None,
        table,
        suppress_prefixlength: None,
        protocol: PROTOCOL_KERNEL,
        strange: false,
    };
    vec![
        rule(Family::V4, 0, LOCAL_TABLE),
        rule(Family::V6, 0, LOCAL_TABLE),
        rule(Family::V4, 32766, MAIN_TABLE),
        rule(Family::V6, 32766, MAIN_TABLE),
        rule(Family::V4, 32767, DEFAULT_TABLE),
    ]
}

impl Kernel {
    /// `fib_nl_newrule` with NLM_F_EXCL.
    pub(super) fn add_rule(&mut self, rule: &Rule) -> Result<(), i32> {
        if self.rules.iter().any(|there| exists(there, rule)) {
            return Err(EEXIST);
        }
        // Behind those of its priority.
        let place = self.rules.iter().position(|there| there.priority > rule.priority);
        self.rules.insert(place.unwrap_or(self.rules.len()), rule.clone());
        if rule.family == Family::V6 {
            self.fib6.make_table(rule.table);
        }
        self.news.tell(Input::Rule(self.shown(rule)));
        Ok(())
    }

    /// `fib_nl_delrule`: the first rule that has what the request names.
    pub(super) fn delete_rule(&mut self, rule: &Rule) -> Result<(), i32> {
        let found = self.rules.iter().position(|there| has(there, rule)).ok_or(ENOENT)?;
        let gone = self.rules.remove(found);
        self.news.tell(Input::RuleGone(self.shown(&gone)));
        Ok(())
    }

    /// A rule as it is told: one whose interface does not exist is marked as detached, which is strange to us.
    pub(super) fn shown(&self, rule: &Rule) -> Rule {
        let detached = rule.oif.as_ref().is_some_and(|name| self.by_name(name).is_none());
        Rule { strange: rule.strange || detached, ..rule.clone() }
    }

    /// Does it hold for a packet without source and mark that is to leave by `oif`?
    pub(super) fn rule_matches(&self, rule: &Rule, oif: u32) -> bool {
        rule.from.is_none_or(|from| from.length == 0)
            && rule.oif.as_ref().is_none_or(|name| self.by_name(name) == Some(oif))
            && rule.mark.is_none_or(|(mark, mask)| mark & mask == 0)
            && !rule.strange
    }
}

/// `rule_exists`.
fn exists(there: &Rule, new: &Rule) -> bool {
    there.family == new.family
        && there.priority == new.priority
        && there.table == new.table
        && there.oif == new.oif
        && there.mark == new.mark
        && there.suppress_prefixlength == new.suppress_prefixlength
        && there.protocol == new.protocol
        && source_matches(there, new)
}

/// `rule_find`: what the request does not name may be anything.
fn has(there: &Rule, wanted: &Rule) -> bool {
    there.family == wanted.family
        && there.priority == wanted.priority
        && (wanted.table == 0 || there.table == wanted.table)
        && (wanted.oif.is_none() || there.oif == wanted.oif)
        && (wanted.mark.is_none() || there.mark == wanted.mark)
        && (wanted.suppress_prefixlength.is_none()
            || there.suppress_prefixlength == wanted.suppress_prefixlength)
        && (wanted.protocol == 0 || there.protocol == wanted.protocol)
        && source_matches(there, wanted)
}

/// `fib4_rule_compare`, `fib6_rule_compare`: a rule for everyone is found in any rule.
fn source_matches(there: &Rule, wanted: &Rule) -> bool {
    wanted.from.is_none_or(|from| from.length == 0 || there.from == Some(from))
}
