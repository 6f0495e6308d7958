//! Delays on order: so that tests can kill a client before its call arrives, or before it hears the answer. Pure, but
//! for the sleeping.
//!
//! Invariant: a client that goes away during the delay before its call has not made the call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;

/// One order; it is used up by the calls that it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delay {
    /// `ecs.CreateService`.
    operation: String,
    /// A text in one of the names; empty for any.
    #[serde(default)]
    containing: String,
    /// Seconds before the call is passed on.
    #[serde(default)]
    before: f64,
    /// Seconds before the answer is passed back.
    #[serde(default)]
    after: f64,
    /// How many calls it meets.
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// Where a delayed call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Before,
    After,
}

/// The orders, and the calls that are being delayed.
#[derive(Default)]
pub(super) struct Delays {
    orders: Mutex<Vec<Delay>>,
    waiting: Mutex<Vec<(u64, Delay, Stage)>>,
}

impl Delays {
    /// Takes an order.
    pub(super) fn order(&self, body: &[u8]) -> Result<(), String> {
        let delay: Delay = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if ![delay.before, delay.after].iter().all(|seconds| (0.0..=3600.0).contains(seconds)) {
            return Err("seconds are between 0 and 3600".to_owned());
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
        Ok(())
    }

    /// Forgets all orders; calls that are being delayed stay so.
    pub(super) fn clear(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is ordered, and which calls wait right now.
    pub(super) fn show(&self) -> Value {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting: Vec<Value> = waiting
            .into_iter()
            .map(|(_, delay, stage)| {
                json!({ "operation": delay.operation, "containing": delay.containing, "stage": stage })
            })
            .collect();
        json!({ "orders": orders, "waiting": waiting })
    }

    /// The delay that a call is to meet, if any.
    pub(super) fn of(&self, call: &Call) -> Option<Delay> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = format!("{}.{}", call.service, call.operation);
        let meets = |delay: &Delay| delay.operation == operation && call.mentions(&delay.containing);
        let place = orders.iter().position(meets)?;
        let delay = orders[place].clone();
        match delay.times {
            0 | 1 => drop(orders.remove(place)),
            more => orders[place].times = more - 1,
        }
        Some(delay)
    }

    /// Sleeps before the call.
    pub(super) async fn before(&self, delay: &Delay) {
        self.sleep(delay, Stage::Before, delay.before).await;
    }

    /// Sleeps after the call.
    pub(super) async fn after(&self, delay: &Delay) {
        self.sleep(delay, Stage::After, delay.after).await;
    }

    async fn sleep(&self, delay: &Delay, stage: Stage, seconds: f64) {
        if seconds > 0.0 {
            let _entry = Entry::new(self, delay, stage);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
    }
}

/// An entry among the waiting; gone with the one who waits.
struct Entry<'a> {
    delays: &'a Delays,
    number: u64,
}

impl<'a> Entry<'a> {
    fn new(delays: &'a Delays, delay: &Delay, stage: Stage) -> Self {
        let mut waiting = delays.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.last().map_or(0, |(number, ..)| number + 1);
        waiting.push((number, delay.clone(), stage));
        Self { delays, number }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut waiting = self.delays.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(number, ..)| *number != self.number);
    }
}
