//! Reviews on the terminal.
//!
//! Invariant: every form shows the same review.

use super::arguments::Form;
use super::session::Session;
use crate::review::{self, Review};

/// A review, to stdout.
pub fn show_review(session: &Session, review: &Review, form: Option<Form>) {
    let terminal = &session.terminal;
    let form = form.unwrap_or(if terminal.json { Form::Json } else { Form::Text });
    match form {
        Form::Text => terminal.data(&review::text::render(review, terminal.paint())),
        Form::Md => terminal.data(&review::markdown::render(review)),
        Form::Html => terminal.data(&review::html::render(review)),
        Form::Json => terminal.json(review),
    }
}

/// The review of a change set that is about to be carried out: stdout belongs to what becomes of it.
pub fn talk_review(session: &Session, review: &Review) {
    session.terminal.talk(&review::text::render(review, session.terminal.paint_talk()));
}
