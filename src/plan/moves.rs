//! What is taken up and renamed before anything is compared: the ledger and the world as they are then. Pure.
//!
//! Invariant: renames are in an order in which none meets a name that is taken, and everything that a step of the
//! same plan does under the new name waits for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::order::Draft;
use crate::address::{Address, InstanceKey};
use crate::ledger::State;
use crate::ledger::state::{Gone, rename_needs};
use crate::migration::range::{SchemaNeeds, rename_ranges};
use crate::observe::Observed;
use crate::step::{Action, Fingerprint, Forgotten, Inverse, Operation, Reason, Way};
use crate::world::Binding;

/// What is taken up and renamed.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// What the ledger had forgotten, under the address it had.
    pub take_up: BTreeMap<Address, TakenUp>,
    /// New names by the recorded ones.
    pub renames: BTreeMap<Address, Address>,
}

/// Something that the ledger had forgotten and that is still there.
#[derive(Clone, Debug)]
pub struct TakenUp {
    /// Where it is.
    pub binding: Binding,
    /// What it needed.
    pub needs: BTreeSet<Address>,
    /// What was known of it.
    pub known: Forgotten,
    /// As it is.
    pub found: Fingerprint,
}

impl Before {
    /// Whether everything stays recorded as it is.
    pub fn is_empty(&self) -> bool {
        self.take_up.is_empty() && self.renames.is_empty()
    }
}

/// The ledger and the world once everything is taken up and renamed, and the steps that do it.
#[derive(Default)]
pub struct View {
    /// The ledger then.
    pub state: State,
    /// The world then.
    pub observed: Observed,
    /// The steps.
    pub(super) drafts: Vec<Draft>,
    /// Which of the steps has to be done before anything else is done under an address.
    pub(super) first: BTreeMap<Address, usize>,
}

impl View {
    /// Takes up and renames.
    pub fn of(state: &State, observed: &Observed, before: &Before, operation: Operation) -> Self {
        let mut view = Self {
            state: State {
                chain: state.chain.clone(),
                things: state.things.clone(),
                runs: state.runs.last().cloned().into_iter().collect(),
                ..State::default()
            },
            observed: observed.clone(),
            drafts: Vec::new(),
            first: BTreeMap::new(),
        };
        for (address, taken) in &before.take_up {
            view.take_up(address, taken);
        }
        let things = &view.state.things;
        let taken: BTreeSet<&Address> = things.resources.keys().chain(things.databases.keys()).collect();
        let known: BTreeSet<&Address> = taken.iter().copied().chain(things.gone.keys()).collect();
        let renames = in_order(&before.renames, &taken, &known);
        let names = finally(&renames);
        view.name_needs(&names);
        view.draft_renames(&renames, operation);
        view.rename(&names);
        view
    }

    /// The steps alone.
    pub fn drafts(&self) -> Self {
        Self { drafts: self.drafts.clone(), first: self.first.clone(), ..Self::default() }
    }

    /// Hands over the steps.
    pub(super) fn take_drafts(&mut self) -> (Vec<Draft>, BTreeMap<Address, usize>) {
        (std::mem::take(&mut self.drafts), std::mem::take(&mut self.first))
    }

    fn take_up(&mut self, address: &Address, taken: &TakenUp) {
        let (binding, needs) = (taken.binding.clone(), taken.needs.clone());
        let (needs_schema, ahead) = match &taken.known {
            Forgotten::Thing { needs_schema, .. } => (needs_schema.clone(), BTreeSet::new()),
            Forgotten::Database { ahead, .. } => (SchemaNeeds::new(), ahead.clone()),
        };
        let draft = |action, found, way| Draft {
            address: address.clone(),
            binding: binding.clone(),
            action,
            reason: Reason::TakenBack,
            inverse: Inverse::Exact { way },
            rests_on: BTreeMap::new(),
            found,
            needs: needs.clone(),
            needs_schema: needs_schema.clone(),
            ahead: ahead.clone(),
            needed: BTreeSet::new(),
            after: BTreeSet::new(),
        };
        // The same thing, known since another time: it is known again as it was.
        if self.state.things.resources.contains_key(address) {
            let why = "it is known from an earlier time".to_owned();
            self.drafts.push(draft(Action::Forget { why }, Fingerprint::Unasked, Way::Remember));
            self.first.insert(address.clone(), self.drafts.len() - 1);
        }
        let mut taken_up = draft(Action::TakeUp { known: taken.known.clone() }, taken.found, Way::LetGo);
        taken_up.after.extend(self.first.get(address).copied());
        self.drafts.push(taken_up);
        self.first.insert(address.clone(), self.drafts.len() - 1);
        self.state.things.know(address.clone(), taken.known.clone(), (binding, needs), 0);
    }

