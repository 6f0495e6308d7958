//! Review: a change set as facts for people, one struct with four renderings. Pure.
//!
//! Invariant: every rendering shows [`Review`] and nothing else, so that what a person reads, what a pull
//! request shows and what `--json` gives are the same facts.

pub mod signing;
pub mod checks;
pub mod grounds;
pub mod kept;
pub mod difference;
pub mod html;
pub mod markdown;
pub mod found;
pub mod paint;
pub mod proof;
pub mod promotion;
pub mod runbook;
pub mod images;
pub mod sarif;
pub mod junit;
pub mod cost;
pub mod text;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::digest::Digest;
use crate::migration::Direction;
use crate::migration::certificate::{Certificate, Verdict};
use crate::migration::said::Phase;
use crate::rehearse::target::{Foretold, Target, Targets};
use crate::risk::Risk;
use crate::rules::Findings;
use crate::step::{Action, ChangeSet, Forgotten, Inverse, Operation, Reason, Step, StepId};
use crate::world::Binding;
use checks::CheckView;
use difference::{Differences, Shown};
use grounds::Grounds;
use images::ImageView;
use kept::KeptView;
use promotion::PromotionView;
use signing::Signing;

/// The version of the form of the JSON rendering.
pub const FORMAT: u32 = 1;

/// A change set as facts for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    /// The version of this form.
    pub format: u32,
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// What the change set is for.
    pub operation: Operation,
    /// The digest of the change set: two reviews with the same one speak of the same steps.
    pub digest: Digest,
    /// How many steps of each sort.
    pub summary: Summary,
    /// Where in the world it happens, each place once, in the order of the steps.
    pub places: Vec<String>,
    /// The release that it brings, or over which it changes the place's own values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotionView>,
    /// What the tags of images stand for, and which stay as they are written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageView>,
    /// What the databases whose schema changes say about themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetView>,
    /// The steps in order.
    pub steps: Vec<StepView>,
    /// What is asked before, between and after them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckView>,
    /// What the rules have to say.
    #[serde(skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// Who has to sign it, and who did.
    #[serde(skip_serializing_if = "Signing::is_empty")]
    pub signing: Signing,
    /// From where on not everything can be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<PointOfNoReturn>,
    /// What a way back leaves as it is because it cannot be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<String>,
    /// The outputs of the environment afterwards.
    pub outputs: Vec<OutputView>,
}

/// How many steps of each sort. A replacement (a removal and a creation of one address) counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All steps.
    pub steps: usize,
    /// Things made.
    pub create: usize,
    /// Things changed in place.
    pub update: usize,
    /// Things that are removed and made again.
    pub replace: usize,
    /// New revisions.
    pub revise: usize,
    /// Things whose earlier revision is current again.
    #[serde(rename = "return")]
    pub return_to: usize,
    /// Earlier revisions removed.
    pub retire: usize,
    /// Things removed.
    pub delete: usize,
    /// Things that only the ledger forgets.
    pub forget: usize,
    /// Things that only the ledger records anew.
    pub remember: usize,
    /// Things that were there before and are taken into the ledger.
    pub import: usize,
    /// Things that the ledger had forgotten and takes up again.
    pub take_up: usize,
    /// Things that get another address.
    #[serde(rename = "move")]
    pub rename: usize,
    /// Migrations run forward.
    pub migrate: usize,
    /// Migrations run back.
    pub migrate_back: usize,
    /// Kept things that are dropped at last.
    pub purge: usize,
}

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetView {
    /// Which one.
    pub database: String,
    /// What it says.
    #[serde(flatten)]
    pub target: Target,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// Its number.
    pub id: StepId,
    /// What it changes.
    pub address: String,
    /// The address, with the version and name of a migration.
    pub title: String,
    /// What it is called until now, if it is renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// By which it was found, if it is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<String>,
    /// What is done: the verb of the action, or `replace`.
    pub action: &'static str,
    /// The kind of resource, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where in the world.
    pub place: String,
    /// Why, as data.
    pub reason: Reason,
    /// Why, in words.
    pub because: String,
    /// What differs.
    pub changes: Differences,
    /// The way back.
    pub inverse: InverseView,
    /// The steps it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// The migration, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationView>,
    /// What a rehearsal proved of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What is foretold of it where it was not rehearsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    /// What it is estimated to cost, if it is a migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
}

