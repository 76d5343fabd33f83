//! Control flow: handlers, loops, calls, errors. Each `try` is a cancellation scope around its body, and one with a `finally` another
//! around its handlers.

use serde_json::{Value, json};

use super::{At, Ended, Flow, catch, text};
use crate::error;

impl At {
    pub(super) async fn flow(&self, op: &str, statement: &Value) -> Ended {
        match op {
            "try" => self.try_finally(statement).await,
            "repeat" => self.repeat(statement).await,
            "call" => {
                let value = self.inner().run_body(&statement["do"]).await?;
                self.result(statement, Value::Null, value)
            }
            "raise" => self.throw(self.error(statement)).await,
            _ => self.throw(self.handled.clone().unwrap_or_default()).await,
        }
    }

    /// The error of a `raise`.
    pub(super) fn error(&self, statement: &Value) -> Value {
        if statement["var"].is_null() {
            return error::new(text(statement, "kind"), &statement["msg"]);
        }
        let value = self.value(statement);
        let is_error = ["err", "cancelled", "group"]
            .iter()
            .any(|key| value.get(key).is_some());
        match is_error {
            true => value,
            false => json!({"err": "D", "msg": "not an error"}),
        }
    }

    async fn repeat(&self, statement: &Value) -> Ended {
        for _ in 0..statement["n"].as_i64().unwrap_or(0) {
            if let Flow::Return(value) = self.run(&statement["body"]).await? {
                return Ok(Flow::Return(value));
            }
        }
        Ok(Flow::Normal)
    }

    async fn try_finally(&self, statement: &Value) -> Ended {
        if statement["finally"].is_null() {
            return self.try_except(statement).await;
        }
        let ended = catch(self.try_except(statement)).await;
        self.run(&statement["finally"]).await?;
        match ended {
            Ok(flow) => Ok(flow),
            Err(error) => self.throw(error).await,
        }
    }

    async fn try_except(&self, statement: &Value) -> Ended {
        let no_entries = Vec::new();
        let entries = statement["except"].as_array().unwrap_or(&no_entries);
        let ended = if entries.is_empty() {
            self.run(&statement["body"]).await
        } else {
            catch(self.run(&statement["body"])).await
        };
        let error = match ended {
            Ok(Flow::Normal) => return self.run(&statement["else"]).await,
            Ok(flow) => return Ok(flow),
            Err(error) => error,
        };
        let matches = |entry: &&Value| {
            let mut patterns = entry["match"].as_array().into_iter().flatten();
            patterns.any(|pattern| error::matches(pattern.as_str().unwrap_or_default(), &error))
        };
        let Some(entry) = entries.iter().find(matches) else {
            return self.throw(error).await;
        };
        self.log("caught", Value::Null, error.clone());
        self.set(entry, &error);
        let handler = Self {
            handled: Some(error),
            ..self.clone()
        };
        handler.run(&entry["do"]).await
    }
}