    /// What is taken up needs others under the names they have in the end: it may wait for one of them, and is then
    /// not there yet when that one is renamed.
    fn name_needs(&mut self, names: &BTreeMap<Address, Address>) {
        for draft in &mut self.drafts {
            rename_needs(&mut draft.needs, &mut draft.binding, &|address| names.get(address).cloned());
            rename_ranges(&mut draft.needs_schema, &|address| names.get(address).cloned());
        }
    }

    /// One step for each rename; it waits for those that touched its names before.
    fn draft_renames(&mut self, renames: &[(Address, Address)], operation: Operation) {
        let needed_by = self.needed_by(renames);
        let reason = match operation {
            Operation::Rollback { .. } => Reason::TakenBack,
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => Reason::Renamed,
        };
        // The name that a thing had at first, by the one it has now.
        let mut origin: BTreeMap<Address, Address> = BTreeMap::new();
        let final_names = finally(renames);
        let mut last = self.first.clone();
        for (from, to) in renames {
            let original = origin.remove(from).unwrap_or_else(|| from.clone());
            let mut binding = self.recorded(&original);
            rename_needs(&mut BTreeSet::new(), &mut binding, &|address| final_names.get(address).cloned());
            let at = self.drafts.len();
            self.drafts.push(Draft {
                address: to.clone(),
                binding,
                action: Action::Move {
                    from: from.clone(),
                    needed_by: needed_by.get(&original).cloned().unwrap_or_default(),
                },
                reason: reason.clone(),
                inverse: Inverse::Exact { way: Way::MoveBack },
                rests_on: BTreeMap::new(),
                found: Fingerprint::Unasked,
                needs: BTreeSet::new(),
                needs_schema: SchemaNeeds::new(),
                ahead: BTreeSet::new(),
                needed: BTreeSet::new(),
                after: [from, to].into_iter().filter_map(|name| last.get(name).copied()).collect(),
            });
            last.insert(from.clone(), at);
            last.insert(to.clone(), at);
            origin.insert(to.clone(), original);
        }
        self.first = last;
    }

    fn recorded(&self, address: &Address) -> Binding {
        let things = &self.state.things;
        let resource = things.resources.get(address).map(|resource| &resource.binding);
        let database = || things.databases.get(address).map(|database| &database.binding);
        let gone = || match things.gone.get(address) {
            Some(Gone::Deleted(resource) | Gone::Forgotten(resource)) => Some(&resource.binding),
            Some(Gone::Database(database) | Gone::Emptied(database)) => Some(&database.binding),
            None => None,
        };
        resource.or_else(database).or_else(gone).cloned().unwrap_or_default()
    }

