//! What a review says of the release that a change set brings. Pure.
//!
//! Invariant: what is said of it is what the saved plan holds; nothing is looked up again.

use serde::Serialize;

use super::grounds::Grounds;
use super::proof::{Line, Weight};
use crate::release::gates::Verdict;
use crate::release::{Carried, ReleaseId};
use crate::step::ChangeSet;

/// The release that a change set brings, or over which it changes the place's own values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromotionView {
    /// The release.
    pub release: ReleaseId,
    /// The environment that it comes from; nothing where it runs there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The run that was verified there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The Git tag that it was named by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Why soak and windows do not count, if somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expedited: Option<String>,
    /// What will be otherwise than there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// What one of the two lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// What the gates say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Verdict>,
}

impl PromotionView {
    /// That of a change set.
    pub fn of(change_set: &ChangeSet, grounds: &Grounds) -> Option<Self> {
        let Carried { id, from } = change_set.release.as_deref()?;
        let promotion = grounds.promotion.as_deref();
        Some(Self {
            release: *id,
            from: from.as_ref().map(|from| from.environment.clone()),
            run: from.as_ref().map(|from| from.run),
            tag: from.as_ref().and_then(|from| from.tag.clone()),
            expedited: from.as_ref().and_then(|from| from.expedited.clone()),
            except: promotion.map(|promotion| promotion.except.clone()).unwrap_or_default(),
            gaps: promotion.map(|promotion| promotion.gaps.clone()).unwrap_or_default(),
            gates: promotion.map(|promotion| promotion.verdicts.clone()).unwrap_or_default(),
        })
    }

    /// It in lines.
    pub fn lines(&self) -> Vec<Line> {
        let line = |weight, text: String| Line { weight, text };
        let release = self.release.short();
        let Some(from) = &self.from else {
            let words = format!("over release {release}, which runs there: only the place's own values change");
            return vec![line(Weight::Light, words)];
        };
        let tag = self.tag.as_ref().map(|tag| format!(", tag {tag}")).unwrap_or_default();
        let run = self.run.map(|run| format!(", verified there in run {run}")).unwrap_or_default();
        let mut lines = vec![line(Weight::Middle, format!("release {release} of {from}{tag}{run}"))];
        if let Some(reason) = &self.expedited {
            lines.push(line(Weight::Heavy, format!("expedited, soak and windows do not count: {reason}")));
        }
        match self.except.as_slice() {
            [] => lines.push(line(Weight::Light, format!("as in {from}"))),
            except => {
                lines.push(line(Weight::Light, format!("as in {from}, except")));
                lines.extend(except.iter().map(|words| line(Weight::Light, format!("  {words}"))));
            }
        }
        lines.extend(self.gaps.iter().map(|words| line(Weight::Middle, format!("gap: {words}"))));
        for gate in &self.gates {
            let (weight, state) = if gate.open { (Weight::Light, "open") } else { (Weight::Heavy, "closed") };
            lines.push(line(weight, format!("gate {state}: {}", gate.words)));
        }
        lines
    }
}
