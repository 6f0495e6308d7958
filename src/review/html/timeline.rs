//! The steps in their order, a line each, with the phases and the point of no return between them. Pure.
//!
//! Invariant: every step is in it, if need be folded together with its like; nothing stands on the wrong side of the
//! point of no return.

use super::facts::number;
use super::markup::{Element, Markup, element, of_class};
use super::pieces::{self, Sign, badge, link, phase, sign, way_back};
use super::step;
use crate::review::{PointOfNoReturn, Review, StepView};

/// Up to how many steps each has a line of its own.
const SINGLE: usize = 60;

/// How many steps of one sort, one after the other, are folded together then.
const RUN: usize = 4;

/// The part with the timeline.
pub fn part(review: &Review) -> Element {
    let mut list = of_class("ol", "timeline", "");
    let point = review.point_of_no_return.as_ref();
    let mut rest = review.steps.as_slice();
    while let Some(first) = rest.first() {
        if let Some(point) = point.filter(|point| point.step == first.id) {
            list = list.with(line(point));
        }
        let length = if review.steps.len() > SINGLE { run(review, rest) } else { 1 };
        let (together, others) = rest.split_at(length);
        list = list.with(if length >= RUN { folded(review, together) } else { single(review, first) });
        rest = if length >= RUN { others } else { &rest[1..] };
    }
    let end = of_class("li", "end", of_class("span", "dot", "")).with("Done: the world is as the review says");
    pieces::section("timeline", "In which order").with(list.with(end))
}

/// How many steps from the first on are of one sort, of no risk, and on one side of the point of no return.
fn run(review: &Review, steps: &[StepView]) -> usize {
    let point = review.point_of_no_return.as_ref().map(|point| point.step);
    let first = &steps[0];
    let is_quiet =
        |step: &StepView| step.migration.is_none() && step.inverse.reversible && step::level(review, step).is_none();
    let like = |step: &StepView| is_quiet(step) && step.action == first.action && step.kind == first.kind;
    let after = steps[1..].iter().take_while(|step| like(step) && Some(step.id) != point).count();
    if is_quiet(first) { after + 1 } else { 1 }
}

fn line(point: &PointOfNoReturn) -> Element {
    let before = match point.steps_before {
        0 => "nothing stands before it".to_owned(),
        1 => "the step before it can be taken back".to_owned(),
        count => format!("the {count} steps before it can all be taken back"),
    };
    let words = of_class("span", "", of_class("strong", "", "Point of no return"))
        .with(format!(": from here on not everything comes back; {before}"));
    of_class("li", "no-return", sign(Sign::Stop)).with(words)
}

fn single(review: &Review, step: &StepView) -> Element {
    let migration = step.migration.as_ref();
    let tags = of_class("span", "tags", migration.and_then(|migration| migration.phase).map(phase))
        .with(step::level(review, step).map(|level| {
            let (tone, sign) = pieces::of_level(level);
            badge(tone, sign, level.word())
        }))
        .with(step::waiting(review, step))
        .with(way_back(step));
    let title = link(number(step), of_class("span", "title", step.title.clone()));
    of_class("li", if step.inverse.reversible { "one" } else { "one lost" }, dot(step))
        .with(of_class("span", "what", of_class("span", "verb", step.action)).with(" ").with(title))
        .with(tags)
}

fn dot(step: &StepView) -> Element {
    let class = if step.migration.is_some() { "dot migration" } else { "dot" };
    of_class("span", class, step.id.to_string())
}

fn folded(review: &Review, steps: &[StepView]) -> Element {
    let (first, last) = (&steps[0], &steps[steps.len() - 1]);
    let kind = first.kind.as_deref().unwrap_or("things");
    let head = format!("steps {} to {}: {} × {}", first.id, last.id, steps.len(), first.action);
    let inside = steps.iter().map(|step| single(review, step));
    let head = element("summary").with(head).with(Markup::from(" ")).with(pieces::code(kind));
    let list = element("details").with(head).with(of_class("ol", "timeline", "").with_all(inside));
    of_class("li", "many", of_class("span", "dot", "")).with(list)
}
