//! Applies rules to migrations and change sets. Pure.
//!
//! Invariant: a finding is either told or kept with the reason for which somebody silenced it; what a table that this change
//! set makes itself would make others wait for is no finding.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Findings, Ignored, Level, Place};
use super::ignoring::{self, Ignore, Reach};
use super::levels::Levels;
use super::reading::{alteration, fit};
use super::rule::{Check, Found, Rule, Sort, size_words};
use super::sight::Sight;
use crate::address::Address;
use crate::migration::certificate::{Certificate, Evidence};
use crate::migration::directives;
use crate::migration::layout::Layout;
use crate::migration::observation::Observation;
use crate::migration::statements::{Script, Statement};
use crate::migration::{Direction, Migration};
use crate::rehearse::target::{Along, Answer, Foretold, Targets};
use crate::step::{Action, ChangeSet, Operation, StepId};
use crate::suggest::did_you_mean;
use crate::world::TargetFacts;

/// Below so many rows, by the target's own count, work on a whole table is over before anybody notices: reading or writing
/// them takes some tens of milliseconds, which is what a busy commit takes as well.
pub const SMALL: u64 = 10_000;

/// What rules go by in a project and an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How heavy rules weigh.
    pub levels: Levels,
    /// The folder of each database's migrations, as it is found from the project's folder, and its layout.
    pub folders: BTreeMap<Address, (String, Layout)>,
}

/// A migration that rules are applied to.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Its step, where it is one of a change set.
    pub step: Option<StepId>,
    /// Its database.
    pub address: Option<String>,
    /// Which way is planned.
    pub direction: Direction,
    /// The migration.
    pub migration: &'a Migration,
    /// What a rehearsal saw.
    pub certificate: Option<&'a Certificate>,
    /// What is foretold where there was none.
    pub foretold: Option<&'a Foretold>,
    /// What the target says.
    pub target: Option<&'a TargetFacts>,
    /// The folder that it lies in, and its layout.
    pub folder: Option<&'a (String, Layout)>,
}

/// Applies rules.
pub struct Judge<'a> {
    rules: &'a [Rule],
    levels: &'a Levels,
    /// Whether it is a way back that is judged: it chooses nothing anew.
    goes_back: bool,
    fresh: BTreeMap<Option<String>, BTreeSet<String>>,
    findings: Findings,
}

/// What the rules have to say about a change set.
pub fn judge(
    rules: &[Rule],
    change_set: &ChangeSet,
    evidence: &Evidence,
    targets: &Targets,
    settings: &Settings,
) -> Findings {
    let mut judge = Judge::new(rules, &settings.levels);
    judge.goes_back = matches!(change_set.operation, Operation::Rollback { .. });
    for step in &change_set.steps {
        let Action::Migrate { direction, migration, .. } = &step.action else { continue };
        let target = targets.0.get(&step.address);
        let target = target.and_then(|target| match &target.answer {
            Answer::Facts(facts) => Some(facts),
            Answer::Unreadable(_) => None,
        });
        judge.migration(&Job {
            step: Some(step.id),
            address: Some(step.address.to_string()),
            direction: *direction,
            migration,
            certificate: evidence.of(&step.address, migration.version),
            foretold: targets.foretold(&step.address, migration.version),
            target,
            folder: settings.folders.get(&step.address),
        });
    }
    judge.steps(change_set);
    judge.end()
}

impl<'a> Judge<'a> {
    /// Nothing is judged yet.
    pub fn new(rules: &'a [Rule], levels: &'a Levels) -> Self {
        Self { rules, levels, goes_back: false, fresh: BTreeMap::new(), findings: Findings::default() }
    }

    /// What was made so far is in use from here on: the next migration belongs to another change.
    pub fn forget(&mut self) {
        self.fresh.clear();
    }

    /// What was found, the heaviest first.
    pub fn end(mut self) -> Findings {
        self.findings.found.sort_by_key(|finding| {
            let Place { step, version, way, statement, .. } = finding.place;
            (std::cmp::Reverse(finding.level), step, version, way == Some(Along::Back), statement)
        });
        self.findings
    }

    /// The rules about steps.
    pub fn steps(&mut self, change_set: &ChangeSet) {
        for rule in self.rules {
            let (Check::Steps(sort, look), Some(level)) = (rule.check, self.levels.level(rule)) else { continue };
            if self.goes_back && sort == Sort::Habit {
                continue;
            }
            let found = look(change_set).into_iter();
            self.findings.found.extend(found.map(|finding| Finding { rule: rule.name.to_owned(), level, ..finding }));
        }
    }

