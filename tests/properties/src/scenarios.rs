//! What is read as scenarios of the conformance suite: anything is read, or refused with a reason, and what is found well formed
//! can be run.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use serde_json::Value;
use tasca_conformance::suite::{cases, parse};
use tasca_conformance::{Answer, Flavor, Options, run, silence_expected_panics};

/// A change of a scenario. Numbers count the values in it, from the outermost on, round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Edit {
    /// A value becomes a copy of another one.
    Copy {
        /// Which.
        from: u16,
        /// In whose place.
        to: u16,
    },
    /// A value is taken out of its list or object.
    Remove(u16),
    /// A value becomes a number.
    Number(u16, i8),
    /// A value becomes something simple: nothing, a truth, a text, an empty list, an empty object.
    Simple(u16, u8),
}

/// Reads a text.
///
/// # Panics
///
/// If what is written of it is not read in the same way, or it is refused without a reason.
pub fn check_text(text: &str) {
    let Ok(value) = parse(text) else { return };
    let again = parse(&value.to_string()).expect("what was written can be read");
    let verdict = tasca_conformance::check(&value);
    assert_eq!(verdict, tasca_conformance::check(&again));
    assert_ne!(verdict, Err(String::new()));
}

static SCENARIOS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let cases = cases().expect("the suite can be read");
    cases.into_iter().map(|case| case.scenario).collect()
});

/// Changes the scenario of the suite that has this number, round and round, and runs what comes of it, if it is one.
///
/// # Panics
///
/// If it is refused without a reason, or as it is in the suite, or something panics that is no error of the scenario.
pub fn check_edited(number: u16, edits: &[Edit]) {
    let mut scenario = SCENARIOS[usize::from(number) % SCENARIOS.len()].clone();
    for &edit in edits {
        apply(&mut scenario, edit);
    }
    match tasca_conformance::check(&scenario) {
        Err(reason) => {
            assert!(!reason.is_empty());
            assert!(
                !edits.is_empty(),
                "the suite has one that is refused: {reason}"
            );
        }
        Ok(()) if is_endless(&scenario) => {}
        Ok(()) => {
            silence_expected_panics();
            let options = Options {
                flavor: Flavor::Deterministic(0),
                tick: None,
            };
            let answer = run(&scenario, &options).expect("a runtime can be made");
            if let Answer::Trace(trace) = answer {
                assert_eq!(panic_in(&trace.to_json()), None);
            }
        }
    }
}

/// What a trace says of a panic that was none of the scenario's errors: the interpreter's, or one of the library.
fn panic_in(trace: &Value) -> Option<&Value> {
    match trace {
        Value::Array(items) => items.iter().find_map(panic_in),
        Value::Object(fields) if trace["err"] == "Panic" => fields.get("msg"),
        Value::Object(fields) => fields.values().find_map(panic_in),
        _ => None,
    }
}

/// Whether it does something very often.
fn is_endless(scenario: &Value) -> bool {
    let of = |item: &Value| item["op"] == "repeat" && item["n"].as_u64().is_some_and(|n| n > 10);
    of(scenario)
        || match scenario {
            Value::Array(items) => items.iter().any(is_endless),
            Value::Object(fields) => fields.values().any(is_endless),
            _ => false,
        }
}

fn apply(scenario: &mut Value, edit: Edit) {
    let n_values = count(scenario);
    let nth = |number: u16| usize::from(number) % n_values;
    match edit {
        Edit::Copy { from, to } => {
            let value = find(scenario, &mut nth(from)).cloned();
            replace(scenario, nth(to), value);
        }
        Edit::Remove(number) => replace(scenario, nth(number), None),
        Edit::Number(number, value) => replace(scenario, nth(number), Some(value.into())),
        Edit::Simple(number, kind) => {
            let simple = ["null", "true", "\"a\"", "[]", "{}"];
            let value = parse(simple[usize::from(kind) % simple.len()]).expect("it is one");
            replace(scenario, nth(number), Some(value));
        }
    }
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &mut Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

/// The value that has this number, which counts down to it.
fn find<'a>(value: &'a mut Value, number: &mut usize) -> Option<&'a mut Value> {
    if *number == 0 {
        return Some(value);
    }
    *number -= 1;
    children(value).find_map(|child| find(child, number))
}

/// Puts another value in the place of one, or takes it out.
fn replace(scenario: &mut Value, number: usize, new: Option<Value>) {
    if let Some(new) = new {
        if let Some(place) = find(scenario, &mut { number }) {
            *place = new;
        }
        return;
    }
    // A mark that no scenario has, to be swept.
    let mark = Value::from(0.125);
    replace(scenario, number, Some(mark.clone()));
    sweep(scenario, &mark);
}

fn sweep(value: &mut Value, mark: &Value) {
    match value {
        Value::Array(items) => items.retain(|item| item != mark),
        Value::Object(fields) => fields.retain(|_, field| field != mark),
        _ => {}
    }
    children(value).for_each(|child| sweep(child, mark));
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Edit, check_edited, check_text, parse};
    use crate::{holds, holds_in};

    /// Found by the fuzzer: such a number is not read as it is written, which is the parser's business.
    #[test]
    fn a_long_number_is_read_or_refused() {
        check_text("22222222222222202222222222223 ");
    }

    /// It would exhaust the stack of whoever reads it.
    #[test]
    fn what_nests_too_deeply_is_refused() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(512)).is_ok());
        for text in [nested(513), "[".repeat(1_000_000)] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains("recursion limit"), "{error}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused() {
        holds(".{0,80}", |text| check_text(text));
        // Pieces of what can be read.
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"name\"",
            "\"main\"",
            "\"op\"",
            "\"sleep\"",
            "\"d\"",
            "\"body\"",
            "\"bodies\"",
            "1",
            "null",
            "\"try\"",
        ];
        let pieces = vec(proptest::sample::select(pieces.to_vec()), 0..40);
        holds(pieces, |pieces| check_text(&pieces.concat()));
    }

    #[test]
    fn what_is_well_formed_can_be_run() {
        let edit = prop_oneof![
            (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Edit::Copy { from, to }),
            any::<u16>().prop_map(Edit::Remove),
            (any::<u16>(), any::<i8>()).prop_map(|(number, value)| Edit::Number(number, value)),
            (any::<u16>(), any::<u8>()).prop_map(|(number, kind)| Edit::Simple(number, kind)),
        ];
        // Each is a runtime with threads of its own.
        holds_in(1, (any::<u16>(), vec(edit, 0..4)), |(number, edits)| {
            check_edited(*number, edits);
        });
    }
}
