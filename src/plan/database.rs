//! The steps of one database's schema. Pure.
//!
//! Invariant: a migration runs only if its history is exactly what the ledger and the folder say; anything
//! else is a mistake with its mend, and nothing is planned for that database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::group::refuse_parts;
use super::middle::{self, Leg};
use super::order::Draft;
use super::place::said_otherwise;
use super::thing::{inverse, remember};
use super::{DatabaseGoal, Planner};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::kind::Judgement;
use crate::ledger::state::DatabaseState;
use crate::migration::addition::Addition;
use crate::migration::certificate::{Certificate, Verdict};
use crate::migration::class::{additions, judge_among, judge_now, judge_now_rehearsed, judge_rehearsed};
use crate::migration::layout::Layout;
use crate::migration::range::SchemaNeeds;
use crate::migration::told::Told;
use crate::migration::{Direction, HistoryRow, Migration, REPEATABLE};
use crate::step::{Action, Fingerprint, Operation, Reason, Way};
use crate::world::{Binding, History};

/// What is done about one database.
pub(super) struct Work<'a> {
    pub address: &'a Address,
    pub binding: &'a Binding,
    pub lock_timeout_milliseconds: u64,
    /// The applied versions that what runs does not know.
    pub ahead: BTreeSet<i64>,
    pub needs: &'a BTreeSet<Address>,
    pub needed: BTreeSet<Address>,
}

