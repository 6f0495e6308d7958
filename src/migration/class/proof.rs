//! What the texts imply, and what a rehearsal left of it. Pure.
//!
//! Invariant: a rehearsal never raises what the texts are known to lose; it settles only what they leave open.

use super::super::certificate::{Basis, Certificate, Verdict};
use super::super::{Direction, Migration};
use super::stake::{Stake, stake};
use crate::kind::Judgement;

/// The judgement of a way whose texts prove nothing by themselves, after it was rehearsed.
pub fn settled(migration: &Migration, direction: Direction, certificate: &Certificate) -> Judgement {
    match stake(migration, direction) {
        Stake::Schema => Judgement::Exact,
        Stake::Rows(_) if has_rows(certificate.basis) => Judgement::Exact,
        Stake::Rows(statement) => {
            Judgement::LosesData(format!("not proved: `{statement}` may change rows, and it was rehearsed without any"))
        }
        Stake::Lost(what) => Judgement::LosesData(what),
    }
}

/// What a migration took away when it ran: its way back makes the place for it again, and leaves it empty.
pub fn gone(migration: &Migration) -> Judgement {
    match stake(migration, Direction::Up) {
        Stake::Schema | Stake::Rows(_) => Judgement::Exact,
        Stake::Lost(what) => Judgement::LosesData(format!("{what} stays gone")),
    }
}

/// Whether a certificate tells what becomes of the schema, so that texts which prove nothing need not.
pub fn tells(certificate: &Certificate) -> bool {
    match certificate.verdict {
        Verdict::Exact | Verdict::Reordered { .. } | Verdict::LosesData { .. } => true,
        Verdict::Otherwise { .. }
        | Verdict::Fails { .. }
        | Verdict::NoWayBack { .. }
        | Verdict::NotRehearsed { .. } => false,
    }
}

fn has_rows(basis: Basis) -> bool {
    match basis {
        Basis::Empty => false,
        Basis::Seeded { rows } | Basis::Sampled { rows } => rows > 0,
    }
}

/// The worse of two judgements; what both of one class say is said together.
pub fn lower(one: Judgement, other: Judgement) -> Judgement {
    let together = |one: String, other: String| if one == other { one } else { format!("{one}; {other}") };
    match (one, other) {
        (Judgement::Recreates(one), Judgement::Recreates(other)) => Judgement::Recreates(together(one, other)),
        (Judgement::LosesData(one), Judgement::LosesData(other)) => Judgement::LosesData(together(one, other)),
        (one, other) if rank(&one) >= rank(&other) => one,
        (_, other) => other,
    }
}

fn rank(judgement: &Judgement) -> u8 {
    match judgement {
        Judgement::Exact => 0,
        Judgement::Recreates(_) => 1,
        Judgement::LosesData(_) => 2,
        Judgement::Impossible(_) => 3,
    }
}