/// The way back of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InverseView {
    /// `exact`, `recreates`, `loses data`, `impossible`.
    pub class: &'static str,
    /// What is done, in words; nothing when there is no way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<&'static str>,
    /// Why it is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether what was comes back, or at least its content.
    pub reversible: bool,
}

/// A migration with its SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MigrationView {
    /// The version.
    pub version: i64,
    /// The name.
    pub name: String,
    /// Which way it runs.
    pub direction: Direction,
    /// Whether it runs in one transaction with its history row.
    pub transaction: bool,
    /// On which side of a rollout it belongs, where that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The SQL that is run.
    pub sql: String,
    /// The SQL of the other direction, if there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_of_the_way_back: Option<String>,
    /// Whether the way back is no file, but derived from the statements.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
    /// What is set aside instead of dropped, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptView>,
}

/// From where on not everything can be taken back, and what is lost there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointOfNoReturn {
    /// The first step behind it.
    pub step: StepId,
    /// How many steps lie before it and can all be taken back.
    pub steps_before: usize,
    /// What is lost.
    pub losses: Vec<Loss>,
}

/// What taking back one step would lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The step.
    pub step: StepId,
    /// What people call it.
    pub title: String,
    /// `loses data` or `impossible`.
    pub class: &'static str,
    /// Which data, or why there is no way.
    pub why: String,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Shown,
}

impl Review {
    /// The release that it brings, and its images, in lines.
    pub fn brought(&self) -> impl Iterator<Item = proof::Line> {
        self.promotion.iter().flat_map(PromotionView::lines).chain(self.images.iter().map(ImageView::line))
    }

    /// The facts of a change set of which nothing was rehearsed.
    pub fn of(change_set: &ChangeSet) -> Self {
        Self::proved(change_set, &Grounds::default())
    }

