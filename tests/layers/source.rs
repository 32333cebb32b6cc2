//! Just enough of a reader of Rust: words without comments and strings, and the paths among them.

/// Words and signs, without comments, strings and characters.
pub(crate) fn tokens(source: &str) -> Vec<String> {
    let mut tokens: Vec<String> = vec![];
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            length
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// They nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string literal that begins here, raw or not, if one does.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with('"') || (prefix.ends_with('r') && rest.trim_start_matches('#').starts_with('"'))
        })
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()));
    }
    let mut escaped = false;
    for (at, c) in text[body..].char_indices() {
        match c {
            '"' if !escaped => return Some(body + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// A character, or only the tick of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            text[escaped + 1..].find('\'').map_or(text.len(), |at| escaped + at + 2)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

/// A path as it is named somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: Vec<String>,
    /// In a `use`, where even a single name may be a crate.
    pub(crate) imported: bool,
}

/// Every path that is named, with the trees of `use` spread out.
pub(crate) fn paths(tokens: &[String]) -> Vec<Named> {
    let mut paths = vec![];
    let mut at = 0;
    while at < tokens.len() {
        // Not what an opaque type captures: `impl Trait + use<'a>`.
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<") {
            let end = tokens[at..].iter().position(|token| token == ";").map_or(tokens.len(), |end| at + end);
            spread(&tokens[at + 1..end], &mut paths);
            at = end;
        } else if is_name(&tokens[at]) && tokens[at] != "*" {
            let mut path = vec![tokens[at].clone()];
            while at + 2 < tokens.len() && tokens[at + 1] == "::" && is_name(&tokens[at + 2]) {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            paths.push(Named { path, imported: false });
            at += 1;
        } else {
            at += 1;
        }
    }
    paths
}

/// The paths of one tree of `use`.
fn spread(tree: &[String], paths: &mut Vec<Named>) {
    // What was before each open brace, the path being read, and whether it has just been closed by a brace.
    let (mut outer, mut path, mut closed): (Vec<Vec<String>>, Vec<String>, bool) = (vec![], vec![], false);
    let mut tokens = tree.iter();
    while let Some(token) = tokens.next() {
        match token.as_str() {
            "{" => outer.push(path.clone()),
            "," | "}" => {
                let next = outer.last().cloned().unwrap_or_default();
                let read = std::mem::replace(&mut path, next);
                if !closed && outer.last() != Some(&read) {
                    paths.push(Named { path: read, imported: true });
                }
                closed = token == "}";
                if closed {
                    outer.pop();
                }
            }
            "as" => {
                tokens.next();
            }
            _ if is_name(token) => path.push(token.clone()),
            _ => {}
        }
    }
    if !closed {
        paths.push(Named { path, imported: true });
    }
}

fn is_name(token: &String) -> bool {
    token == "*" || token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