impl Planner<'_> {
    pub(super) fn plan_database(&mut self, address: &Address, goal: &DatabaseGoal) {
        let recorded = self.inputs.state.things.databases.get(address);
        let known = recorded.map(|recorded| recorded.applied.clone()).unwrap_or_default();
        let told = recorded.map(|recorded| recorded.told.clone()).unwrap_or_default();
        let is_new = self.is_made_here(goal);
        let history = match self.inputs.observed.databases.get(address) {
            Some(Some(history)) if !is_new => Some(history),
            _ => None,
        };
        let Some(applied) = self.applied(address, goal, history, (&known, &told), is_new) else {
            return;
        };
        let ahead = self.ahead(goal, recorded, &applied);
        let stays = |version: &i64| goal.migrations.contains_key(version) || ahead.contains(version);
        let down = applied.iter().rev().filter(|(version, _)| !stays(version));
        let mut down: Vec<_> = down.map(|(_, migration)| Arc::clone(migration)).collect();
        let work = Work {
            address,
            binding: &goal.binding,
            lock_timeout_milliseconds: goal.lock_timeout_milliseconds,
            ahead,
            needs: &goal.needs,
            needed: recorded.map(|recorded| recorded.needs.clone()).unwrap_or_default(),
        };
        let retold = self.tell_as_then(&work, goal, &applied, recorded);
        down.retain(|migration| {
            let was_there = goal.told.is_some() && told.was_there(migration.version);
            !was_there && !self.outlives_its_file(migration)
        });
        let skipped = &goal.told.as_ref().unwrap_or(&told).skipped;
        let mut up: Vec<_> = goal.migrations.values().filter_map(|wanted| pending(wanted, &applied)).collect();
        up.retain(|migration| !skipped.contains_key(&migration.version));
        // What has no version comes last, in the order of the names.
        up.sort_by_key(|migration| migration.is_repeatable().then(|| migration.name.clone()));
        let Ok(first) = self.first(address, history, &goal.migrations, &mut down, &mut up) else {
            return;
        };
        let goes: BTreeSet<i64> = down.iter().map(|migration| migration.version).collect();
        // What was left in the middle goes from there, whatever its group.
        let whole =
            applied.iter().filter(|(version, _)| first.as_ref().is_none_or(|leg| leg.migration.version != **version));
        let whole = whole.map(|(version, migration)| (*version, Arc::clone(migration))).collect();
        let parts = refuse_parts(address, goal.span, &whole, &goes);
        if !parts.is_empty() {
            self.mistakes.0.extend(parts);
            return;
        }
        let is_idle = first.is_none() && down.is_empty() && up.is_empty() && retold.is_none();
        let is_known = recorded.filter(|_| is_idle);
        if let Some(recorded) = is_known {
            let mut what =
                said_otherwise(self.inputs.kinds, (&goal.needs, &goal.binding), (&recorded.needs, &recorded.binding));
            if work.ahead != recorded.ahead {
                what.push("which migrations are ahead of what runs".to_owned());
            }
            what.extend(left_no_more(recorded, history));
            if !what.is_empty() {
                let reason = self.reason_to_remember();
                self.drafts.push(draft(&work, Action::Remember { what }, reason, remember()));
            }
        }
        let applied: Vec<_> = applied.into_values().collect();
        let up = self.keep(address, goal, &up, recorded);
        self.push_migrations(&work, &applied, first, (&down, &up), retold);
        self.push_purges(&work, recorded);
    }

    /// What has no version stays when its file is removed, as Flyway leaves it.
    fn outlives_its_file(&self, migration: &Migration) -> bool {
        migration.is_repeatable() && !matches!(self.operation, Operation::Rollback { .. })
    }

    /// What comes first, where a migration was left in the middle.
    pub(super) fn first(
        &mut self,
        address: &Address,
        history: Option<&History>,
        wanted: &BTreeMap<i64, Arc<Migration>>,
        down: &mut Vec<Arc<Migration>>,
        up: &mut Vec<Arc<Migration>>,
    ) -> Result<Option<Leg>, ()> {
        let Some(partial) = history.and_then(|history| history.partial.as_ref()) else {
            return Ok(None);
        };
        middle::first(partial, wanted, down, up).map(Some).map_err(|why| {
            let (label, done) = (partial.migration.label(), partial.position.statements);
            self.mistakes.push(
                Diagnostic::error("a migration was left in the middle and cannot be taken back from there")
                    .detail(format!("`{address}`: {done} statements of {label} are done, and {why}"))
                    .help("finish it first with `resume`, or apply its text again; then go back as a whole"),
            );
        })
    }

    /// The applied versions that stay although the goal does not know them: an earlier way back, or this one, leaves
    /// them to what runs. None stays upon one that goes.
    fn ahead(
        &self,
        goal: &DatabaseGoal,
        recorded: Option<&DatabaseState>,
        applied: &BTreeMap<i64, Arc<Migration>>,
    ) -> BTreeSet<i64> {
        let known = match (self.operation, recorded) {
            (Operation::Apply | Operation::Edit(_), Some(recorded)) => &recorded.ahead,
            (Operation::Rollback { .. }, _) => &goal.ahead,
            (Operation::Apply | Operation::Edit(_), None) | (Operation::Destroy, _) => return BTreeSet::new(),
        };
        let is_way_back = matches!(self.operation, Operation::Rollback { .. });
        let still =
            |version: &i64| applied.contains_key(version) && (is_way_back || !goal.migrations.contains_key(version));
        let ahead: BTreeSet<i64> = known.iter().copied().filter(still).collect();
        let goes = |version: &&i64| !goal.migrations.contains_key(version) && !ahead.contains(version);
        match applied.keys().find(goes) {
            Some(lowest) => ahead.into_iter().filter(|version| version < lowest).collect(),
            None => ahead,
        }
    }

    /// Whether what the database lives in is made by this plan, or made again.
    fn is_made_here(&self, goal: &DatabaseGoal) -> bool {
        self.drafts.iter().any(|draft| goal.needs.contains(&draft.address) && is_home(draft))
    }

    /// The migrations that are applied, by version; nothing when the histories disagree.
    fn applied(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        history: Option<&History>,
        (known, told): (&BTreeMap<i64, Arc<Migration>>, &Told),
        is_new: bool,
    ) -> Option<BTreeMap<i64, Arc<Migration>>> {
        if is_new {
            return Some(BTreeMap::new());
        }
        let Some(history) = history else {
            // Absent, or not asked for because it could not be there yet.
            return Some(BTreeMap::new());
        };
        let before = self.mistakes.0.len();
        let mut applied = BTreeMap::new();
        for row in &history.rows {
            let (wanted, recorded) = (goal.migrations.get(&row.version), known.get(&row.version));
            if row.spelling.as_deref() == Some(REPEATABLE) {
                let ran = [wanted, recorded].into_iter().flatten().find(|migration| history.fits(row, migration));
                applied.extend(ran.map(|migration| (row.version, Arc::clone(migration))));
                continue;
            }
            let Some(migration) = recorded.or(wanted) else {
                if !told.skipped.contains_key(&row.version) && !self.was_there_before(goal, known, row.version) {
                    self.refuse_unknown_row(address, goal, row);
                }
                continue;
            };
            let text = wanted.unwrap_or(migration);
            // An altered text that was accepted is recorded together with what the row has.
            let accepted = recorded.filter(|recorded| recorded.up == text.up).unwrap_or(text);
            let is_other = row.checksum.is_none() && recorded.is_some_and(|recorded| recorded.up != text.up);
            if is_other || !history.fits(row, accepted) {
                self.refuse_altered(address, goal, text);
            }
            applied.insert(row.version, Arc::clone(migration));
        }
        for migration in known.values().chain(goal.migrations.values()) {
            let version = migration.version;
            let counts = history.counts(version) || told.baselined.contains(&version);
            if !counts || migration.is_repeatable() || applied.contains_key(&version) {
                continue;
            }
            let text = goal.migrations.get(&version).unwrap_or(migration);
            if text.up != migration.up {
                self.refuse_altered(address, goal, text);
            }
            applied.insert(version, Arc::clone(migration));
        }
        self.refuse_out_of_order(address, goal, &applied, told);
        (self.mistakes.0.len() == before).then_some(applied)
    }

    /// On a way back, what neither the ledger nor the goal knows was there before us, and stays, unless it stands on
    /// what is taken back.
    fn was_there_before(&self, goal: &DatabaseGoal, known: &BTreeMap<i64, Arc<Migration>>, version: i64) -> bool {
        let mut down = known.keys().filter(|known| !goal.migrations.contains_key(known));
        matches!(self.operation, Operation::Rollback { .. }) && down.next().is_none_or(|lowest| version < *lowest)
    }

    /// The verb that makes an exception, as it is typed.
    fn sanctioned(&self, verb: &str, version: &str, address: &Address) -> String {
        let chain = self.inputs.state.chain.as_ref();
        let environment = self.environment.or(chain.map(|chain| &*chain.environment)).unwrap_or("ENV");
        format!("`switchback migrate {verb} {environment} {version} --database {} --reason WHY`", address.name)
    }

    fn refuse_unknown_row(&mut self, address: &Address, goal: &DatabaseGoal, row: &HistoryRow) {
        let (label, version) = (row.label(), row.spelling.clone().unwrap_or_else(|| row.version.to_string()));
        let layout = Layout::of(&goal.binding.settings).unwrap_or_default();
        let file = match row.name.is_empty() {
            true => format!("the file of version {version}"),
            false => layout.file_name(&version, &row.name.replace(' ', "_"), Direction::Up),
        };
        self.mistakes.push(
            Diagnostic::error("an applied migration has no file")
                .at(goal.span)
                .detail(format!("`{address}` has applied {label}, which neither the folder nor the ledger has"))
                .help(format!(
                    "put {file} back into the folder, or go on without it: {}",
                    self.sanctioned("skip", &version, address)
                )),
        );
    }

    fn refuse_altered(&mut self, address: &Address, goal: &DatabaseGoal, migration: &Migration) {
        self.mistakes.push(
            Diagnostic::error("an applied migration was altered")
                .at(goal.span)
                .detail(format!("`{address}`: {} is not the text that was applied", migration.label()))
                .help(format!(
                    "restore the file as it was, and put the change into a new migration; or accept it as it is: {}",
                    self.sanctioned("rebless", &migration.version_text(), address)
                )),
        );
    }

    fn refuse_out_of_order(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        applied: &BTreeMap<i64, Arc<Migration>>,
        told: &Told,
    ) {
        if matches!(self.operation, Operation::Rollback { .. }) {
            return;
        }
        let mut versioned = applied.values().filter(|migration| !migration.is_repeatable());
        let newest = versioned.rfind(|migration| goal.migrations.contains_key(&migration.version));
        let Some(newest) = newest else { return };
        for migration in goal.migrations.range(..newest.version).map(|(_, migration)| migration) {
            if applied.contains_key(&migration.version) || told.skipped.contains_key(&migration.version) {
                continue;
            }
            let (label, newest) = (migration.label(), newest.version_text());
            self.mistakes.push(
                Diagnostic::error("a migration comes too late")
                    .at(goal.span)
                    .detail(format!("`{address}`: {label} was not applied, but V{newest} was"))
                    .help(format!(
                        "give it a number above {newest}, or never run it: {}",
                        self.sanctioned("skip", &migration.version_text(), address)
                    )),
            );
        }
    }

    pub(super) fn remove_database(&mut self, address: &Address, recorded: &DatabaseState) {
        let reason = match self.operation {
            Operation::Apply | Operation::Edit(_) => Reason::NotInSpec,
            Operation::Destroy => Reason::Destroyed,
            Operation::Rollback { .. } => Reason::TakenBack,
        };
        let home = self.drafts.iter().position(|draft| recorded.needs.contains(&draft.address) && is_home(draft));
        let gone = self.inputs.observed.databases.get(address) == Some(&None);
        let (why, reason, after) = match home {
            Some(home) => {
                let home_address = self.drafts[home].address.clone();
                (
                    format!("it goes with {home_address}"),
                    Reason::GoesWith { address: home_address },
                    BTreeSet::from([home]),
                )
            }
            None if gone => ("the database is not there any more".to_owned(), reason, BTreeSet::new()),
            None if self.operation == Operation::Apply || self.let_go.contains(address) => {
                ("its schema stays as it is; only the ledger forgets it".to_owned(), reason, BTreeSet::new())
            }
            None => {
                let work = Work {
                    address,
                    binding: &recorded.binding,
                    lock_timeout_milliseconds: recorded.lock_timeout_milliseconds,
                    ahead: BTreeSet::new(),
                    needs: &recorded.needs,
                    needed: recorded.needs.clone(),
                };
                return self.take_all_back(&work, recorded, reason);
            }
        };
        let needs = BTreeSet::new();
        let work = Work {
            address,
            binding: &recorded.binding,
            lock_timeout_milliseconds: 0,
            ahead: BTreeSet::new(),
            needs: &needs,
            needed: needs.clone(),
        };
        let mut draft = draft(&work, Action::Forget { why }, reason, remember());
        draft.after = after;
        self.drafts.push(draft);
    }

    /// The ledger has a migration in the middle of which the database knows nothing, and nothing else.
    pub(super) fn forget_what_is_not_there(&mut self, work: &Work<'_>, reason: Reason) {
        let why = "nothing of it is there any more".to_owned();
        self.drafts.push(draft(work, Action::Forget { why }, reason, remember()));
    }

    /// What comes first, the way down, then the way up, one after the other; `applied` are all that were applied, in
    /// their order.
    pub(super) fn push_migrations(
        &mut self,
        work: &Work<'_>,
        applied: &[Arc<Migration>],
        first: Option<Leg>,
        (down, up): (&[Arc<Migration>], &[Arc<Migration>]),
        behind: Option<usize>,
    ) {
        let before = Before::of(applied, first.as_ref(), down, up);
        let stays = down.len() < applied.len() || !up.is_empty();
        let legs = first
            .into_iter()
            .chain(down.iter().map(|migration| Leg::whole(Direction::Down, migration)))
            .chain(up.iter().map(|migration| Leg::whole(Direction::Up, migration)));
        let mut last = behind;
        let from_here = self.drafts.len();
        for Leg { direction, migration, from } in legs {
            let certificate = self.certificate(work.address, migration.version);
            let mut migration = with_derived(&migration, certificate);
            let mut judgement = self.judge(work.address, &migration, direction, &before);
            let loses = direction == Direction::Down && from.is_start() && matches!(judgement, Judgement::LosesData(_));
            if let Some(kept) = self.keep_back(&migration, loses && stays) {
                judgement = self.judge(work.address, &kept, direction, &before);
                migration = kept;
            }
            let migration = &migration;
            if direction == Direction::Down && (migration.text(direction).is_none() || migration.is_repeatable()) {
                self.refuse_no_way_down(work.address, migration);
                return;
            }
            let reason = match self.operation {
                Operation::Rollback { .. } => Reason::TakenBack,
                Operation::Destroy => Reason::Destroyed,
                Operation::Apply | Operation::Edit(_) => Reason::Pending,
            };
            let action = Action::Migrate {
                direction,
                migration: Box::new(Migration::clone(migration)),
                lock_timeout_milliseconds: work.lock_timeout_milliseconds,
                from,
            };
            let mut draft = draft(work, action, reason, inverse(judgement, Way::MigrateBack));
            draft.after.extend(last);
            last = Some(self.drafts.len());
            self.drafts.push(draft);
        }
        let versions = applied.iter().map(|migration| migration.version);
        self.phases.note(work.address, versions, (from_here..self.drafts.len()).collect(), &self.drafts);
    }

    /// A way up is judged by its text; a way down also by what is in the things that it takes away; both by what a
    /// rehearsal showed.
    fn judge(&self, address: &Address, migration: &Migration, direction: Direction, before: &Before) -> Judgement {
        let earlier = before.earlier(migration.version);
        let certificate = self.certificate(address, migration.version);
        match direction {
            Direction::Up if migration.is_repeatable() => match &migration.down {
                Some(_) => Judgement::Recreates("its earlier text runs again".to_owned()),
                None => Judgement::Impossible("it has no earlier text that could run again".to_owned()),
            },
            Direction::Up => match certificate {
                Some(certificate) => judge_rehearsed(migration, earlier, certificate),
                None => judge_among(migration, direction, earlier),
            },
            Direction::Down => {
                let nothing = BTreeMap::new();
                let found = self.inputs.observed.written.get(address).unwrap_or(&nothing);
                let added = before.added.get(&migration.version).map_or(&[][..], Vec::as_slice);
                match certificate {
                    Some(certificate) => judge_now_rehearsed(migration, earlier, added, found, certificate),
                    None => judge_now(migration, earlier, added, found),
                }
            }
        }
    }

    /// What was proved of a migration. On a way back what could not be rehearsed proves nothing, and forbids nothing.
    fn certificate(&self, address: &Address, version: i64) -> Option<&Certificate> {
        let goes_back = match self.operation {
            Operation::Rollback { .. } | Operation::Destroy => true,
            Operation::Apply | Operation::Edit(_) => false,
        };
        let is_proof =
            |certificate: &&Certificate| !goes_back || !matches!(certificate.verdict, Verdict::NotRehearsed { .. });
        self.inputs.evidence.of(address, version).filter(is_proof)
    }

    fn refuse_no_way_down(&mut self, address: &Address, migration: &Migration) {
        let why = match migration.is_repeatable() {
            true => "is there for the first time, so no earlier text of it could run again",
            false => "was applied without a way back (a .down.sql)",
        };
        self.mistakes.push(
            Diagnostic::error("a migration has no way back")
                .detail(format!("`{address}`: {} {why}", migration.label()))
                .help("go forward instead: a new migration can undo what it did"),
        );
    }
}

