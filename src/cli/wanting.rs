//! That signatures are wanted, where something was refused for want of them. An edge.
//!
//! Invariant: what cannot be recorded is said, and the refusal stays what it is.

use super::carry::Hold;
use super::gate::{self, Asking};
use super::session::Session;
use super::telling;
use crate::ledger::Body;
use crate::ledger::state::outbox;
use crate::notice::receiver::Receiver;

/// Records that signatures are missing, so that it is told. Without the lease it is told all the same, but only now.
pub fn approval_wanted(session: &Session, hold: &mut Hold<'_>, asking: Asking<'_>, receivers: Option<&[Receiver]>) {
    let signing = gate::signing(session, hold.ledger.state(), asking);
    let known = !hold.ledger.state().outbox.receivers.is_empty();
    if signing.is_complete() || !(known || receivers.is_some_and(|receivers| !receivers.is_empty())) {
        return;
    }
    if let Err(failure) = hold.secure() {
        session.terminal.say(&format!("nobody was told that signatures are wanted: {}", failure.summary));
        return;
    }
    let change_set = asking.change_set.digest();
    let release = asking.change_set.release.as_ref().map(|carried| carried.id.short());
    let missing = telling::missing(&signing);
    let body = Body::ApprovalWanted { actor: session.actor.clone(), change_set, missing: missing.clone(), release };
    let written = session.wait(async {
        if !known {
            telling::note_receivers(session, &mut hold.ledger, receivers.unwrap_or_default()).await?;
        }
        let state = hold.ledger.state();
        let now = session.world.clock.now();
        let notice = outbox::place(state).map(|place| outbox::wanted(place, now, (&change_set, &missing)));
        match notice.is_some_and(|notice| state.outbox.is_newest(&notice)) {
            true => Ok(()),
            false => hold.ledger.append(now, vec![body]).await,
        }
    });
    if let Err(error) = written {
        session.terminal.say(&format!("nobody was told that signatures are wanted: {error}"));
    }
}
