//! Blocks with an end of their own: time-out scopes and task groups.

use std::time::Instant;

use serde_json::{Value, json};
use tasca::combinators::{TaskGroup, TimeoutScope};

use super::{At, Ended, Flow, text};
use crate::error;
use crate::world::{get, lock};

impl At {
    pub(super) async fn block(&self, op: &str, statement: &Value) -> Ended {
        match op {
            "timeout" => self.timeout(statement).await,
            _ => self.group(statement).await,
        }
    }

    /// The deadline that a statement gives, relative or absolute.
    fn deadline(&self, statement: &Value) -> Option<Instant> {
        let world = &self.world;
        let after = statement["after"].as_i64();
        after.map_or_else(
            || statement["at"].as_i64().map(|ticks| world.instant(ticks)),
            |ticks| Some(world.ticks_from(world.handle.time(), ticks)),
        )
    }

    async fn timeout(&self, statement: &Value) -> Ended {
        let name = text(statement, "s");
        let scope = self
            .deadline(statement)
            .map_or_else(TimeoutScope::never, TimeoutScope::at);
        let body = async {
            // Bound when the block is entered.
            lock(&self.world.scopes).insert(name.to_owned(), scope.clone());
            self.run(&statement["body"]).await
        };
        match scope.clone().run(body).await {
            Ok(ended) => {
                let flow = ended?;
                self.log("timeout", name, Value::Null);
                Ok(flow)
            }
            Err(_) => Err(error::library("Timeout")),
        }
    }

    pub(super) fn on_scope(&self, op: &str, statement: &Value) -> Ended {
        let name = text(statement, "s");
        let Some(scope) = get(&self.world.scopes, name) else {
            return self.unbound(name);
        };
        if op == "reschedule" {
            let moved = scope.reschedule(self.deadline(statement));
            moved.map_err(|_| error::library("Runtime"))?;
        } else {
            let when = scope.when().map(|when| self.world.ticks_of(when));
            let value = json!({"when": when, "expired": scope.expired()});
            self.log(op, name, value);
        }
        Ok(Flow::Normal)
    }

    async fn group(&self, statement: &Value) -> Ended {
        let name = text(statement, "g");
        let ended = TaskGroup::try_scope(async |group| {
            lock(&self.world.groups).insert(name.to_owned(), group);
            self.run(&statement["body"]).await
        });
        match ended.await {
            Ok(flow) => {
                self.log("group", name, Value::Null);
                Ok(flow)
            }
            Err(failures) => {
                let errors: Vec<Value> = failures.into_errors().collect();
                Err(json!({"group": errors}))
            }
        }
    }
}