    /// Both ways of a migration.
    pub fn migration(&mut self, job: &Job<'_>) {
        let derived = job.certificate.and_then(|certificate| certificate.derived.as_deref());
        let back = job.migration.text(job.direction.other()).or(derived);
        let seen = |way: Along| -> &[Observation] {
            let (certificate, foretold) = (job.certificate, job.foretold);
            match way {
                Along::Forth => certificate
                    .map(|one| one.forth.as_slice())
                    .filter(|seen| !seen.is_empty())
                    .or(foretold.map(|one| one.forth.as_slice())),
                Along::Back => certificate
                    .map(|one| one.back.as_slice())
                    .filter(|seen| !seen.is_empty())
                    .or(foretold.map(|one| one.back.as_slice())),
            }
            .unwrap_or_default()
        };
        for (way, text) in [(Along::Forth, job.migration.text(job.direction)), (Along::Back, back)] {
            let Some(script) = text.and_then(|text| Script::parse(text).ok()) else { continue };
            Text { job, way, script: &script, seen: seen(way) }.judge(self);
        }
    }
}

/// One text of a migration.
struct Text<'a> {
    job: &'a Job<'a>,
    way: Along,
    script: &'a Script,
    seen: &'a [Observation],
}

impl Text<'_> {
    fn judge(&self, judge: &mut Judge<'_>) {
        let ignores = ignoring::read(self.script);
        let mut used = vec![false; ignores.len()];
        let transaction = self.job.migration.transaction && directives::header(self.script).transaction;
        // Behind the way back nobody knows who began to use what the way there made.
        let mut fresh = match self.way {
            Along::Forth => judge.fresh.remove(&self.job.address).unwrap_or_default(),
            Along::Back => BTreeSet::new(),
        };
        let nothing = BTreeSet::new();
        for (statement, number) in self.script.statements.iter().zip(1..) {
            let now = fresh.clone();
            let sight = Sight {
                migration: self.job.migration,
                script: self.script,
                statement,
                number,
                way: self.way,
                transaction,
                seen: self.seen.iter().find(|seen| seen.statement == number),
                all_seen: self.seen,
                fresh: &now,
                target: self.job.target,
            };
            for (place, ignore) in ignores.iter().enumerate().filter(|(_, ignore)| ignore.is_for(number)) {
                let is_said =
                    |rule: &&Rule| rule.name == ignore.rule && rule.finds(&Sight { fresh: &nothing, ..sight });
                used[place] |= judge.rules.iter().any(|rule| is_said(&rule));
            }
            self.statement(judge, &sight, &ignores);
            follow(&mut fresh, &sight);
        }
        if self.way == Along::Forth {
            judge.fresh.insert(self.job.address.clone(), fresh);
        }
        self.comments(judge, &ignores, &used);
        self.whole(judge);
    }

    /// That there is nothing to run.
    fn whole(&self, judge: &mut Judge<'_>) {
        let runs = self.way == Along::Forth && self.job.direction == Direction::Up;
        if !runs || !self.script.statements.is_empty() {
            return;
        }
        let rule = judge.rules.iter().find(|rule| rule.name == "empty-migration");
        let Some((rule, level)) = rule.and_then(|rule| Some((rule, judge.levels.level(rule)?))) else { return };
        judge.findings.found.push(Finding {
            rule: rule.name.to_owned(),
            level,
            place: self.line(1),
            message: format!("{} has no statement yet", self.job.migration.label()),
            reason: rule.reason.to_owned(),
            help: "write what changes into the file, and what takes it back".to_owned(),
            rewrite: None,
        });
    }

    fn statement(&self, judge: &mut Judge<'_>, sight: &Sight<'_>, ignores: &[Ignore]) {
        let mut is_said = false;
        for rest in [false, true] {
            for rule in judge.rules {
                let (Check::Statement(sort, look), Some(level)) = (rule.check, judge.levels.level(rule)) else {
                    continue;
                };
                let is_asked = (sort == Sort::Rest) == rest && (self.way == Along::Forth || sort.both_ways());
                if !is_asked || (rest && is_said) || (judge.goes_back && sort == Sort::Habit) {
                    continue;
                }
                for found in look(sight) {
                    is_said |= sort == Sort::Work;
                    let finding = self.finding(rule, sort, level, sight, found);
                    let silenced = ignores.iter().find(|ignore| {
                        ignore.rule == rule.name && !ignore.reason.is_empty() && ignore.is_for(sight.number)
                    });
                    match silenced {
                        Some(ignore) => judge.findings.ignored.push(Ignored { finding, reason: ignore.reason.clone() }),
                        None => judge.findings.found.push(finding),
                    }
                }
            }
        }
    }

    fn finding(&self, rule: &Rule, sort: Sort, level: Level, sight: &Sight<'_>, found: Found) -> Finding {
        let rows = found.relation.as_deref().and_then(|relation| sight.rows(relation));
        let is_small = matches!(sort, Sort::Work | Sort::Rest) && rows.is_some_and(|rows| rows < SMALL);
        // A level that the spec gives counts; what a rule finds lighter here is lighter.
        let own = found.level.filter(|own| level == rule.level || *own < level).unwrap_or(level);
        let size = found.relation.as_deref().map(|relation| size_words(sight, relation)).unwrap_or_default();
        let parts = [rule.reason, &found.here, &size];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        // Nobody wrote a way back that is derived, so that nobody can write it better.
        let is_derived = self.way == Along::Back
            && (self.job.migration.derived || self.job.certificate.is_some_and(|one| one.derived.is_some()));
        Finding {
            rule: rule.name.to_owned(),
            level: if is_small || is_derived { own.min(Level::Note) } else { own },
            place: self.place(sight.statement, sight.number),
            message: found.message,
            reason: parts.join(". "),
            help: found.help,
            rewrite: found.rewrite,
        }
    }

    fn place(&self, statement: &Statement, number: usize) -> Place {
        Place { statement: Some(number), excerpt: statement.excerpt(), ..self.line(statement.line) }
    }

    fn line(&self, line: usize) -> Place {
        let Job { step, address, direction, migration, folder, .. } = self.job;
        let direction = match self.way {
            Along::Forth => *direction,
            Along::Back => direction.other(),
        };
        let is_file = !migration.derived || direction == Direction::Up;
        let file = folder.filter(|_| is_file && migration.kept.is_none() && !migration.is_repeatable());
        let file = file.map(|(folder, layout)| {
            format!("{folder}/{}", layout.file_name(&migration.version_text(), &migration.name, direction))
        });
        Place {
            step: *step,
            address: address.clone(),
            version: Some(migration.version),
            file,
            way: Some(self.way),
            line: Some(line),
            ..Place::default()
        }
    }

    /// Comments that silence nothing, or say no reason.
    fn comments(&self, judge: &mut Judge<'_>, ignores: &[Ignore], used: &[bool]) {
        for (ignore, used) in ignores.iter().zip(used) {
            let known = judge.rules.iter().find(|rule| rule.name == ignore.rule);
            let (name, message, help) = match known {
                None => {
                    let names = judge.rules.iter().map(|rule| rule.name);
                    let help = did_you_mean(&ignore.rule, names, "`docs/rules.md` lists all rules");
                    ("ignore-without-effect", format!("no rule is called `{}`", ignore.rule), help)
                }
                Some(_) if ignore.reason.is_empty() => {
                    let message = format!("`{}` is to be ignored, and no reason is given", ignore.rule);
                    let help = format!("write `-- switchback: ignore {}: the reason`", ignore.rule);
                    ("ignore-without-reason", message, help)
                }
                // What is switched off, or was not looked at as a whole, may find something another time.
                Some(rule) if *used || judge.levels.level(rule).is_none() || !self.is_whole() => continue,
                Some(_) => {
                    let message = format!("`{}` finds nothing that this could silence", ignore.rule);
                    ("ignore-without-effect", message, "remove the comment".to_owned())
                }
            };
            let rule = judge.rules.iter().find(|rule| rule.name == name);
            let Some((rule, level)) = rule.and_then(|rule| Some((rule, judge.levels.level(rule)?))) else { continue };
            judge.findings.found.push(Finding {
                rule: rule.name.to_owned(),
                level,
                place: Place { excerpt: format!("ignore {}", ignore.rule), ..self.line(ignore.line) },
                message,
                reason: rule.reason.to_owned(),
                help,
                rewrite: None,
            });
        }
    }

    /// Whether every statement was looked at.
    fn is_whole(&self) -> bool {
        self.seen.len() >= self.script.statements.len()
    }
}

