//! Locks, events, conditions, semaphores, barriers and queues.

use std::sync::Arc;

use serde_json::Value;

use super::{At, Ended, Flow, catch, text};
use crate::objects::Object;
use crate::world::{get, lock};

impl At {
    /// The object that a statement names. The check of the scenario has seen that there may be one.
    fn object(&self, statement: &Value) -> Result<Arc<Object>, Value> {
        let name = text(statement, "o");
        get(&self.world.objects, name).ok_or_else(|| crate::error::library("Unknown object"))
    }

    /// What may suspend.
    pub(super) async fn on_object(&self, op: &str, statement: &Value) -> Ended {
        let object = self.object(statement)?;
        let name = text(statement, "o");
        match op {
            "with" => return self.with(&object, statement).await,
            "bar_wait" => {
                let number = object.meet().await?;
                return self.result(statement, name, number.into());
            }
            "get" => {
                let item = object.get().await?;
                return self.result(statement, name, item);
            }
            "acquire" => object.acquire().await?,
            "ev_wait" => object.event()?.wait().await,
            "cond_wait" => object.wait_for_notification().await?,
            "cond_wait_for" => {
                let (cell, least) = (text(statement, "cell"), &statement["ge"]);
                let holds = || self.world.cell(cell) >= least.as_i64().unwrap_or(0);
                object.wait_until(holds).await?;
            }
            "bar_reset" => object.barrier()?.reset().await,
            "bar_abort" => object.barrier()?.abort().await,
            "put" => object.put(self.value(&statement["v"])).await?,
            _ => object.join().await?,
        }
        self.result(statement, name, Value::Null)
    }

    /// A block that has a lock or a permit, or that begins with a meeting.
    async fn with(&self, object: &Object, statement: &Value) -> Ended {
        let name = text(statement, "o");
        let entered = if object.is_barrier() {
            object.meet().await?.into()
        } else {
            object.acquire().await?;
            Value::Null
        };
        self.set(statement, &entered);
        self.log("entered", name, entered);
        let ended = if object.is_barrier() {
            self.run(&statement["body"]).await
        } else {
            let ended = catch(self.run(&statement["body"])).await;
            object.release()?;
            ended
        };
        match ended {
            Ok(flow) => {
                self.log("with", name, Value::Null);
                Ok(flow)
            }
            Err(error) => self.throw(error).await,
        }
    }

    pub(super) fn on_object_at_once(&self, op: &str, statement: &Value) -> Ended {
        let name = text(statement, "o");
        if op == "new" {
            self.world.add_object(name, &statement["spec"])?;
            return Ok(Flow::Normal);
        }
        let object = self.object(statement)?;
        match op {
            "release" => object.release()?,
            "ev_set" => object.event()?.set(),
            "ev_clear" => object.event()?.clear(),
            "notify" => {
                let n = match statement["n"].as_str() {
                    Some(_all) => usize::MAX,
                    None => {
                        let n = statement["n"].as_u64().unwrap_or(1);
                        usize::try_from(n).unwrap_or(usize::MAX)
                    }
                };
                object.notify(n)?;
            }
            "put_nowait" => object.put_nowait(self.value(&statement["v"]))?,
            "get_nowait" => {
                let item = object.get_nowait()?;
                return self.result(statement, name, item);
            }
            "task_done" => object.task_done()?,
            "shutdown" => object.shut_down(statement["immediate"].as_bool().unwrap_or(false))?,
            _ => self.log(op, name, object.state()),
        }
        Ok(Flow::Normal)
    }
}

impl crate::world::World {
    /// Makes an object, under a name.
    pub(crate) fn add_object(&self, name: &str, spec: &Value) -> Result<(), Value> {
        let object = Object::new(spec, |other| get(&self.objects, other))?;
        lock(&self.objects).insert(name.to_owned(), Arc::new(object));
        Ok(())
    }
}
