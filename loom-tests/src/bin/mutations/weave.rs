//! Weaves mutations into a text, so that all share one build.
//!
//! The body of each function that is mutated is there once for each mutation and once as it was, behind a choice made when it
//! is called: `switch` in the models. That needs no understanding of Rust beyond where a function begins and ends.

use std::fmt::Write;
use std::ops::Range;

/// A piece of a text that becomes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) span: Range<usize>,
    pub(crate) new: String,
}

impl Edit {
    pub(crate) fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.span;
        format!("{}{}{}", &text[..start], self.new, &text[end..])
    }
}

/// A function: its name, and where its body is, braces included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) body: Range<usize>,
    /// Its body may be a choice between several: it is not evaluated by the compiler, and its return type is not named by its
    /// body.
    can_choose: bool,
}

/// The text with the edits woven in, and the numbers of those that could not be, which need a build of their own.
pub(crate) fn weave(text: &str, edits: &[(usize, &Edit)]) -> (String, Vec<usize>) {
    let functions = functions(text);
    let mut bodies: Vec<(&Function, Vec<(usize, &Edit)>)> = Vec::new();
    let mut left = Vec::new();
    for &(number, edit) in edits {
        let function = innermost(&functions, &edit.span).filter(|function| function.can_choose);
        let Some(function) = function else {
            left.push(number);
            continue;
        };
        let present = bodies.iter().position(|(other, _)| *other == function);
        let meets = |other: &Function| meet(&other.body, &function.body);
        match present {
            Some(at) => bodies[at].1.push((number, edit)),
            None if bodies.iter().any(|(other, _)| meets(other)) => left.push(number),
            None => bodies.push((function, vec![(number, edit)])),
        }
    }
    bodies.sort_by_key(|(function, _)| function.body.start);
    let mut woven = text.to_owned();
    for (function, edits) in bodies.iter().rev() {
        woven.replace_range(function.body.clone(), &choice(text, &function.body, edits));
    }
    (woven, left)
}

fn choice(text: &str, body: &Range<usize>, edits: &[(usize, &Edit)]) -> String {
    let numbers: Vec<usize> = edits.iter().map(|(number, _)| *number).collect();
    let mut choice = format!("{{ match crate::switch::chosen(&{numbers:?}) {{\n");
    for (number, edit) in edits {
        let span = edit.span.start - body.start..edit.span.end - body.start;
        let new = edit.new.clone();
        let mutated = Edit { span, new }.apply(&text[body.clone()]);
        writeln!(choice, "{number} => {mutated}").expect("a string takes anything");
    }
    choice + "_ => " + &text[body.clone()] + "\n} }"
}

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The function that a span is in.
pub(crate) fn innermost<'a>(
    functions: &'a [Function],
    span: &Range<usize>,
) -> Option<&'a Function> {
    functions
        .iter()
        .filter(|function| function.body.start < span.start && span.end < function.body.end)
        .min_by_key(|function| function.body.len())
}

/// All functions of a text that have a body.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    struct Open {
        at: usize,
        function: Option<(String, bool)>,
        depth_outside: usize,
    }

    let bare = bare(text);
    let (mut functions, mut open, mut depth, mut begins) = (Vec::new(), Vec::new(), 0, 0);
    for (at, byte) in bare.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => begins = at + 1,
            b'{' => {
                open.push(Open {
                    at,
                    function: function_of(&bare[begins..at]),
                    depth_outside: std::mem::take(&mut depth),
                });
                begins = at + 1;
            }
            b'}' => {
                let Some(closed) = open.pop() else { continue };
                depth = closed.depth_outside;
                begins = at + 1;
                functions.extend(closed.function.map(|(name, can_choose)| Function {
                    name,
                    body: closed.at..at + 1,
                    can_choose,
                }));
            }
            _ => {}
        }
    }
    functions
}

