//! Errors of scenarios: JSON objects, as in the traces.

use serde_json::{Value, json};
use tasca::{Cancelled, TaskError};

/// Messages are any values; those that are no strings go through the library as text behind this mark.
const MARK: char = '\u{1}';

/// What a message is as text. None, if it is none: an empty one counts as none.
pub(crate) fn encode_message(message: &Value) -> Option<String> {
    match message {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(format!("{MARK}{other}")),
    }
}

/// The message that a text stands for. What counts as nothing in Python is shown as none.
pub(crate) fn message(text: Option<&str>) -> Value {
    let message = match text {
        None => Value::Null,
        Some(text) => match text.strip_prefix(MARK) {
            Some(json) => serde_json::from_str(json).unwrap_or(Value::Null),
            None => json!(text),
        },
    };
    let is_nothing = [json!(0), json!(false), json!([])].contains(&message);
    if is_nothing { Value::Null } else { message }
}

/// An error of the library.
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

/// A cancellation that was caught.
pub(crate) fn caught(cancelled: &Cancelled) -> Value {
    json!({"cancelled": message(cancelled.message())})
}

/// The error that a task failed with: its cancellation, or its panic.
pub(crate) fn failure(error: &TaskError) -> Value {
    if error.is_cancelled() {
        json!({"cancelled": message(error.cancel_message())})
    } else {
        panicked(error.panic_text())
    }
}

/// A panic: callbacks fail by one, with the error as JSON text. What is no such text is a bug, and shown as what it is.
pub(crate) fn panicked(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| json!({"err": "Panic", "msg": text}))
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
