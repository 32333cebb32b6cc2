//! One table of the file: each key is asked for once, and what nobody asked for is unknown.

use core::cell::RefCell;
use std::collections::BTreeMap;

use core::net::IpAddr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{expected, text};
use crate::config::address;
use crate::config::finding::{Complaint, Lines, excerpt};
use crate::config::slot::{Given, Notes, Origin, Slot};
use crate::config::suggest::nearest;
use crate::engine::settings::MAX_TARGETS;

/// Unknown keys that are noted: whoever has more named a file of another program.
const MAX_UNKNOWN: usize = 100;

/// What the sections of one file share.
pub(super) struct Document<'d> {
    lines: Lines<'d>,
    notes: &'d Notes,
    /// The keys that each table was asked for, by its title: the schema, as the readers spell it.
    asked: RefCell<BTreeMap<&'static str, Vec<&'static str>>>,
    unknown: RefCell<Vec<Unknown>>,
}

/// A key that nobody asked for.
struct Unknown {
    title: &'static str,
    name: String,
    kind: &'static str,
    origin: Origin,
}

impl<'d> Document<'d> {
    pub(super) fn new(source: &'d str, notes: &'d Notes) -> Self {
        Self { lines: Lines::new(source), notes, asked: RefCell::default(), unknown: RefCell::default() }
    }

    fn origin(&self, key: String, offset: usize) -> Origin {
        Origin { key, place: Some(self.lines.place(offset)) }
    }

    /// Notes what the TOML parser says.
    pub(super) fn not_toml(&self, error: &toml::de::Error) {
        let remedy = if error.message().contains("duplicate key") {
            "each key may stand once in its table, and each [table] once; only [[uplink]] may be repeated"
        } else {
            "TOML has `key = value` lines below [table] lines, text in quotes, numbers and true or false without"
        };
        let origin = match error.span() {
            Some(span) => self.origin(String::new(), span.start),
            None => Origin { key: String::new(), place: None },
        };
        self.notes.add(&origin, format!("not TOML: {}", error.message()), remedy);
    }

    /// Notes the unknown keys. Last, because by then all known ones have been asked for.
    pub(super) fn report_unknown(&self) {
        let asked = self.asked.borrow();
        for Unknown { title, name, kind, origin } in self.unknown.borrow().iter() {
            let here = asked.get(title).map(Vec::as_slice).unwrap_or_default();
            let elsewhere = || asked.iter().filter(|(other, _)| !other.is_empty() && *other != title);
            let near_elsewhere =
                || elsewhere().find_map(|(other, keys)| Some((other, nearest(name, keys.iter().copied())?)));
            let remedy = if let Some((other, _)) = elsewhere().find(|(_, keys)| keys.contains(&name.as_str()))
            {
                format!("it belongs in {}", brackets(other))
            } else if let Some(near) = nearest(name, here.iter().copied()) {
                let near = if title.is_empty() { brackets(near) } else { format!("`{near}`") };
                format!("did you mean {near}?")
            } else if let Some((other, near)) = near_elsewhere() {
                format!("did you mean `{near}`? It belongs in {}", brackets(other))
            } else if title.is_empty() {
                let tables: Vec<String> = here.iter().map(|title| brackets(title)).collect();
                format!("the tables are {}", tables.join(", "))
            } else {
                format!("the keys of {} are {}", brackets(title), here.join(", "))
            };
            self.notes.add(origin, format!("unknown {kind}"), remedy);
        }
    }
}

/// A table's title as it is written.
fn brackets(title: &str) -> String {
    // The one that may be repeated.
    if title == "uplink" { format!("[[{title}]]") } else { format!("[{title}]") }
}

/// A table, or one that is absent and has no keys.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    title: &'static str,
    /// `probe.`, or nothing at the root.
    prefix: String,
    table: Option<&'d DeTable<'d>>,
    /// Where it begins in the text.
    begin: Option<usize>,
    asked: Vec<&'static str>,
    /// Keys that are known, but nothing to suggest.
    later: Vec<&'static str>,
}

impl<'d> Section<'d> {
    pub(super) fn root(document: &'d Document<'d>, table: &'d DeTable<'d>) -> Self {
        Self {
            document,
            title: "",
            prefix: String::new(),
            table: Some(table),
            begin: None,
            asked: Vec::new(),
            later: Vec::new(),
        }
    }

    /// Where the table stands; none if it is absent.
    pub(super) fn origin(&self) -> Option<Origin> {
        let begin = self.begin?;
        Some(self.document.origin(self.title.to_owned(), begin))
    }

    fn entry(&mut self, key: &'static str) -> Option<(&'d Spanned<DeValue<'d>>, Origin)> {
        self.asked.push(key);
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<(&'d Spanned<DeValue<'d>>, Origin)> {
        let value = self.table?.get(key)?;
        Some((value, self.document.origin(format!("{}{key}", self.prefix), value.span().start)))
    }

    /// The value of a key.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(&DeValue<'_>) -> Result<T, Complaint>,
    ) -> Slot<T> {
        match self.entry(key) {
            Some((value, origin)) => Slot::noted(convert(value.get_ref()), origin, self.document.notes),
            None => Slot::Absent,
        }
    }

