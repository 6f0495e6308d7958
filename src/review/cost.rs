//! What a migration is estimated to cost, in lines. Pure.
//!
//! Invariant: a line says that it is an estimate, on which way, and with what rates; what is not known has a line of its own.

use super::proof::{Line, Weight};
use super::words::counted;
use crate::rehearse::target::Along;
use crate::risk::budget::Exceeded;
use crate::risk::{Cost, Risk};

/// How many unknown things of one way are shown.
const UNKNOWN: usize = 3;
/// From this many seconds on, a wait is worth a second look.
const LONG_SECONDS: f64 = 1.0;

/// The lines of an estimate: each way, what is not known of it, and the limits that it is above.
pub fn lines(risk: &Risk) -> Vec<Line> {
    let mut lines = Vec::new();
    for (way, cost) in [(Along::Forth, &risk.forth), (Along::Back, &risk.back)] {
        lines.extend(of_way(way, cost));
    }
    if !risk.forth.statements.is_empty() || !risk.back.statements.is_empty() {
        lines.push(line(Weight::Light, format!("  {}", risk.rates_in_words())));
    }
    lines.extend(risk.exceeded.iter().map(above));
    lines
}

fn line(weight: Weight, text: String) -> Line {
    Line { weight, text }
}

fn of_way(way: Along, cost: &Cost) -> Vec<Line> {
    if cost.is_empty() {
        return Vec::new();
    }
    let is_long =
        [cost.blocked_writes, cost.blocked_reads].into_iter().flatten().any(|seconds| seconds >= LONG_SECONDS);
    let weight = if is_long { Weight::Middle } else { Weight::Light };
    let way = way.word();
    let mut lines = Vec::new();
    if !cost.statements.is_empty() {
        lines.push(line(weight, format!("estimated {way}: {}", cost.words())));
    }
    let shown = cost.unknown.iter().take(UNKNOWN);
    lines.extend(shown.map(|why| line(Weight::Middle, format!("not estimated {way}: {why}"))));
    if cost.unknown.len() > UNKNOWN {
        let more = counted(cost.unknown.len() - UNKNOWN, "thing");
        lines.push(line(Weight::Middle, format!("not estimated {way}: … {more} more; all with `--json`")));
    }
    lines
}

fn above(exceeded: &Exceeded) -> Line {
    let (weight, becomes) = match (exceeded.way, &exceeded.class) {
        (Along::Forth, None) => (Weight::Heavy, "it is refused".to_owned()),
        (Along::Forth, Some(class)) => (Weight::Heavy, format!("somebody of the class `{class}` has to sign it")),
        (Along::Back, _) => (Weight::Middle, "told, for the way back is not refused".to_owned()),
    };
    line(weight, format!("above the budget: {}: {becomes}", exceeded.words()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::{Estimate, about};
    use crate::step::StepId;
    use crate::world::Quantity;

    #[test]
    fn both_ways_have_a_line_and_what_is_not_known_another() {
        let forth = Cost {
            seconds: Some(2.0),
            statements: vec![Estimate::default()],
            unknown: (1..=5).map(|number| format!("statement {number}: why")).collect(),
            ..Cost::default()
        };
        let exceeded = |way, class: Option<&str>| Exceeded {
            budget: Quantity::MaxWal,
            step: StepId(1),
            way,
            value: 3e9,
            limit: 1e9,
            class: class.map(str::to_owned),
        };
        let risk = Risk {
            forth,
            exceeded: vec![exceeded(Along::Forth, Some("dba")), exceeded(Along::Back, None)],
            ..Risk::default()
        };
        let said: Vec<String> = lines(&risk).into_iter().map(|line| line.text).collect();
        assert_eq!(
            said,
            [
                &format!("estimated forth: nobody waits for longer than a moment; takes {}", about(2.0)),
                "not estimated forth: statement 1: why",
                "not estimated forth: statement 2: why",
                "not estimated forth: statement 3: why",
                "not estimated forth: … 2 things more; all with `--json`",
                "  by usual rates: none were measured here",
                "above the budget: max_wal is 1 GB, 3 GB is estimated forth: somebody of the class `dba` has to sign it",
                "above the budget: max_wal is 1 GB, 3 GB is estimated back: told, for the way back is not refused",
            ]
        );
        assert!(lines(&Risk::default()).is_empty());
    }
}
