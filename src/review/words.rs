//! The words in which a review says what, where and why. Pure.
//!
//! Invariant: a step's reason is one sentence without a full stop that starts with what is done.

use super::{Review, Summary};
use crate::migration::Direction;
use crate::step::{Action, Edit, Operation, Reason, Step, Way};
use crate::world::Binding;

/// Where in the world a binding leads: provider, and the settings that tell places apart.
pub fn place(binding: &Binding) -> String {
    let mut text = binding.provider.clone();
    if let Some(alias) = &binding.alias {
        text = format!("{text}.{alias}");
    }
    let mut settings: Vec<String> =
        super::settings_of(binding).map(|(name, value)| format!("{name} {value}")).collect();
    settings
        .extend(binding.deferred.keys().filter(|name| *name != "password").map(|name| format!("{name} not known yet")));
    if settings.is_empty() { text } else { format!("{text} ({})", settings.join(", ")) }
}

/// Why a step is there.
pub fn because(step: &Step) -> String {
    let done = participle(step);
    match &step.reason {
        Reason::New => format!("{done} because it is new in the spec"),
        Reason::Missing => format!("{done} because the ledger has it, but it is gone from the world"),
        Reason::Changed { attributes, drifted } => match (attributes.is_empty(), drifted.is_empty()) {
            (false, true) => format!("{done} because {} changed", listed(attributes)),
            (true, false) => format!("{done} because {} changed outside of Switchback", listed(drifted)),
            (false, false) => {
                format!("{done} because {} changed, and {} outside of Switchback", listed(attributes), listed(drifted))
            }
            (true, true) => format!("{done} because what it needs changed"),
        },
        Reason::Replaced { attributes } => {
            let is = if attributes.len() == 1 { "is" } else { "are" };
            format!("{done} because {} {is} immutable", listed(attributes))
        }
        Reason::ReplaceAsked => format!("{done} because `--replace` asks for it"),
        Reason::NotInSpec => format!("{done} because it is no longer in the spec"),
        Reason::LeftOver => format!("{done} because another has taken its place; a run that was cut left it there"),
        Reason::Destroyed => format!("{done} because everything goes"),
        Reason::TakenBack => match &step.action {
            Action::Move { from, .. } => format!("moved back: it is `{from}` until now"),
            Action::TakeUp { .. } => "taken up again: it is still there".to_owned(),
            Action::Forget { why } => format!("{done}: {why}"),
            _ => format!("{done} because an earlier state is wanted back"),
        },
        Reason::Pending => format!("{done} because it was not applied yet"),
        Reason::KeptLongEnough { until } => match &step.action {
            Action::Purge { migration, .. } => {
                let what = migration.kept.as_ref().map(|kept| kept.what.clone()).unwrap_or_default();
                format!("{done} because it was kept long enough, until {until}: {}", listed(&what))
            }
            _ => format!("{done} because it was kept until {until}"),
        },
        Reason::SaidOtherwise => match &step.action {
            Action::Remember { what } => format!("{done} because {} changed in the spec", listed(what)),
            _ => format!("{done} because the spec says it otherwise"),
        },
        Reason::GoesWith { address } => format!("{done} because it goes with {address}"),
        Reason::Renamed => match &step.action {
            Action::Move { from, .. } => format!("moved: it was `{from}` until now"),
            _ => format!("{done} because it is called otherwise"),
        },
        Reason::Told { what } => listed(what),
        Reason::ImportAsked => match &step.action {
            Action::Import { id, .. } => format!("imported as it is: `{id}` is there already"),
            _ => format!("{done} because it is imported"),
        },
        Reason::LetGo => match &step.action {
            Action::Forget { why } => format!("{done}: {why}"),
            _ => format!("{done} because it is left to others"),
        },
        Reason::Adopted { run, id, goes } => {
            let goes = because(&Step { reason: (**goes).clone(), ..step.clone() });
            format!("{goes}; it was there before Switchback, and imported in run {run} as `{id}`")
        }
    }
}

fn participle(step: &Step) -> &'static str {
    let replaced = super::is_replacement(step);
    match &step.action {
        Action::Create { .. } | Action::Delete { .. } if replaced => "replaced",
        Action::Create { .. } => "created",
        Action::Update { .. } => "updated",
        Action::Revise { .. } => "revised",
        Action::Return { .. } => "returned to its earlier revision",
        Action::Retire { .. } => "retired",
        Action::Delete { .. } => "deleted",
        Action::Forget { .. } => "forgotten",
        Action::Remember { .. } => "recorded anew",
        Action::Import { .. } => "imported",
        Action::TakeUp { .. } => "taken up",
        Action::Move { .. } => "moved",
        Action::Migrate { direction: Direction::Up, .. } => "migrated",
        Action::Migrate { direction: Direction::Down, .. } => "migrated back",
        Action::Purge { .. } => "purged",
    }
}