    /// Who needs each thing that is renamed, under all the names that they have on the way.
    fn needed_by(&self, renames: &[(Address, Address)]) -> BTreeMap<Address, BTreeSet<Address>> {
        let mut names: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
        let mut origin: BTreeMap<&Address, Address> = BTreeMap::new();
        for (from, to) in renames {
            let original = origin.remove(from).unwrap_or_else(|| from.clone());
            names.entry(original.clone()).or_default().push(to.clone());
            origin.insert(to, original);
        }
        let things = &self.state.things;
        let resources = things.resources.iter().map(|(address, one)| (address, &one.needs, &one.binding));
        let databases = things.databases.iter().map(|(address, one)| (address, &one.needs, &one.binding));
        let mut needed_by: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        // What was let go is taken up again, or made again, by what it needs then.
        let gone = things.gone.iter().map(|(address, one)| (address, one.needs()));
        let gone = gone.map(|(address, (needs, binding))| (address, needs, binding));
        for (address, needs, binding) in resources.chain(databases).chain(gone) {
            let referred = binding.deferred.values().flat_map(crate::expression::Deferred::references);
            for need in needs.iter().cloned().chain(referred).filter(|need| names.contains_key(need)) {
                let who = needed_by.entry(need).or_default();
                who.insert(address.clone());
                who.extend(names.get(address).into_iter().flatten().cloned());
            }
        }
        needed_by
    }

    fn rename(&mut self, names: &BTreeMap<Address, Address>) {
        if names.is_empty() {
            return;
        }
        let renamed = |address: &Address| names.get(address).cloned();
        let things = &mut self.state.things;
        things.resources = keys_renamed(std::mem::take(&mut things.resources), names);
        things.databases = keys_renamed(std::mem::take(&mut things.databases), names);
        for resource in things.resources.values_mut() {
            rename_needs(&mut resource.needs, &mut resource.binding, &renamed);
            resource.rename_schemas(&renamed);
        }
        things
            .databases
            .values_mut()
            .for_each(|database| rename_needs(&mut database.needs, &mut database.binding, &renamed));
        let renamed_gone: Vec<_> =
            names.iter().filter_map(|(from, to)| Some((to.clone(), things.gone.remove(from)?))).collect();
        let mut aside = BTreeMap::new();
        for to in names.values() {
            // As in the ledger; it can be made again once the step is done that takes its name.
            if let Some(other) = things.set_aside(to) {
                self.first.extend(self.first.get(to).map(|at| (other.clone(), *at)));
                aside.insert(to.clone(), other);
            }
            things.gone.remove(to);
        }
        things.gone.extend(renamed_gone);
        let renamed = |address: &Address| names.get(address).or_else(|| aside.get(address)).cloned();
        things.gone.values_mut().for_each(|gone| gone.rename_needs(&renamed));
        let observed = &mut self.observed;
        observed.objects = found_renamed(std::mem::take(&mut observed.objects), names);
        observed.earlier = found_renamed(std::mem::take(&mut observed.earlier), names);
        observed.databases = found_renamed(std::mem::take(&mut observed.databases), names);
    }
}

fn keys_renamed<T>(map: BTreeMap<Address, T>, names: &BTreeMap<Address, Address>) -> BTreeMap<Address, T> {
    map.into_iter().map(|(address, one)| (names.get(&address).cloned().unwrap_or(address), one)).collect()
}

/// What was found under the old name is what is found under the new one, and nothing else.
fn found_renamed<T>(mut map: BTreeMap<Address, T>, names: &BTreeMap<Address, Address>) -> BTreeMap<Address, T> {
    let found: Vec<(Address, Option<T>)> = names.iter().map(|(from, to)| (to.clone(), map.remove(from))).collect();
    for (to, found) in found {
        match found {
            Some(found) => map.insert(to, found),
            None => map.remove(&to),
        };
    }
    map
}

/// The name that each thing has in the end, by that which it had at first.
fn finally(renames: &[(Address, Address)]) -> BTreeMap<Address, Address> {
    let mut origin: BTreeMap<Address, Address> = BTreeMap::new();
    for (from, to) in renames {
        let original = origin.remove(from).unwrap_or_else(|| from.clone());
        origin.insert(to.clone(), original);
    }
    origin.into_iter().map(|(last, first)| (first, last)).collect()
}