    /// The facts of a change set, and what is known of it besides.
    pub fn proved(change_set: &ChangeSet, grounds: &Grounds) -> Self {
        let mut places: Vec<String> = Vec::new();
        for step in &change_set.steps {
            let place = words::place(&step.binding);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        // A place without settings (what is built in, a database that only the ledger forgets) says nothing beside others.
        if places.iter().any(|place| place.ends_with(')')) {
            places.retain(|place| place.ends_with(')'));
        }
        Self {
            format: FORMAT,
            project: change_set.project.clone(),
            environment: change_set.environment.clone(),
            operation: change_set.operation,
            digest: change_set.digest(),
            summary: Summary::of(change_set),
            places,
            promotion: PromotionView::of(change_set, grounds),
            images: ImageView::all(change_set),
            targets: TargetView::all(&grounds.targets),
            steps: change_set.steps.iter().map(|step| StepView::of(step, grounds)).collect(),
            checks: CheckView::all(change_set),
            findings: grounds.findings.clone(),
            signing: grounds.signing.clone(),
            point_of_no_return: PointOfNoReturn::of(change_set),
            owed: change_set.owed.iter().map(ToString::to_string).collect(),
            outputs: change_set
                .outputs
                .iter()
                .map(|(name, output)| OutputView { name: name.clone(), value: Shown::of(&output.value) })
                .collect(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What is proved, foretold and estimated of a step, in lines.
    pub fn lines_of(&self, step: &StepView) -> Vec<proof::Line> {
        let mut lines = lines(&self.targets, &step.address, step.certificate.as_ref(), step.foretold.as_ref());
        lines.extend(step.risk.iter().flat_map(cost::lines));
        lines
    }
}

/// What is proved or foretold of a migration of a database, in lines.
pub fn lines(
    targets: &[TargetView],
    database: &str,
    certificate: Option<&Certificate>,
    foretold: Option<&Foretold>,
) -> Vec<proof::Line> {
    let target = targets.iter().find(|target| target.database == database);
    let (none, sizes) = (proof::Sizes::new(), target.and_then(|target| target.target.sizes()));
    let sizes = sizes.unwrap_or(&none);
    let proved = certificate.into_iter().flat_map(|certificate| proof::lines(certificate, sizes));
    proved.chain(foretold.into_iter().flat_map(|foretold| proof::foretold(foretold, sizes))).collect()
}

impl TargetView {
    /// What each of them says, with what is foretold at its steps.
    pub fn all(targets: &Targets) -> Vec<Self> {
        let view = |(database, target): (&crate::address::Address, &Target)| {
            let target = Target { foretold: BTreeMap::new(), ..target.clone() };
            Self { database: database.to_string(), target }
        };
        targets.0.iter().map(view).collect()
    }

    /// It in lines.
    pub fn lines(&self) -> Vec<proof::Line> {
        proof::target(&self.database, &self.target)
    }
}

impl Summary {
    fn of(change_set: &ChangeSet) -> Self {
        let mut summary = Self { steps: change_set.steps.len(), ..Self::default() };
        let mut replaced: BTreeMap<&crate::address::Address, (usize, usize)> = BTreeMap::new();
        for step in &change_set.steps {
            match &step.action {
                Action::Create { .. } if is_replacement(step) => replaced.entry(&step.address).or_default().0 += 1,
                Action::Delete { .. } if is_replacement(step) => replaced.entry(&step.address).or_default().1 += 1,
                Action::Create { .. } => summary.create += 1,
                Action::Delete { .. } => summary.delete += 1,
                Action::Update { .. } => summary.update += 1,
                Action::Revise { .. } => summary.revise += 1,
                Action::Return { .. } => summary.return_to += 1,
                Action::Retire { .. } => summary.retire += 1,
                Action::Forget { .. } => summary.forget += 1,
                Action::Remember { .. } => summary.remember += 1,
                Action::Import { .. } => summary.import += 1,
                Action::TakeUp { .. } => summary.take_up += 1,
                Action::Move { .. } => summary.rename += 1,
                Action::Migrate { direction: Direction::Up, .. } => summary.migrate += 1,
                Action::Migrate { direction: Direction::Down, .. } => summary.migrate_back += 1,
                Action::Purge { .. } => summary.purge += 1,
            }
        }
        for (made, removed) in replaced.into_values() {
            let both = made.min(removed);
            summary.replace += both;
            summary.create += made - both;
            summary.delete += removed - both;
        }
        summary
    }
}

fn is_replacement(step: &Step) -> bool {
    is_asked_for(&step.reason)
}

fn is_asked_for(reason: &Reason) -> bool {
    match *reason {
        Reason::Replaced { .. } | Reason::ReplaceAsked => true,
        Reason::New
        | Reason::Missing
        | Reason::Changed { .. }
        | Reason::NotInSpec
        | Reason::Destroyed
        | Reason::TakenBack
        | Reason::Pending
        | Reason::KeptLongEnough { .. }
        | Reason::SaidOtherwise
        | Reason::GoesWith { .. }
        | Reason::LeftOver
        | Reason::Renamed
        | Reason::ImportAsked
        | Reason::Told { .. }
        | Reason::LetGo => false,
        Reason::Adopted { ref goes, .. } => is_asked_for(goes),
    }
}

/// What differs. An attribute that the planner found no difference in, and of which the spec says nothing, is left
/// as the world has it: that it is absent from the wanted object is no removal.
pub fn changes(step: &Step) -> Differences {
    // What is only taken up is as it was.
    if let Action::Import { object, .. } | Action::TakeUp { known: Forgotten::Thing { object, .. } } = &step.action {
        return difference::between(Some(object), Some(object));
    }
    let mut changes = difference::between(step.action.before(), step.action.after());
    if let (Action::Update { before, after, .. }, Reason::Changed { attributes, drifted }) =
        (&step.action, &step.reason)
    {
        let is_left = |name: &String| {
            !attributes.contains(name)
                && !drifted.contains(name)
                && before.contains_key(name)
                && !after.contains_key(name)
        };
        let left: BTreeSet<String> =
            changes.attributes.iter().map(|one| one.attribute().to_owned()).filter(is_left).collect();
        changes.attributes.retain(|one| !left.contains(one.attribute()));
        changes.unchanged += left.len();
    }
    changes
}

impl StepView {
    fn of(step: &Step, grounds: &Grounds) -> Self {
        let Grounds { evidence, targets, risks, .. } = grounds;
        let mut migration = MigrationView::of(&step.action);
        if let Some(kept) = migration.as_mut().and_then(|migration| migration.kept.as_mut()) {
            kept.measure(targets.0.get(&step.address));
        }
        let version = migration.as_ref().map(|migration| migration.version);
        let certificate = version.and_then(|version| evidence.of(&step.address, version));
        let foretold = version.and_then(|version| targets.foretold(&step.address, version));
        Self {
            id: step.id,
            address: step.address.to_string(),
            title: step.title(),
            from: from_of(&step.action),
            import_id: import_id_of(&step.action),
            action: step.action.verb(),
            kind: step.action.kind().map(str::to_owned),
            place: words::place(&step.binding),
            reason: step.reason.clone(),
            because: words::because(step),
            changes: changes(step),
            inverse: InverseView::of(&step.inverse),
            after: step.after.iter().copied().collect(),
            certificate: certificate.cloned(),
            foretold: foretold.cloned(),
            risk: risks.of(step.id).cloned(),
            migration,
        }
    }
}

fn from_of(action: &Action) -> Option<String> {
    if let Action::Move { from, .. } = action { Some(from.to_string()) } else { None }
}

fn import_id_of(action: &Action) -> Option<String> {
    if let Action::Import { id, .. } = action { Some(id.clone()) } else { None }
}

impl InverseView {
    /// The way back in words.
    pub fn of(inverse: &Inverse) -> Self {
        let way = match inverse {
            Inverse::Exact { way } | Inverse::Recreates { way, .. } | Inverse::LosesData { way, .. } => Some(*way),
            Inverse::Impossible { .. } => None,
        };
        Self {
            class: inverse.class(),
            way: way.map(words::way),
            why: inverse.why().map(str::to_owned),
            reversible: inverse.is_reversible(),
        }
    }
}

impl MigrationView {
    fn of(action: &Action) -> Option<Self> {
        let Action::Migrate { direction, migration, .. } = action else {
            return None;
        };
        let text = |direction| migration.text(direction).map(str::to_owned);
        let (sql, back) = match direction {
            Direction::Up => (text(Direction::Up), text(Direction::Down)),
            Direction::Down => (text(Direction::Down), text(Direction::Up)),
        };
        let sql = sql.unwrap_or_default();
        Some(Self {
            version: migration.version,
            name: migration.name.clone(),
            direction: *direction,
            transaction: migration.transaction,
            phase: migration.said.phase,
            sql,
            sql_of_the_way_back: back,
            derived: migration.derived && migration.kept.is_none(),
            kept: KeptView::of(migration, *direction),
        })
    }
}

impl Review {
    /// The migrations on the way there that were rehearsed and fail, each with its error.
    pub fn failing(&self) -> impl Iterator<Item = (&StepView, &str)> {
        self.steps.iter().filter_map(|step| match &step.certificate.as_ref()?.verdict {
            Verdict::Fails { direction: Direction::Up, error } if step.action == "migrate" => Some((step, &**error)),
            _ => None,
        })
    }

    /// The databases of these losses that the same change set makes: there are no rows in them yet.
    pub fn databases_made_for(&self, losses: &[Loss]) -> BTreeSet<&str> {
        let makes_a_database = |id: &StepId| {
            let made = self.steps.iter().find(|step| step.id == *id);
            made.is_some_and(|made| made.action == "create" && made.kind.as_deref() == Some("postgres_database"))
        };
        let migrations = self.steps.iter().filter(|step| step.migration.is_some());
        let new = migrations.filter(|step| step.after.iter().any(makes_a_database)).map(|step| &*step.address);
        let is_lost = |address: &&str| {
            let of_it = |step: &StepView| step.migration.is_some() && step.address == **address;
            self.steps.iter().any(|step| of_it(step) && losses.iter().any(|loss| loss.step == step.id))
        };
        new.filter(is_lost).collect()
    }
}

impl PointOfNoReturn {
    fn of(change_set: &ChangeSet) -> Option<Self> {
        let step = change_set.point_of_no_return?;
        let steps_before = change_set.steps.iter().take_while(|other| other.id != step).count();
        Some(Self { step, steps_before, losses: change_set.irreversible().map(Loss::of).collect() })
    }
}

impl Loss {
    /// What taking back this step would lose.
    pub fn of(step: &Step) -> Self {
        Self {
            step: step.id,
            title: step.title(),
            class: step.inverse.class(),
            why: step.inverse.why().unwrap_or_default().to_owned(),
        }
    }
}

/// The parts of a binding that tell people where something is.
fn settings_of(binding: &Binding) -> impl Iterator<Item = (&str, String)> {
    ["account", "region", "endpoint", "profile", "host", "port", "dbname"].into_iter().filter_map(|name| {
        let value = binding.settings.get(name).filter(|value| !value.is_null())?;
        Some((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    })
}

#[cfg(test)]
pub(crate) mod tests;
