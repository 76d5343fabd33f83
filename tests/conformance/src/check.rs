//! Whether a scenario is well formed: what is wrong is said before anything runs.

use serde_json::Value;

/// An operation, and the fields that it must have.
type Operation = (&'static str, &'static [&'static str]);

/// Operations that may suspend, or belong to those, and hence do not occur in callbacks.
const SUSPENDING: [Operation; 24] = [
    ("try", &["body"]),
    ("repeat", &["n", "body"]),
    ("call", &["do"]),
    ("await", &["h"]),
    ("sleep", &["d"]),
    ("wait", &["of"]),
    ("next", &["it"]),
    ("wait_for", &["aw"]),
    ("timeout", &["s", "body"]),
    ("group", &["g", "body"]),
    ("staggered", &["fns"]),
    ("acquire", &["o"]),
    ("with", &["o", "body"]),
    ("ev_wait", &["o"]),
    ("cond_wait", &["o"]),
    ("cond_wait_for", &["o", "cell", "ge"]),
    ("bar_wait", &["o"]),
    ("bar_reset", &["o"]),
    ("bar_abort", &["o"]),
    ("put", &["o"]),
    ("get", &["o"]),
    ("join", &["o"]),
    ("to_thread", &["h", "takes"]),
    ("reraise", &[]),
];

/// Operations that do not suspend.
const AT_ONCE: [Operation; 41] = [
    ("log", &["m"]),
    ("return", &[]),
    ("raise", &[]),
    ("spawn", &["h", "do"]),
    ("future", &["h"]),
    ("gather", &["h", "of"]),
    ("shield", &["h", "of"]),
    ("cancel", &["h"]),
    ("uncancel", &[]),
    ("query", &["h", "what"]),
    ("set_name", &["h", "name"]),
    ("set_result", &["h"]),
    ("set_exception", &["h", "kind"]),
    ("on_done", &["h", "cb"]),
    ("off_done", &["h", "cb"]),
    ("all_tasks", &[]),
    ("current", &[]),
    ("as_completed", &["it", "of"]),
    ("reschedule", &["s"]),
    ("scope", &["s"]),
    ("new", &["o", "spec"]),
    ("release", &["o"]),
    ("ev_set", &["o"]),
    ("ev_clear", &["o"]),
    ("notify", &["o"]),
    ("put_nowait", &["o"]),
    ("get_nowait", &["o"]),
    ("task_done", &["o"]),
    ("shutdown", &["o"]),
    ("state", &["o"]),
    ("add", &["cell"]),
    ("cell", &["cell"]),
    ("call_soon", &["cb"]),
    ("call_later", &["cb", "d"]),
    ("call_at", &["cb", "at"]),
    ("cancel_call", &["k"]),
    ("ctx_set", &["var", "v"]),
    ("ctx_get", &["var"]),
    ("ctx_copy", &["c"]),
    ("ctx_peek", &["c", "var"]),
    ("submit", &["h", "takes"]),
];

/// Whether a scenario is one.
///
/// # Errors
///
/// What is wrong, and where.
pub fn check(scenario: &Value) -> Result<(), String> {
    let fields = scenario.as_object().ok_or("a scenario is a JSON object")?;
    if !scenario["name"].is_string() {
        return Err("a scenario has a `name`".to_owned());
    }
    if !scenario["main"].is_array() {
        return Err("a scenario has a list of statements `main`".to_owned());
    }
    let checker = Checker { scenario };
    for (key, value) in fields {
        match key.as_str() {
            "main" => checker.statements(value, "main", true)?,
            "then" => checker.each(value, "then", |body, place| {
                checker.statements(body, place, true)
            })?,
            "bodies" | "callbacks" => {
                for (name, body) in value.as_object().into_iter().flatten() {
                    checker.statements(body, &format!("{key}.{name}"), key == "bodies")?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

struct Checker<'a> {
    scenario: &'a Value,
}

impl Checker<'_> {
    fn each(
        &self,
        list: &Value,
        place: &str,
        mut item: impl FnMut(&Value, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        let items = list.as_array().ok_or(format!("{place} is not a list"))?;
        for (index, value) in items.iter().enumerate() {
            item(value, &format!("{place}[{index}]"))?;
        }
        Ok(())
    }

    fn statements(&self, list: &Value, place: &str, may_suspend: bool) -> Result<(), String> {
        self.each(list, place, |statement, place| {
            self.statement(statement, place, may_suspend)
        })
    }

    /// A list of statements, or the name of one.
    fn body(&self, body: &Value, place: &str) -> Result<(), String> {
        match body.as_str() {
            Some(name) if self.scenario["bodies"][name].is_array() => Ok(()),
            Some(name) => Err(format!("{place}: there is no body {name:?}")),
            None => self.statements(body, place, true),
        }
    }

    fn statement(&self, statement: &Value, place: &str, may_suspend: bool) -> Result<(), String> {
        let op = statement["op"].as_str();
        let op = op.ok_or(format!("{place}: a statement has an operation `op`"))?;
        let known = |table: &[Operation]| table.iter().find(|(name, _)| *name == op).copied();
        let (_, required) = match (known(&SUSPENDING), known(&AT_ONCE)) {
            (Some(_), _) if !may_suspend => {
                return Err(format!("{place}: {op} may suspend, and a callback may not"));
            }
            (Some(known), _) | (None, Some(known)) => known,
            (None, None) => return Err(format!("{place}: unknown operation {op:?}")),
        };
        if let Some(missing) = required.iter().find(|field| statement.get(field).is_none()) {
            return Err(format!("{place}: {op} has no {missing:?}"));
        }
        for field in ["body", "else", "finally"] {
            if !statement[field].is_null() {
                self.statements(&statement[field], &format!("{place}.{field}"), may_suspend)?;
            }
        }
        if !statement["do"].is_null() {
            self.body(&statement["do"], &format!("{place}.do"))?;
        }
        for field in ["except", "of", "fns", "aw"] {
            self.bodies_in(&statement[field], &format!("{place}.{field}"))?;
        }
        self.names(statement, place)
    }

    /// Handlers and operands.
    fn bodies_in(&self, value: &Value, place: &str) -> Result<(), String> {
        if value.is_array() {
            return self.each(value, place, |item, place| self.bodies_in(item, place));
        }
        match value.get("do") {
            Some(body) => self.body(body, &format!("{place}.do")),
            None => Ok(()),
        }
    }

    /// Callbacks and objects must be there; handles need not.
    fn names(&self, statement: &Value, place: &str) -> Result<(), String> {
        if let Some(name) = statement["cb"].as_str()
            && !self.scenario["callbacks"][name].is_array()
        {
            return Err(format!("{place}: there is no callback {name:?}"));
        }
        if let Some(name) = statement["o"].as_str()
            && statement["op"] != "new"
            && self.scenario["objects"].get(name).is_none()
            && !makes(self.scenario, name)
        {
            return Err(format!("{place}: there is no object {name:?}"));
        }
        Ok(())
    }
}

/// Whether a statement makes an object of that name.
fn makes(value: &Value, object: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| makes(item, object)),
        Value::Object(fields) => {
            (value["op"] == "new" && value["o"] == object)
                || fields.values().any(|field| makes(field, object))
        }
        _ => false,
    }
}