impl Ignore {
    fn is_for(&self, number: usize) -> bool {
        match self.reach {
            Reach::Text => true,
            Reach::Statement(wanted) => wanted == number,
            Reach::Nothing => false,
        }
    }
}

impl Rule {
    /// Whether it finds anything in a statement.
    pub fn finds(&self, sight: &Sight<'_>) -> bool {
        match self.check {
            Check::Statement(_, look) => !look(sight).is_empty(),
            Check::Comments | Check::Whole | Check::Steps(..) => false,
        }
    }
}

/// Which tables are made by this change set, behind a statement.
fn follow(fresh: &mut BTreeSet<String>, sight: &Sight<'_>) {
    let tokens = &sight.statement.tokens;
    const MADE: [&str; 3] =
        ["create [unlogged] table if not exists *", "create [unlogged] table *", "create materialized view *"];
    if let Some(made) = MADE.iter().find_map(|pattern| fit(pattern, tokens)) {
        let name = sight.name(&made.names[0]);
        if sight.relation(&name).is_none() {
            fresh.insert(name);
        }
        return;
    }
    if let Some(dropped) = fit("drop table if exists *", tokens).or_else(|| fit("drop table *", tokens)) {
        fresh.remove(&sight.name(&dropped.names[0]));
        return;
    }
    let Some(alteration) = alteration(sight.statement) else { return };
    let renamed = alteration.actions.first().and_then(|action| fit("rename to *", action));
    if let Some(renamed) = renamed {
        let old = sight.name(&alteration.written);
        if fresh.remove(&old) {
            let schema = old.rsplit_once('.').map_or("public", |(schema, _)| schema);
            fresh.insert(format!("{schema}.{}", renamed.names[0]));
        }
    }
}