/// What a judgement rests on, beside the migration itself.
struct Before {
    /// Every migration that is or will be applied, in their order.
    all: Vec<Arc<Migration>>,
    /// What those that are taken back added, under the names of now.
    added: BTreeMap<i64, Vec<Option<Addition>>>,
}

impl Before {
    fn of(applied: &[Arc<Migration>], first: Option<&Leg>, down: &[Arc<Migration>], up: &[Arc<Migration>]) -> Self {
        let middle = first.map(|leg| &leg.migration);
        let middle = middle.filter(|middle| applied.iter().all(|other| other.version != middle.version));
        let applied: Vec<_> = applied.iter().chain(middle).cloned().collect();
        let mut all: Vec<_> = applied.iter().chain(up).cloned().collect();
        all.sort_by_key(|migration| migration.version);
        let back = first.filter(|leg| leg.direction == Direction::Down).map(|leg| &leg.migration);
        let down = down.iter().chain(back);
        let lowest = down.map(|migration| migration.version).min();
        let from = applied.iter().position(|migration| Some(migration.version) >= lowest && lowest.is_some());
        let from = &applied[from.unwrap_or(applied.len())..];
        let added = from.iter().map(|migration| migration.version).zip(additions(from)).collect();
        Self { all, added }
    }

    /// Those that were run before this one.
    fn earlier(&self, version: i64) -> &[Arc<Migration>] {
        &self.all[..self.all.partition_point(|migration| migration.version < version)]
    }
}

