//! Just enough of a Rust lexer to tell code from comments and strings.
//!
//! [`code_only`] keeps length and lines, so that positions in its result are positions in the
//! source. It is no parser: what it does not understand it leaves as it is.

/// `source` with comments, strings and character literals turned into spaces.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        // Where the comment or literal that starts here ends, if one does.
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => Some(find(bytes, at, b"\n")),
            b'/' if bytes[at..].starts_with(b"/*") => Some(block_comment_end(bytes, at)),
            b'"' => Some(string_end(bytes, at)),
            b'r' => raw_string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => None,
        };
        match end {
            Some(end) => {
                blank(&mut out[at..end]);
                at = end;
            }
            None => at += 1,
        }
    }
    // Only whole runs between ASCII delimiters were replaced, by ASCII.
    String::from_utf8(out).unwrap_or_else(|_| source.to_owned())
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|b| **b != b'\n') {
        *byte = b' ';
    }
}

/// Position of `needle` at or after `at`, or the end.
fn find(bytes: &[u8], at: usize, needle: &[u8]) -> usize {
    bytes[at..]
        .windows(needle.len())
        .position(|w| w == needle)
        .map_or(bytes.len(), |n| at + n)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of the raw string that starts with the `r` at `start`, if one does.
fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..]
        .iter()
        .take_while(|b| **b == b'#')
        .count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    Some((find(bytes, open + 1, &close) + close.len()).min(bytes.len()))
}

/// The end of the character literal at `start`; none if the quote begins a lifetime.
fn char_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        // The escaped character may itself be a quote.
        return Some((find(bytes, start + 3, b"'") + 1).min(bytes.len()));
    }
    // One character of up to four bytes, then the quote.
    let text = std::str::from_utf8(&bytes[start + 1..]).ok()?;
    let width = text.chars().next()?.len_utf8();
    (bytes.get(start + 1 + width) == Some(&b'\'')).then_some(start + width + 2)
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn after_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && is_word(bytes[at - 1])
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    start + bytes[start..].iter().take_while(|b| is_word(**b)).count()
}

/// Positions of `word` in `text` where it stands by itself.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            !after_word(bytes, at) && bytes.get(at + word.len()).is_none_or(|b| !is_word(*b))
        })
}

/// The number of the line that `at` is in, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The names that a path or `use` tree names next, when `text` starts where one is expected:
/// `a::b` gives `a`, `{a, b::{c, d}}` gives `a` and `b`, `*` gives `*`. A macro's name ends in `!`.
pub(crate) fn heads(text: &str) -> Vec<String> {
    let text = text.trim_start();
    let Some(group) = text.strip_prefix('{') else {
        return head(text).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(head(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn head(text: &str) -> Option<String> {
    if text.starts_with('*') {
        return Some("*".to_owned());
    }
    let end = word_end(text.as_bytes(), 0);
    let is_macro = text[end..].starts_with('!') && !text[end..].starts_with("!=");
    (end > 0).then(|| {
        if is_macro {
            format!("{}!", &text[..end])
        } else {
            text[..end].to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{code_only, heads, line_of, words};

    #[test]
    fn comments_and_strings_become_spaces_of_the_same_length() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x // y\"", 'z')"#, "f(          ,    )"),
            ("r\"x\" r#\"y\"z\"# br\"w\"", "              b    "),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            (r"m('\'', 'é', b'x')", "m(    ,     , b   )"),
            ("r#type + for r in r", "r#type + for r in r"),
            (
                "/// unsafe\nlet s = \"unsafe\";",
                "          \nlet s =         ;",
            ),
        ] {
            assert_eq!(code_only(source), code, "of {source}");
            assert_eq!(code_only(source).len(), source.len());
        }
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(
            words("unsafe_code unsafe not_unsafe", "unsafe").collect::<Vec<_>>(),
            [12]
        );
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }

    #[test]
    fn heads_of_paths_and_groups() {
        assert_eq!(heads("task::Cell;"), ["task"]);
        assert_eq!(
            heads("{idle, queue::{a, b}, task};"),
            ["idle", "queue", "task"]
        );
        assert_eq!(heads("{\n    idle::Idle,\n}"), ["idle"]);
        assert_eq!(heads("*;"), ["*"]);
        assert_eq!(heads("trace!(x)"), ["trace!"]);
        assert_eq!(heads("{}"), [""; 0]);
    }
}