/// Names as a sentence has them: `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What is done on the way back.
pub fn way(way: Way) -> &'static str {
    match way {
        Way::Delete => "remove it",
        Way::UpdateBack => "change it back in place",
        Way::CreateAgain => "make it again",
        Way::Return => "return to the earlier revision",
        Way::ReviseAgain => "make a revision with the earlier content",
        Way::Remember => "take it up in the ledger again",
        Way::LetGo => "forget it, and leave it where it is",
        Way::MoveBack => "give it its earlier address again",
        Way::MigrateBack => "run the migration the other way",
    }
}

/// What the change set is for, as a heading.
pub fn heading(review: &Review) -> String {
    let environment = &review.environment;
    match review.operation {
        Operation::Apply => format!("Plan for {environment} of project {}", review.project),
        Operation::Destroy => format!("Plan to destroy {environment} of project {}", review.project),
        Operation::Edit(Edit::Import) => format!("Import into {environment} of project {}", review.project),
        Operation::Edit(Edit::Move) => format!("Move in the ledger of {environment} of project {}", review.project),
        Operation::Edit(edit @ (Edit::Adopt | Edit::Baseline | Edit::Rebless | Edit::Skip)) => {
            let verb = match edit {
                Edit::Adopt => "Take over a history in",
                Edit::Baseline => "Begin a history in",
                Edit::Rebless => "Accept an altered migration in",
                Edit::Skip | Edit::Import | Edit::Move | Edit::Remove => "Leave out a migration in",
            };
            format!("{verb} {environment} of project {}", review.project)
        }
        Operation::Edit(Edit::Remove) => {
            format!("Removal from the ledger of {environment} of project {}", review.project)
        }
        Operation::Rollback { to: 0 } => {
            format!("Rollback of {environment} of project {} to before its first run", review.project)
        }
        Operation::Rollback { to } => {
            format!("Rollback of {environment} of project {} to the state after run {to}", review.project)
        }
    }
}

/// The counts in one line; `nothing to do` when there are none.
pub fn counts(summary: &Summary) -> String {
    let parts: Vec<String> = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.replace, "to replace"),
        (summary.revise, "to revise"),
        (summary.return_to, "to return to an earlier revision"),
        (summary.retire, "to retire"),
        (summary.delete, "to delete"),
        (summary.forget, "to forget"),
        (summary.remember, "to record anew"),
        (summary.import, "to import"),
        (summary.take_up, "to take up again"),
        (summary.rename, "to move"),
        (summary.purge, "to purge"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .chain(migrations(summary.migrate, "to run"))
    .chain(migrations(summary.migrate_back, "to take back"))
    .collect();
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

/// How long something is kept.
pub fn keeping(seconds: u64) -> String {
    let (number, unit) = match seconds {
        days if days >= 86_400 && days.is_multiple_of(86_400) => (days / 86_400, "day"),
        hours if hours >= 3_600 && hours.is_multiple_of(3_600) => (hours / 3_600, "hour"),
        seconds => (seconds, "second"),
    };
    counted(usize::try_from(number).unwrap_or(usize::MAX), unit)
}

/// What is to be known of what is copied.
pub const COPIED: [&str; 2] = [
    "it is copied in the same transaction: until that ends, others may read the table, and not write to it",
    "the way back puts back what nobody has changed since",
];

/// What is to be known of what is set aside.
pub const KEPT: [&str; 3] = [
    "until it is purged, `SELECT *` and `INSERT` without a list of columns still meet a column that is set aside",
    "foreign keys, checks and the like on it are off meanwhile, and come back with it",
    "the way back fails where rows that are written meanwhile do not fit what comes back",
];

/// What is to be known of what comes back.
pub const GIVEN_BACK: [&str; 1] =
    ["it fails, and changes nothing, where rows that were written since do not fit what comes back"];

/// A count with its noun: `1 step`, `2 steps`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn migrations(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{} {what}", counted(count, "migration")))
}

/// Text from outside as it may be shown on a terminal: control and direction-changing characters are named
/// instead of obeyed. Line feeds and tabs stay.
pub fn harmless(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        let hidden = matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        );
        let kept = matches!(character, '\n' | '\t') || !(character.is_control() || hidden);
        match kept {
            true => shown.push(character),
            false => shown.extend(character.escape_unicode()),
        }
        shown
    })
}

/// A duration in the largest two units that matter.
pub fn duration(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 1000 => format!("{} ms", duration.as_millis()),
        0..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
