//! Errors of scenarios: JSON objects, as in the traces.

use serde_json::{Value, json};
use tasca::Cancelled;

/// Messages are any values; those that are no strings go through the library as text behind this mark.
const MARK: char = '\u{1}';

pub(crate) fn encode_message(message: &Value) -> Option<String> {
    match message {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(format!("{MARK}{other}")),
    }
}

pub(crate) fn message(text: Option<&str>) -> Value {
    match text {
        None => Value::Null,
        Some(text) => match text.strip_prefix(MARK) {
            Some(json) => serde_json::from_str(json).unwrap_or(Value::Null),
            None => json!(text),
        },
    }
}

/// A library error.
pub(crate) fn library(kind: &str) -> Value {
    json!({"err": kind})
}

/// A new error of a `raise` or `set_exception`.
pub(crate) fn new(kind: &str, message: &Value) -> Value {
    match kind {
        "cancelled" => json!({"cancelled": message}),
        "A" | "B" | "C" | "D" => json!({"err": kind, "msg": message}),
        _ => library(kind),
    }
}

pub(crate) fn caught(cancelled: &Cancelled) -> Value {
    json!({"cancelled": message(cancelled.message())})
}

/// The cancellation that an error is, if it is one.
pub(crate) fn as_cancelled(error: &Value) -> Option<Cancelled> {
    let message = error.get("cancelled")?;
    Some(match encode_message(message) {
        Some(text) => Cancelled::with_message(text),
        None => Cancelled::new(),
    })
}

/// Whether a pattern of an `except` matches.
pub(crate) fn matches(pattern: &str, error: &Value) -> bool {
    let is_cancelled = error.get("cancelled").is_some();
    match pattern {
        "any" => true,
        "cancelled" => is_cancelled,
        "group" => error.get("group").is_some(),
        "error" => !is_cancelled,
        kind => error.get("err").is_some_and(|err| err == kind),
    }
}