/// A migration that is to run: one that was not applied, or one without a version whose text is another now; its way
/// back is then the text that ran last.
fn pending(wanted: &Arc<Migration>, applied: &BTreeMap<i64, Arc<Migration>>) -> Option<Arc<Migration>> {
    match applied.get(&wanted.version) {
        None if wanted.is_repeatable() => Some(Arc::new(Migration { down: None, ..Migration::clone(wanted) })),
        None => Some(Arc::clone(wanted)),
        Some(ran) if wanted.is_repeatable() && ran.up != wanted.up => {
            Some(Arc::new(Migration { down: Some(ran.up.clone()), ..Migration::clone(wanted) }))
        }
        Some(_) => None,
    }
}

/// The ledger has a migration in the middle of which the database knows nothing any more.
fn left_no_more(recorded: &DatabaseState, history: Option<&History>) -> Option<String> {
    let partial = recorded.partial.as_ref()?;
    history.filter(|history| history.partial.is_none())?;
    Some(format!("{} is not in the middle any more", partial.migration.label()))
}

/// The migration with the way back that was derived and rehearsed, where it has none of its own.
fn with_derived(migration: &Arc<Migration>, certificate: Option<&Certificate>) -> Arc<Migration> {
    match certificate.and_then(|certificate| certificate.derived.as_ref()) {
        Some(derived) if migration.down.is_none() => {
            Arc::new(Migration { down: Some(derived.clone()), derived: true, ..Migration::clone(migration) })
        }
        Some(_) | None => Arc::clone(migration),
    }
}

/// Whether a step makes, replaces or removes what a database lives in.
fn is_home(draft: &Draft) -> bool {
    draft.action.kind() == Some("postgres_database")
        && matches!(draft.action, Action::Create { .. } | Action::Revise { .. } | Action::Delete { .. })
}

pub(super) fn draft(work: &Work<'_>, action: Action, reason: Reason, inverse: crate::step::Inverse) -> Draft {
    Draft {
        address: work.address.clone(),
        binding: work.binding.clone(),
        action,
        reason,
        inverse,
        rests_on: BTreeMap::new(),
        found: Fingerprint::Unasked,
        needs: work.needs.clone(),
        needs_schema: SchemaNeeds::new(),
        ahead: work.ahead.clone(),
        needed: work.needed.clone(),
        after: BTreeSet::new(),
    }
}
