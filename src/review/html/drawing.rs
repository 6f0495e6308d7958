//! The steps as a drawing: which waits for which. Pure.
//!
//! Invariant: at most [`collapse::LIMIT`] boxes are drawn, whatever the number of steps; where one stands for many, the
//! words beside the drawing say so. Without the drawing nothing is missing: the timeline tells the same.

mod collapse;
mod layout;

use collapse::{Graph, Node};
use layout::{Layout, Spot};

use super::markup::{Anchor, Element, Markup, element, of_class};
use super::pieces;
use crate::review::Review;

/// How wide a box is, in pixels.
const WIDTH: usize = 220;
/// How high.
const HEIGHT: usize = 48;
/// What is free beside it.
const BESIDE: usize = 20;
/// What is free below it.
const BELOW: usize = 34;
/// How wide a line is that passes by.
const PASSING: usize = 14;
/// How many letters have room in a box.
const LETTERS: usize = 25;

/// The part with the drawing; nothing when a drawing would say nothing.
pub fn part(review: &Review) -> Option<Element> {
    if review.steps.len() < 2 {
        return None;
    }
    let graph = Graph::of(review);
    let layout = Layout::of(&graph);
    let words = match graph.is_whole {
        true => "An arrow leads from a step to one that waits for it; what follows from other arrows is left out."
            .to_owned(),
        false => format!(
            "{} steps are drawn as {} boxes: a box with a number stands for that many steps alike. An arrow leads to \
             what waits; what follows from other arrows is left out.",
            review.steps.len(),
            graph.nodes.len()
        ),
    };
    let legend = element("figcaption").with(words);
    let drawing = of_class("div", "canvas", drawn(&graph, &layout));
    let drawing =
        drawing.attribute("tabindex", "0").attribute("role", "group").attribute("aria-label", "Drawing of the steps");
    Some(pieces::section("order", "What waits for what").with(element("figure").with(drawing).with(legend)))
}

fn drawn(graph: &Graph, layout: &Layout) -> Element {
    let line = if graph.behind().is_some() { 2 * BELOW } else { 0 };
    let height = (layout.rows.len() * (HEIGHT + BELOW) + line + 4).saturating_sub(BELOW);
    let widest = layout.rows.iter().map(|row| row_width(row)).max().unwrap_or_default().max(3 * WIDTH);
    let places = Places::of(graph, layout, widest);
    let mut all = Markup::new();
    for path in &layout.paths {
        let points: Vec<(usize, usize, usize)> = path.iter().filter_map(|spot| places.of_spot(*spot)).collect();
        all.push(element("path").class("edge").attribute("d", curve(&points)));
    }
    for edge in &layout.paths {
        if let Some((middle, top, _)) = edge.last().and_then(|spot| places.of_spot(*spot)) {
            let tip = format!("M{middle} {top} l-4 -7 h8 z");
            all.push(element("path").class("tip").attribute("d", tip));
        }
    }
    if let Some(y) = places.line {
        let line = element("line").class("no-return").attribute("x1", "0").attribute("x2", widest.to_string());
        all.push(line.attribute("y1", y.to_string()).attribute("y2", y.to_string()));
        let label = element("text").class("no-return").attribute("x", "8").attribute("y", (y - 8).to_string());
        all.push(label.with("point of no return"));
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if let Some((middle, top, _)) = places.of_spot(Spot::Node(index)) {
            all.push(boxed(node, middle - WIDTH / 2, top));
        }
    }
    element("svg")
        .attribute("viewBox", format!("-2 -2 {} {}", widest + 4, height))
        .attribute("width", (widest + 4).to_string())
        .attribute("height", height.to_string())
        .with(all)
}

fn row_width(row: &[Spot]) -> usize {
    row.iter().map(|spot| if matches!(spot, Spot::Node(_)) { WIDTH + BESIDE } else { PASSING }).sum::<usize>()
}

/// Where each spot lies: its middle, its top and its bottom.
struct Places {
    spots: std::collections::BTreeMap<Spot, (usize, usize, usize)>,
    line: Option<usize>,
}

impl Places {
    fn of(graph: &Graph, layout: &Layout, widest: usize) -> Self {
        let mut spots = std::collections::BTreeMap::new();
        let (mut y, mut line) = (0, None);
        for row in &layout.rows {
            let is_behind = row.iter().any(|spot| matches!(spot, Spot::Node(index) if graph.nodes[*index].is_behind));
            if is_behind && line.is_none() {
                line = Some(if y == 0 { BELOW / 2 + 8 } else { y + BELOW / 2 });
                y += 2 * BELOW;
            }
            let mut x = (widest - row_width(row).min(widest)) / 2 + BESIDE / 2;
            for spot in row {
                let width = if matches!(spot, Spot::Node(_)) { WIDTH } else { PASSING };
                spots.insert(*spot, (x + width / 2, y, y + HEIGHT));
                x += if matches!(spot, Spot::Node(_)) { WIDTH + BESIDE } else { PASSING };
            }
            y += HEIGHT + BELOW;
        }
        Self { spots, line }
    }

    fn of_spot(&self, spot: Spot) -> Option<(usize, usize, usize)> {
        self.spots.get(&spot).copied()
    }
}

/// A line through all of them, from the bottom of each to the top of the next.
fn curve(points: &[(usize, usize, usize)]) -> String {
    let mut text = String::new();
    for (index, pair) in points.windows(2).enumerate() {
        let ((from, top, bottom), (to, next, _)) = (pair[0], pair[1]);
        if index == 0 {
            text += &format!("M{from} {bottom}");
        } else {
            text += &format!("M{from} {top}V{bottom}");
        }
        let half = usize::midpoint(bottom, next);
        text += &format!("C{from} {half} {to} {half} {to} {next}");
    }
    text
}

fn boxed(node: &Node, x: usize, y: usize) -> Element {
    let class = match (node.is_lossy, node.is_migration) {
        (true, _) => "box lost",
        (false, true) => "box migration",
        (false, false) => "box",
    };
    let place = |name: &'static str, class: &'static str, dx: usize, dy: usize| {
        let at = element(name).class(class);
        at.attribute("x", (x + dx).to_string()).attribute("y", (y + dy).to_string())
    };
    let frame = place("rect", class, 0, 0).attribute("rx", "7");
    let frame = frame.attribute("width", WIDTH.to_string()).attribute("height", HEIGHT.to_string());
    let head = place("text", "head", 12, 19).with(shortened(&node.head));
    let name = place("text", "name", 12, 37).with(shortened(&node.name));
    let title = element("title").with(format!("{}: {}", node.head, node.name));
    element("a").to(Anchor::One("step", node.step)).with(title).with(frame).with(head).with(name)
}

/// As much of the end as has room: names differ there.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= LETTERS {
        return text.to_owned();
    }
    let end: String = text.chars().skip(count - LETTERS + 1).collect();
    format!("…{end}")
}
