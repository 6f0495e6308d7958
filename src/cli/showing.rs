//! Reviews on the terminal.
//!
//! Invariant: every form shows the same review; a form that cannot show all of it is refused.

use super::arguments::{Form, OfDatabase};
use super::failure::Failure;
use super::session::Session;
use crate::provider::postgres::script::{self, Way};
use crate::provider::watching;
use crate::review::{self, Review};
use crate::step::ChangeSet;

/// The review of a change set in the form that is asked for, to stdout.
///
/// # Errors
/// When it is asked for as a script, and no script can do it.
pub fn show(
    session: &Session,
    change_set: &ChangeSet,
    review: &Review,
    form: Option<Form>,
    of: &OfDatabase,
) -> Result<(), Failure> {
    let terminal = &session.terminal;
    let form = form.unwrap_or(if terminal.json { Form::Json } else { Form::Text });
    let way = match form {
        Form::Sql => Some(Way::Forth),
        Form::SqlDown => Some(Way::Back),
        Form::Text | Form::Md | Form::Html | Form::Json | Form::Sarif | Form::Junit | Form::Runbook => None,
    };
    match (way, &of.database) {
        (None, Some(_)) => {
            return Err(Failure::usage("`--database` says of which database a script is, and no script is asked for")
                .help("add `--as sql` or `--as sql-down`"));
        }
        (None, None) => {}
        (Some(way), database) => terminal.data(&script_of(change_set, way, database.as_ref())?),
    }
    match form {
        Form::Text => terminal.data(&review::text::render(review, terminal.paint())),
        Form::Md => terminal.data(&review::markdown::render(review)),
        Form::Html => terminal.data(&review::html::render(review)),
        Form::Json => terminal.json(review),
        Form::Sarif => terminal.json(&review::sarif::render(review)),
        Form::Junit => terminal.data(&review::junit::render(review)),
        Form::Runbook => terminal.data(&review::runbook::render(review, &watching::by_hand(change_set))),
        Form::Sql | Form::SqlDown => {}
    }
    Ok(())
}

fn script_of(change_set: &ChangeSet, way: Way, database: Option<&crate::address::Address>) -> Result<String, Failure> {
    script::write(change_set, way, database).map_err(|refused| {
        let failure = Failure::failed(refused.summary).help(refused.help);
        refused.causes.into_iter().fold(failure, Failure::cause)
    })
}

/// The review of a change set that is about to be carried out: stdout belongs to what becomes of it.
pub fn talk_review(session: &Session, review: &Review) {
    session.terminal.talk(&review::text::render(review, session.terminal.paint_talk()));
}