/// The name of the function whose head this is, and whether its body may be a choice.
fn function_of(head: &str) -> Option<(String, bool)> {
    let words: Vec<&str> = head.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "fn")?;
    let name = words.get(at + 1)?.split(['(', '<']).next()?;
    let is_plain = !words[..at]
        .iter()
        .any(|word| ["const", "async"].contains(word));
    let returned = head.rsplit_once("->").map_or("", |(_, returned)| returned);
    let names_its_type = !returned
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "impl");
    Some((name.to_owned(), is_plain && names_its_type))
}

/// The text with spaces for everything inside comments, strings and characters; as long as before.
pub(crate) fn bare(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut bare = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = opaque(
            &text[at..],
            at > 0 && bytes[at - 1] != b'b' && is_of_word(bytes[at - 1]),
        );
        bare[at..at + length].fill(b' ');
        at += length.max(1);
        while !text.is_char_boundary(at) {
            bare[at - 1] = b' ';
            bare[at] = b' ';
            at += 1;
        }
    }
    String::from_utf8(bare).expect("what is not ASCII has been blanked")
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of the comment, string or character that the text begins with; 0 if with none.
fn opaque(text: &str, is_within_word: bool) -> usize {
    let up_to = |end: &str, from: usize| {
        text[from..]
            .find(end)
            .map_or(text.len(), |found| from + found + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return up_to("*/", 2);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let mut rest = rest.chars();
        return match (rest.next(), rest.next()) {
            (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, '\''),
            _ => 0, // a lifetime
        };
    }
    if text.starts_with('r') && !is_within_word {
        let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
        if text[1 + hashes..].starts_with('"') {
            return up_to(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    0
}

/// The length of what is between two quotes, these included.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, old: &str, new: &str) -> Edit {
        let start = text.find(old).expect("is there");
        Edit {
            span: start..start + old.len(),
            new: new.to_owned(),
        }
    }

    #[test]
    fn comments_strings_and_characters_hide_what_is_in_them() {
        let text = "a // { \n\"}\\\"{\" '{' '\\'' 'b r#\"{\"# /* } */ br\"{\" é{";
        let bare = bare(text);
        assert_eq!(bare.len(), text.len());
        assert_eq!(
            bare.split_whitespace().collect::<Vec<_>>(),
            ["a", "'b", "b", "{"]
        );
    }

    #[test]
    fn functions_are_found_with_their_bodies() {
        let text = "impl A { fn one(x: [u8; 2]) -> B { if x { y } } const fn two() {} fn three<T>() -> impl C {} fn four(); }";
        let found: Vec<_> = functions(text)
            .into_iter()
            .map(|function| {
                (
                    text[function.body].to_owned(),
                    function.name,
                    function.can_choose,
                )
            })
            .collect();
        let expected = [
            ("{ if x { y } }", "one", true),
            ("{}", "two", false),
            ("{}", "three", false),
        ];
        assert_eq!(
            found,
            expected.map(|(body, name, can)| (body.to_owned(), name.to_owned(), can))
        );
    }

    #[test]
    fn two_edits_of_a_function_are_two_arms() {
        let text = "fn f() { a; b } fn g() { c }";
        let (one, two) = (edit(text, "a;", ""), edit(text, "b", "d"));
        let (woven, left) = weave(text, &[(3, &one), (5, &two)]);
        assert_eq!(
            woven,
            "fn f() { match crate::switch::chosen(&[3, 5]) {\n3 => {  b }\n5 => { a; d }\n_ => { a; b }\n} } fn g() { c }"
        );
        assert_eq!(left, []);
    }

    #[test]
    fn what_is_in_no_function_or_in_a_constant_one_is_left() {
        let text = "const A: u8 = 1; const fn f() { 2 } fn g() { 3 }";
        let edits = ["1", "2", "3"].map(|old| edit(text, old, "4"));
        let (_, left) = weave(text, &[(0, &edits[0]), (1, &edits[1]), (2, &edits[2])]);
        assert_eq!(left, [0, 1]);
    }
}