    /// A key or table that is documented but not built.
    pub(super) fn later(&mut self, key: &'static str, remedy: &str) {
        self.later.push(key);
        if let Some((_, origin)) = self.find(key) {
            self.document.notes.add(&origin, "is not supported yet", remedy);
        }
    }

    /// A list of targets.
    pub(super) fn targets(&mut self, key: &'static str) -> Slot<Vec<IpAddr>> {
        let notes = self.document.notes;
        let Some((value, origin)) = self.entry(key) else {
            return Slot::Absent;
        };
        let Some(items) = value.get_ref().as_array() else {
            notes.complain(
                &origin,
                expected("a list", value.get_ref(), "write a list in brackets, such as [\"192.0.2.1\"]"),
            );
            return Slot::Broken;
        };
        // Beyond any list that could pass, so that a finding is not repeated a million times.
        let most = MAX_TARGETS * 2;
        if items.len() > most {
            let remedy =
                format!("name at most {MAX_TARGETS} of each family: all of them are asked in each round");
            notes.add(&origin, format!("has {} targets", items.len()), remedy);
            return Slot::Broken;
        }
        let read = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
            let place = self.document.origin(format!("{}[{index}]", origin.key), item.span().start);
            Slot::noted(text(item.get_ref()).and_then(address::target), place, notes)
        };
        let items: Vec<_> = items.iter().enumerate().map(read).collect();
        address::target_list(&items, origin, notes)
    }

    /// A table inside this one. Absent is the same as empty.
    pub(super) fn section(&mut self, title: &'static str) -> Section<'d> {
        let (mut table, mut begin) = (None, None);
        if let Some((value, origin)) = self.entry(title) {
            table = value.get_ref().as_table();
            begin = Some(value.span().start);
            if table.is_none() {
                let remedy = format!("write the line [{title}], in single brackets, and its keys below");
                self.document.notes.complain(&origin, expected("a table", value.get_ref(), remedy));
            }
        }
        let prefix = format!("{}{title}.", self.prefix);
        Section { document: self.document, title, prefix, table, begin, asked: Vec::new(), later: Vec::new() }
    }

    /// A table that may be repeated, up to `most` times.
    pub(super) fn tables(&mut self, title: &'static str, most: usize) -> Tables<'d> {
        let document = self.document;
        let Some((value, origin)) = self.entry(title) else {
            return Tables { document, title, found: Slot::Absent };
        };
        let Some(items) = value.get_ref().as_array() else {
            let remedy = format!("write the line [[{title}]], in double brackets, and its keys below");
            document.notes.complain(&origin, expected("a list of tables", value.get_ref(), remedy));
            return Tables { document, title, found: Slot::Broken };
        };
        if let Some(first_over) = items.get(most) {
            let place = document.origin(format!("{title}[{most}]"), first_over.span().start);
            let problem = format!("is one more than the {most} that one daemon manages");
            document.notes.add(&place, problem, "leave some out");
        }
        let found = items.iter().take(most).collect();
        Tables { document, title, found: Slot::Given(Given { value: found, origin }) }
    }

    /// Notes down the keys that nobody asked for.
    pub(super) fn close(self) {
        for (key, value) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) || self.later.contains(&name) {
                continue;
            }
            let origin = self.document.origin(format!("{}{}", self.prefix, excerpt(name)), key.span().start);
            let kind = match value.get_ref() {
                DeValue::Table(_) => "table",
                DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => "table",
                DeValue::Array(_)
                | DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => "key",
            };
            if self.document.unknown.borrow().len() >= MAX_UNKNOWN {
                break;
            }
            let unknown = Unknown { title: self.title, name: name.to_owned(), kind, origin };
            self.document.unknown.borrow_mut().push(unknown);
        }
        self.document.asked.borrow_mut().insert(self.title, self.asked);
    }
}

/// The repetitions of one table.
pub(super) struct Tables<'d> {
    document: &'d Document<'d>,
    title: &'static str,
    found: Slot<Vec<&'d Spanned<DeValue<'d>>>>,
}

impl<'d> Tables<'d> {
    /// Reads each; one that is not a table is noted and comes as `None`, so that the others keep their position.
    pub(super) fn convert_tables<T>(self, read: impl Fn(Option<Section<'d>>, Origin) -> T) -> Slot<Vec<T>> {
        let Self { document, title, found } = self;
        found.convert(document.notes, |items| {
            let each = |(index, item): (usize, &&'d Spanned<DeValue<'d>>)| {
                let origin = document.origin(format!("{title}[{index}]"), item.span().start);
                let table = item.get_ref().as_table();
                if table.is_none() {
                    let remedy = format!("write the line [[{title}]] and its keys below");
                    document.notes.complain(&origin, expected("a table", item.get_ref(), remedy));
                }
                let prefix = format!("{}.", origin.key);
                let section = table.map(|table| Section {
                    document,
                    title,
                    prefix,
                    table: Some(table),
                    begin: None,
                    asked: Vec::new(),
                    later: Vec::new(),
                });
                read(section, origin)
            };
            Ok(items.iter().enumerate().map(each).collect())
        })
    }
}
