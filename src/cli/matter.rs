//! What somebody signs, refuses or asks about: a saved plan, or what a plan of an environment would be now. An edge.
//!
//! Invariant: a plan that is made here is the one that `apply ENV` would make.

use super::arguments::Subject;
use super::carry::{Hold, Intention};
use super::confirm::Consent;
use super::failure::Failure;
use super::gate::{self, Asking};
use super::images;
use super::planning::{self, Proofs, Proved};
use super::session::Session;
use super::subject::Typed;
use crate::plan::Options;
use crate::rehearse::Effort;
use crate::review::grounds::Grounds;
use crate::step::ChangeSet;

/// What is at hand.
pub struct Matter {
    /// The change set.
    pub change_set: ChangeSet,
    /// What is known of it besides.
    pub grounds: Grounds,
    /// Who made the plan; of one that is made here, nobody did yet.
    pub author: Option<String>,
    /// The saved plan, as it was typed.
    pub file: Option<String>,
}

/// Whether the ledger is begun where it is not yet: signatures name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is, before anything is planned.
    IfNeeded,
    /// It is only read.
    Never,
}

impl Matter {
    /// Reads or makes the plan, and opens its ledger.
    ///
    /// # Errors
    /// When the plan cannot be read or made, or the ledger cannot be opened.
    pub fn open<'a>(
        session: &'a Session,
        subject: &Subject,
        verb: &'static str,
        begin: Begin,
    ) -> Result<(Self, Hold<'a>), Failure> {
        match Typed::read(session, subject)? {
            Typed::Plan(file) => {
                let author = file.author.as_ref().map(|author| author.name.clone());
                let typed = subject.plan.as_ref().map(|path| path.display().to_string());
                let file_name = typed.or_else(|| subject.environment.clone());
                let (change_set, grounds) = file.take();
                let (environment, project) = (change_set.environment.clone(), change_set.project.clone());
                let hold = hold(session, (&environment, &project), verb, begin)?;
                Ok((Self { change_set, grounds, author, file: file_name }, hold))
            }
            Typed::Environment(environment) => {
                let resolved = session.resolve(&environment)?;
                let hold = hold(session, (&environment, &resolved.desired.project), verb, begin)?;
                let resolved = images::pin(session, hold.ledger.state(), resolved)?;
                let (options, proofs) = (Options::default(), Proofs::From(Effort::Rehearse));
                let planned = planning::plan(session, &hold.ledger, &resolved, &options, proofs);
                let Proved { change_set, grounds, .. } = hold.wait(planned)?;
                Ok((Self { change_set, grounds, author: Some(String::new()), file: None }, hold))
            }
        }
    }

    /// It, to be judged.
    pub fn asking(&self) -> Asking<'_> {
        let Self { change_set, grounds, author, file } = self;
        Asking { change_set, grounds, author: author.as_deref(), file: file.as_deref(), break_glass: None }
    }

    /// Says anew who has to sign and who did.
    pub fn refresh(&mut self, session: &Session, hold: &Hold<'_>) {
        let signing = gate::signing(session, hold.ledger.state(), self.asking());
        self.grounds.signing = signing;
    }
}

fn hold<'a>(
    session: &'a Session,
    (environment, project): (&str, &str),
    verb: &'static str,
    begin: Begin,
) -> Result<Hold<'a>, Failure> {
    let intention = Intention { environment, project: Some(project), verb };
    let mut hold = Hold::open(session, intention, Consent::Asked)?;
    if begin == Begin::IfNeeded && hold.ledger.state().chain.is_none() {
        hold.secure()?;
    }
    Ok(hold)
}
