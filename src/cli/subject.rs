//! What stands in the place of an environment: its name, or a saved change set. An edge.
//!
//! Invariant: only a file that is there is taken for a saved change set.

use std::path::Path;

use super::arguments::Subject;
use super::failure::Failure;
use super::plan_file::{self, PlanFile};
use super::session::{self, Session};

/// What stands in the place of an environment.
pub enum Typed {
    /// An environment.
    Environment(String),
    /// A saved change set.
    Plan(Box<PlanFile>),
}

impl Typed {
    /// Reads what was typed: a path that exists and ends in `.plan.json` is a plan.
    ///
    /// # Errors
    /// When the plan cannot be read, or it is no name of an environment.
    pub fn read(session: &Session, subject: &Subject) -> Result<Self, Failure> {
        let plan = |path: &Path| Ok(Self::Plan(Box::new(PlanFile::read(&session.path(path))?)));
        match (&subject.environment, &subject.plan) {
            (_, Some(path)) => plan(path),
            (Some(name), None) if name.ends_with(plan_file::ENDING) && session.path(name.as_ref()).is_file() => {
                plan(name.as_ref())
            }
            (Some(name), None) => session::checked_name(name).map(|()| Self::Environment(name.clone())),
            (None, None) => Err(Failure::usage("name an environment, or a saved plan with `--plan FILE`")),
        }
    }
}
