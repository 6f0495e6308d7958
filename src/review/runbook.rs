//! The runbook of a change set: what will happen, how to watch it, how to take it back with Switchback and by hand,
//! what cannot be taken back, and whom to ask. Pure.
//!
//! Invariant: it is made of the review and of the commands that are handed in; words of others are words in it.

use std::collections::BTreeMap;

use super::markdown::{code, escaped, fenced};
use super::text::difference_line;
use super::words;
use super::{Loss, Review, StepView};
use crate::step::{Operation, StepId};

/// What a person types to look at what a step changes, and to take it back without Switchback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// To look.
    pub look: Vec<String>,
    /// To take it back.
    pub back: Vec<String>,
    /// Their language: `sh` or `sql`.
    pub language: &'static str,
}

/// The runbook as Markdown, with a line feed at its end.
pub fn render(review: &Review, by_hand: &BTreeMap<StepId, ByHand>) -> String {
    let head = format!(
        "# Runbook: {}\n\nFor change set `{}`, as it was planned. A later plan has another runbook: \
         `switchback show PLANFILE --as runbook`.\n",
        escaped(&words::heading(review)),
        review.digest.short()
    );
    if review.is_empty() {
        return head + "\nThere is nothing to do: things, migrations and outputs are as the spec says.\n";
    }
    let parts = [
        happens(review),
        watch(review, by_hand),
        back(review),
        back_by_hand(review, by_hand),
        lost(review),
        whom(review),
    ];
    format!("{head}{}", parts.concat())
}

/// What will happen, in order.
fn happens(review: &Review) -> String {
    let mut text = format!("\n## What will happen\n\n{}, in {}.\n\n", words::counts(&review.summary), places(review));
    for step in &review.steps {
        let waits: Vec<String> = step.after.iter().map(ToString::to_string).collect();
        let waits = if waits.is_empty() { String::new() } else { format!("; after step {}", waits.join(", ")) };
        text += &format!("{}. {} {}: {}{waits}\n", step.id, step.action, code(&step.title), escaped(&step.because));
    }
    if let Some(point) = &review.point_of_no_return {
        text += &format!(
            "\n**From step {} on not everything can be taken back**; the {} before it can.\n",
            point.step,
            words::counted(point.steps_before, "step")
        );
    }
    for check in &review.checks {
        text += &format!("\n- {} {}: {}", code(&check.check), code(&check.question), escaped(&check.course()));
    }
    if !review.checks.is_empty() {
        text.push('\n');
    }
    text
}

fn places(review: &Review) -> String {
    let places: Vec<String> = review.places.iter().map(|place| code(place)).collect();
    if places.is_empty() { "the ledger alone".to_owned() } else { places.join(", ") }
}

/// How to watch it.
fn watch(review: &Review, by_hand: &BTreeMap<StepId, ByHand>) -> String {
    let environment = &review.environment;
    let ours = format!("switchback status {environment}\nswitchback history {environment}\n");
    let head = "The run says each step as it begins and ends. From elsewhere:";
    let mut text = format!("\n## How to watch it\n\n{head}\n\n{}", fenced("sh", &ours));
    let looks = |step: &&StepView| by_hand.get(&step.id).is_some_and(|by_hand| !by_hand.look.is_empty());
    for (index, step) in review.steps.iter().filter(looks).enumerate() {
        if index == 0 {
            text += "\nWhat the steps change, by the tools of their providers:\n";
        }
        let ByHand { look, language, .. } = &by_hand[&step.id];
        text += &format!("\nStep {}, {}\n\n{}", step.id, code(&step.title), fenced(language, &look.join("\n")));
    }
    text
}

/// How to take it back with Switchback.
fn back(review: &Review) -> String {
    let environment = &review.environment;
    let losses: Vec<String> =
        review.point_of_no_return.iter().flat_map(|point| &point.losses).map(|loss| loss.step.to_string()).collect();
    let mut lines = format!(
        "switchback rollback {environment} --last   # takes back what is done, from any point\n\
         switchback resume {environment}            # or goes on with it\n"
    );
    if !losses.is_empty() {
        lines += &format!(
            "# where the steps {} are done, their losses have to be accepted (`--accept-loss`)\n",
            losses.join(", ")
        );
    }
    let what = match review.operation {
        Operation::Rollback { .. } => "This is a way back itself; it can be taken back like any other change.",
        Operation::Apply | Operation::Destroy | Operation::Edit(_) => {
            "Neither the old nor the new checkout is needed, only the ledger's URL (`--ledger`)."
        }
    };
    format!("\n## How to take it back\n\n{what}\n\n{}", fenced("sh", &lines))
}

/// How to take it back by hand.
fn back_by_hand(review: &Review, by_hand: &BTreeMap<StepId, ByHand>) -> String {
    let mut text = format!(
        "\n## How to take it back by hand\n\nOnly where Switchback cannot be had. The last step that was done first; what a \
         run has done is in its ledger. Afterwards {} tells what the ledger does not know.\n\n",
        code(&format!("switchback drift {}", review.environment))
    );
    for step in review.steps.iter().rev() {
        text += &one_by_hand(step, by_hand.get(&step.id));
    }
    text
}

fn one_by_hand(step: &StepView, by_hand: Option<&ByHand>) -> String {
    let way = step.inverse.way.unwrap_or("there is no way back");
    let why = step.inverse.why.as_ref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
    let mut text =
        format!("### Step {}, {}\n\n{} ({}{why})\n\n", step.id, code(&step.title), capital(way), step.inverse.class);
    if let Some(by_hand) = by_hand.filter(|by_hand| !by_hand.back.is_empty()) {
        text += &format!("{}\n", fenced(by_hand.language, &by_hand.back.join("\n")));
    }
    if step.inverse.way == Some(words::way(crate::step::Way::UpdateBack)) {
        let lines = step.changes.attributes.iter().map(|difference| difference_line(difference).1);
        let lines: Vec<String> = lines.map(|line| format!("- {}\n", code(&line))).collect();
        if !lines.is_empty() {
            text += &format!("What is to be as it was before:\n\n{}\n", lines.concat());
        }
    }
    if let Some(sql) = step.migration.as_ref().and_then(|migration| migration.sql_of_the_way_back.as_ref()) {
        text += &format!(
            "{}\nThe row of its history goes with it: `switchback show PLANFILE --as sql-down` writes the whole script.\n\n",
            fenced("sql", sql)
        );
    }
    text
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What cannot be taken back.
fn lost(review: &Review) -> String {
    let losses: Vec<&Loss> = review.point_of_no_return.iter().flat_map(|point| &point.losses).collect();
    if losses.is_empty() {
        return "\n## What cannot be taken back\n\nNothing: every step has its way back.\n".to_owned();
    }
    let line =
        |loss: &&Loss| format!("- step {}, {}: {}, {}\n", loss.step, code(&loss.title), loss.class, escaped(&loss.why));
    format!("\n## What cannot be taken back\n\n{}", losses.iter().map(line).collect::<String>())
}

/// Whom to ask.
fn whom(review: &Review) -> String {
    let mut text = "\n## Whom to ask\n\n".to_owned();
    for needed in &review.signing.needed {
        let by = if needed.by.is_empty() { "nobody".to_owned() } else { needed.by.join(", ") };
        text += &format!("- {} for {}: {}\n", escaped(&needed.class), escaped(&needed.part), escaped(&by));
    }
    if review.signing.needed.is_empty() {
        text += "No signatures are asked for here, so nobody is named.\n";
    }
    text + &format!("\nWho did what before: {}.\n", code(&format!("switchback history {}", review.environment)))
}