/// The renames one after the other, so that each finds its new name free. What is in the way of one (because it is
/// renamed in a circle, or stays where it is) gets a name for the time being, which nothing known has.
fn in_order(
    renames: &BTreeMap<Address, Address>,
    taken: &BTreeSet<&Address>,
    known: &BTreeSet<&Address>,
) -> Vec<(Address, Address)> {
    // What is gone and is renamed has its name until then, too.
    let mut taken: BTreeSet<Address> = taken.iter().copied().chain(renames.keys()).cloned().collect();
    let mut pending = renames.clone();
    // Who waits for a name, by that name.
    let mut waits: BTreeMap<Address, Address> = renames.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
    let mut ready: VecDeque<Address> =
        renames.iter().filter(|(_, to)| !taken.contains(*to)).map(|(from, _)| from.clone()).collect();
    let mut ordered = Vec::with_capacity(renames.len());
    loop {
        while let Some(from) = ready.pop_front() {
            let Some(to) = pending.remove(&from) else { continue };
            waits.remove(&to);
            taken.remove(&from);
            taken.insert(to.clone());
            if let Some(next) = waits.get(&from) {
                ready.push_back(next.clone());
            }
            ordered.push((from, to));
        }
        let Some((from, to)) = pending.iter().next().map(|(from, to)| (from.clone(), to.clone())) else {
            return ordered;
        };
        // Its name is taken: whoever has it is set aside.
        let aside = aside(&to, &|name| taken.contains(name) || known.contains(name));
        taken.remove(&to);
        taken.insert(aside.clone());
        ordered.push((to.clone(), aside.clone()));
        if let Some(goal) = pending.remove(&to) {
            waits.insert(goal.clone(), aside.clone());
            pending.insert(aside, goal);
        }
        ready.push_back(from);
    }
}

/// A name for the time being.
fn aside(address: &Address, is_taken: &dyn Fn(&Address) -> bool) -> Address {
    let key = match &address.key {
        None => String::new(),
        Some(InstanceKey::Index(index)) => format!("{index} "),
        Some(InstanceKey::Key(key)) => format!("{key} "),
    };
    let mut name = format!("{key}set aside");
    loop {
        let aside = address.with_key(Some(InstanceKey::Key(name.as_str().into())));
        if !is_taken(&aside) {
            return aside;
        }
        name.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> BTreeSet<Address> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn ordered(pairs: &[(&str, &str)], taken: &[&str]) -> Vec<String> {
        let address = |text: &str| text.parse::<Address>().expect("an address");
        let renames = pairs.iter().map(|(from, to)| (address(from), address(to))).collect();
        let taken = addresses(taken);
        let taken: BTreeSet<&Address> = taken.iter().collect();
        in_order(&renames, &taken, &taken).into_iter().map(|(from, to)| format!("{from} {to}")).collect()
    }

    #[test]
    fn a_name_is_free_before_it_is_given() {
        assert_eq!(ordered(&[("t.a", "t.b"), ("t.b", "t.c")], &["t.a", "t.b"]), ["t.b t.c", "t.a t.b"]);
    }

    #[test]
    fn circles_and_what_stays_are_set_aside() {
        assert_eq!(
            ordered(&[("t.a", "t.b"), ("t.b", "t.a")], &["t.a", "t.b"]),
            ["t.b t.b[\"set aside\"]", "t.a t.b", "t.b[\"set aside\"] t.a"]
        );
        assert_eq!(ordered(&[("t.a", "t.b")], &["t.a", "t.b"]), ["t.b t.b[\"set aside\"]", "t.a t.b"]);
        assert_eq!(
            ordered(&[("t.a", "t.b[0]")], &["t.a", "t.b[0]", "t.b[\"0 set aside\"]"])[0],
            "t.b[0] t.b[\"0 set aside'\"]"
        );
    }

    #[test]
    fn in_the_end_each_has_the_name_that_it_should() {
        let address = |text: &str| text.parse::<Address>().expect("an address");
        let renames = [("t.b", "t.x"), ("t.a", "t.b"), ("t.x", "t.a")];
        let renames: Vec<_> = renames.iter().map(|(from, to)| (address(from), address(to))).collect();
        let names = finally(&renames);
        assert_eq!(names[&address("t.a")], address("t.b"));
        assert_eq!(names[&address("t.b")], address("t.a"));
    }
}
