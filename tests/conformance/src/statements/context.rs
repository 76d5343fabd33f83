//! Context variables.

use serde_json::Value;
use tasca::Context;

use super::{At, Ended, Flow, text};
use crate::world::{get, lock};

impl At {
    pub(super) fn on_context(&self, op: &str, statement: &Value) -> Ended {
        let variable = || self.world.variable(text(statement, "var"));
        match op {
            "ctx_set" => {
                // The old value is not put back.
                let _token = variable().set(self.value(&statement["v"]));
            }
            "ctx_get" => {
                let value = variable().get().unwrap_or_default();
                return self.result(statement, text(statement, "var"), value);
            }
            "ctx_copy" => {
                let context = Context::copy_current();
                lock(&self.world.contexts).insert(text(statement, "c").to_owned(), context);
            }
            _ => {
                let name = text(statement, "c");
                let Some(context) = get(&self.world.contexts, name) else {
                    return self.unbound(name);
                };
                let value = context.run(|| variable().get()).unwrap_or_default();
                self.log(op, name, value);
            }
        }
        Ok(Flow::Normal)
    }
}
