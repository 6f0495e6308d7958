//! Reviews on the terminal.
//!
//! Invariant: every form shows the same review.

use super::arguments::Form;
use super::session::Session;
use crate::migration::certificate::Evidence;
use crate::review::{self, Review};
use crate::step::ChangeSet;

/// The review of a change set and of what was proved of it, to stdout.
pub fn show_review(session: &Session, change_set: &ChangeSet, evidence: &Evidence, form: Option<Form>) {
    let terminal = &session.terminal;
    let review = Review::proved(change_set, evidence);
    let form = form.unwrap_or(if terminal.json { Form::Json } else { Form::Text });
    match form {
        Form::Text => terminal.data(&review::text::render(&review, terminal.paint())),
        Form::Md => terminal.data(&review::markdown::render(&review)),
        Form::Json => terminal.json(&review),
    }
}

/// The review of a change set that is about to be carried out: stdout belongs to what becomes of it.
pub fn talk_review(session: &Session, change_set: &ChangeSet, evidence: &Evidence) {
    let review = Review::proved(change_set, evidence);
    session.terminal.talk(&review::text::render(&review, session.terminal.paint_talk()));
}
