//! The two levels at which traces are compared (SCENARIO.md, section 8).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What a trace has beside its events and its name.
const REST: [&str; 5] = ["tasks", "futures", "run", "end", "stalled"];

/// The first difference at the exact level: everything is equal, times and order included.
#[must_use]
pub fn exact(expected: &Value, got: &Value) -> Option<String> {
    events(expected["events"].as_array()?, &got["events"], "event")
        .or_else(|| first_of(&REST, expected, got))
}

/// The first difference at the outcome level: what each party did in which order, and how everything ended. Times, messages of
/// cancellations, and the order between different parties do not count.
#[must_use]
pub fn outcome(expected: &Value, got: &Value) -> Option<String> {
    let (expected, got) = (project(expected), project(got));
    let empty = Map::new();
    let by_party = |trace: &Value| trace["per"].as_object().unwrap_or(&empty).clone();
    let (ours, theirs) = (by_party(&got), by_party(&expected));
    let parties = theirs.keys().chain(ours.keys());
    let none = json!([]);
    for party in parties {
        let expected = theirs.get(party).unwrap_or(&none);
        let got = ours.get(party).unwrap_or(&none);
        let what = format!("{party}, its event");
        let difference = events(expected.as_array()?, got, &what);
        if difference.is_some() {
            return difference;
        }
    }
    first_of(&["tasks", "futures", "run", "stalled"], &expected, &got)
}

/// Whether a trace is, at the outcome level, what `projection` says.
#[must_use]
pub fn is_outcome(projection: &Value, got: &Value) -> bool {
    *projection == project(got)
}

fn events(expected: &[Value], got: &Value, what: &str) -> Option<String> {
    let Some(got) = got.as_array() else {
        return Some("there are no events".to_owned());
    };
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        if expected != got {
            return Some(format!("{what} {index}: expected {expected}, got {got}"));
        }
    }
    let (n_expected, n_got) = (expected.len(), got.len());
    let longer = if n_expected > n_got { expected } else { got };
    let extra = longer.get(n_expected.min(n_got))?;
    Some(format!(
        "{what} {}: {n_expected} events expected, got {n_got}; first extra: {extra}",
        n_expected.min(n_got)
    ))
}

fn first_of(keys: &[&str], expected: &Value, got: &Value) -> Option<String> {
    let key = keys.iter().find(|key| expected[**key] != got[**key])?;
    let (expected, got) = (&expected[*key], &got[*key]);
    Some(format!("{key}: expected {expected}, got {got}"))
}

/// What must not depend on the interleaving.
fn project(trace: &Value) -> Value {
    let mut by_party: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for event in trace["events"].as_array().into_iter().flatten() {
        // Events of the runtime itself come when they come.
        let Some(who) = event[1].as_str() else {
            continue;
        };
        let value = match event[2].as_str() {
            Some("scope") => json!({"expired": event[4]["expired"]}),
            _ => event[4].clone(),
        };
        let line = json!([event[2], event[3], value]);
        by_party.entry(who).or_default().push(line);
    }
    without_messages(json!({
        "per": by_party,
        "tasks": trace["tasks"],
        "futures": trace["futures"],
        "run": trace["run"],
        "stalled": trace["stalled"],
    }))
}

fn without_messages(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_messages).collect(),
        Value::Object(fields) if fields.contains_key("cancelled") => json!({"cancelled": true}),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, without_messages(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{exact, is_outcome, outcome};

    fn trace(events: Value) -> Value {
        json!({
            "events": events,
            "tasks": {"a": {"ok": null}},
            "futures": {},
            "run": [{"ok": 1}],
            "end": 3,
            "stalled": false,
        })
    }

    #[track_caller]
    fn check(got: Value, is_exact: bool, is_outcome: bool) {
        let expected = trace(json!([
            [0, "a", "start", null, null],
            [1, "b", "caught", null, {"cancelled": "m"}],
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
            [3, null, "done", "a", "ok"],
        ]));
        assert_eq!(exact(&expected, &got).is_none(), is_exact, "exact");
        assert_eq!(outcome(&expected, &got).is_none(), is_outcome, "outcome");
    }

    #[test]
    fn what_is_equal_is_equal_at_both_levels() {
        let got = json!([
            [0, "a", "start", null, null],
            [1, "b", "caught", null, {"cancelled": "m"}],
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
            [3, null, "done", "a", "ok"],
        ]);
        check(trace(got), true, true);
    }

    #[test]
    fn times_messages_and_the_order_of_parties_do_not_count_for_the_outcome() {
        let got = json!([
            [5, "b", "caught", null, {"cancelled": null}],
            [0, "a", "start", null, null],
            [2, "a", "scope", "s", {"when": 7, "expired": true}],
        ]);
        check(trace(got), false, true);
    }

    #[test]
    fn what_a_party_did_counts_and_so_does_its_order() {
        let missing = json!([
            [0, "a", "start", null, null],
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
        ]);
        check(trace(missing), false, false);
        let swapped = json!([
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
            [1, "b", "caught", null, {"cancelled": "m"}],
            [0, "a", "start", null, null],
        ]);
        check(trace(swapped), false, false);
        let more = json!([
            [0, "a", "start", null, null],
            [1, "b", "caught", null, {"cancelled": "m"}],
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
            [3, null, "done", "a", "ok"],
            [3, "c", "start", null, null],
        ]);
        check(trace(more), false, false);
    }

    #[test]
    fn an_outcome_is_known_by_its_projection() {
        let got = trace(json!([
            [5, "b", "caught", null, {"cancelled": "m"}],
            [0, "a", "scope", "s", {"when": 7, "expired": true}],
            [0, null, "done", "a", "ok"],
        ]));
        let mut projection = json!({
            "per": {
                "a": [["scope", "s", {"expired": true}]],
                "b": [["caught", null, {"cancelled": true}]],
            },
            "tasks": {"a": {"ok": null}},
            "futures": {},
            "run": [{"ok": 1}],
            "stalled": false,
        });
        assert!(is_outcome(&projection, &got));
        projection["tasks"]["a"] = json!({"pending": true});
        assert!(!is_outcome(&projection, &got));
    }

    #[test]
    fn how_it_ended_counts() {
        let mut got = trace(json!([
            [0, "a", "start", null, null],
            [1, "b", "caught", null, {"cancelled": "m"}],
            [2, "a", "scope", "s", {"when": 2, "expired": true}],
            [3, null, "done", "a", "ok"],
        ]));
        got["end"] = json!(4);
        check(got.clone(), false, true);
        got["tasks"]["a"] = json!({"pending": true});
        check(got, false, false);
    }
}
