//! What may happen next.

use super::rules::{LENGTH, LIMIT, Rules};
use super::state::{Entry, Flight, Held, Migration, Model, Process, Request};
use super::{Broken, Config};

/// A step: what it is called, and of which process it is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub name: &'static str,
    pub process: Option<bool>,
}

/// What a step leads to; or what must never be.
pub type Next = (Step, Result<Model, &'static str>);

/// Every step from a state is found here.
pub struct Steps<'a> {
    pub config: &'a Config,
    pub rules: &'a mut Rules,
    /// The steps that were found.
    pub next: Vec<Next>,
}

impl Steps<'_> {
    /// Everything that may happen now.
    pub fn find(&mut self, model: &Model) {
        self.next.clear();
        if let Some(later) = model.later() {
            self.next.push((Step { name: "tick", process: None }, Ok(later)));
        }
        for number in 0..2 {
            self.arrive(model, number);
            self.ask(model, number);
            self.hear(model, number);
            self.write(model, number);
            self.fly(model, number);
            self.migrate(model, number);
        }
        let may_unlock = model.unlocks < self.config.unlocks && self.may_grow(model);
        if may_unlock && self.rules.lease(model.chain) > 0 {
            let mut model = *model;
            model.unlocks += 1;
            model.push(Entry::Unlocked, self.rules);
            self.next.push((Step { name: "unlock", process: None }, Ok(model)));
        }
    }

    fn may_grow(&self, model: &Model) -> bool {
        self.rules.len(model.chain) < self.config.records
    }

    fn add(&mut self, name: &'static str, number: usize, result: Result<Model, &'static str>) {
        self.next.push((Step { name, process: Some(number == 1) }, result));
    }

    /// A request arrives at the store, waited for or not.
    fn arrive(&mut self, model: &Model, number: usize) {
        if let Some(request) = model.processes[number].request.filter(|request| request.answer.is_none()) {
            let mut model = *model;
            let answer = Some(self.land(&mut model, request));
            model.processes[number].request = Some(Request { answer, ..request });
            self.add("arrives", number, Ok(model));
        }
        if let Some(ghost) = model.processes[number].ghost {
            let mut model = *model;
            model.processes[number].ghost = None;
            self.land(&mut model, ghost);
            self.add("arrives late", number, Ok(model));
        }
    }

    fn land(&mut self, model: &mut Model, request: Request) -> bool {
        let fits = request.expected == self.rules.len(model.chain) || self.rules.is_broken(Broken::NoCompare);
        if fits {
            model.push(request.entry, self.rules);
        }
        fits
    }

    /// Asks for the lease: reads, judges by the age, asks for the record.
    fn ask(&mut self, model: &Model, number: usize) {
        let process = &model.processes[number];
        if process.held.is_some() || process.request.is_some() || !self.may_grow(model) {
            return;
        }
        let mut next = *model;
        let asking = &mut next.processes[number];
        asking.has_read = !process.has_read;
        if process.has_read {
            let expected = self.rules.len(model.chain);
            let asked = self.rules.asked(model.chain, model.age);
            asking.request = asked.map(|entry| Request { expected, entry, since: 0, answer: None });
        }
        self.add(if process.has_read { "judges" } else { "reads" }, number, Ok(next));
    }

    /// An answer is heard, or not waited for.
    fn hear(&mut self, model: &Model, number: usize) {
        let process = &model.processes[number];
        let Some(request) = process.request else {
            return;
        };
        if process.losses < self.config.losses && process.ghost.is_none() {
            let mut model = *model;
            let left = &mut model.processes[number];
            left.losses += 1;
            left.request = None;
            left.ghost = Some(request).filter(|request| request.answer.is_none());
            match request.entry {
                Entry::Work { .. } => left.unanswered = Some(request.entry),
                // It was the last that it had to say.
                Entry::Released { .. } => left.held = None,
                Entry::Leased { .. } | Entry::Renewed { .. } | Entry::Unlocked => {}
            }
            self.add("hears nothing", number, Ok(model));
        }
        let Some(was_appended) = request.answer else {
            return;
        };
        let mut model = *model;
        model.processes[number].request = None;
        let heard = match was_appended {
            true => self.take_in(&mut model, number, request),
            false => self.catch_up(&mut model, number, request),
        };
        self.add(if was_appended { "hears" } else { "is refused" }, number, heard.map(|()| model));
    }

    fn take_in(&self, model: &mut Model, number: usize, request: Request) -> Result<(), &'static str> {
        let since = if self.rules.is_broken(Broken::DeadlineFromTheAnswer) { 0 } else { request.since };
        let process = &mut model.processes[number];
        process.known = request.expected + 1;
        if let Some(held) = &mut process.held {
            held.since = held.since.min(since);
        }
        match request.entry {
            Entry::Leased { .. } => process.held = Some(Held { number: process.known, since }),
            Entry::Released { .. } => process.held = None,
            Entry::Work { .. } => return self.answered(model, number, request.entry),
            Entry::Renewed { .. } | Entry::Unlocked => {}
        }
        Ok(())
    }

    /// A process is told that its record stands. Chains only grow, so that it does from now on, if it does now.
    fn answered(&self, model: &mut Model, number: usize, entry: Entry) -> Result<(), &'static str> {
        model.processes[number].unanswered = None;
        match self.rules.entries(model.chain).contains(&entry) {
            true => Ok(()),
            false => Err("a record that was answered for is lost"),
        }
    }

    /// Something stands already where it wanted to write, as `Line::catch_up` has it.
    fn catch_up(&self, model: &mut Model, number: usize, request: Request) -> Result<(), &'static str> {
        let process = model.processes[number];
        let Some(held) = process.held else {
            return Ok(());
        };
        let length = self.rules.len(model.chain);
        if self.rules.is_broken(Broken::WrittenAgain) {
            let is_mine = self.rules.lease(model.chain) == held.number;
            model.processes[number].known = length;
            model.processes[number].held = Some(held).filter(|_| is_mine);
            return Ok(());
        }
        let found = &self.rules.entries(model.chain)[usize::from(process.known)..];
        if found == [request.entry] && !matches!(request.entry, Entry::Renewed { .. }) {
            // The store counts from when the earlier try arrived, so this one renews nothing.
            let since = if self.rules.is_broken(Broken::RenewedByRepetition) { request.since } else { LENGTH };
            return self.take_in(model, number, Request { expected: process.known, since, ..request });
        }
        let late = process.unanswered.filter(|unanswered| found.first() == Some(unanswered));
        let rest = &found[usize::from(late.is_some())..];
        if !rest.iter().all(|entry| *entry == Entry::Renewed { lease: held.number }) {
            model.processes[number].held = None;
            return Ok(());
        }
        model.processes[number].known = length;
        late.map_or(Ok(()), |late| self.answered(model, number, late))
    }

    /// The holder writes, renews, gives back.
    fn write(&mut self, model: &Model, number: usize) {
        let process = &model.processes[number];
        let Some(Held { number: lease, .. }) = process.held.filter(|_| process.request.is_none()) else {
            return;
        };
        let may_grow = self.may_grow(model);
        let (config, next) = (self.config, &mut self.next);
        let mut write = |name: &'static str, entry: Entry, change: fn(&mut Process)| {
            let mut model = *model;
            let writing = &mut model.processes[number];
            writing.request = Some(Request { expected: process.known, entry, since: 0, answer: None });
            change(writing);
            next.push((Step { name, process: Some(number == 1) }, Ok(model)));
        };
        if let Some(entry) = process.unanswered {
            write("writes again", entry, |_| {});
        } else if process.works < config.works && may_grow {
            write("writes", Entry::Work { lease, id: process.works }, |writing| writing.works += 1);
        }
        if process.renewals < config.renewals && may_grow {
            write("renews", Entry::Renewed { lease }, |writing| writing.renewals += 1);
        }
        if process.unanswered.is_none() && process.is_at_rest() && may_grow {
            write("gives back", Entry::Released { lease }, |_| {});
        }
    }

    /// Something is checked, sent, and lands; also while a record is under way, unless it gives the lease back.
    fn fly(&mut self, model: &Model, number: usize) {
        let mut next = *model;
        let process = &mut next.processes[number];
        let lease = self.rules.lease(model.chain);
        let is_unlocked = self.rules.is_unlocked(model.chain);
        match (process.flight, process.working()) {
            (Flight::No, Some(held)) if process.effects < self.config.effects && self.rules.may_send(held.since) => {
                process.effects += 1;
                process.under = held.number;
                process.flight = if self.config.stops_before_sending { Flight::Checked } else { Flight::Flying(LIMIT) };
                let is_taken = lease != held.number && !is_unlocked;
                let result = if is_taken { Err("it was checked after a take-over") } else { Ok(next) };
                self.add("checks", number, result);
            }
            (Flight::Checked, _) => {
                process.flight = Flight::Flying(LIMIT);
                self.add("sends", number, Ok(next));
            }
            (Flight::Flying(_), _) => {
                process.flight = Flight::No;
                let is_excused = self.config.stops_before_sending || is_unlocked;
                let is_taken = lease != process.under && !is_excused;
                let result = if is_taken { Err("it landed after a take-over") } else { Ok(next) };
                self.add("lands", number, result);
            }
            (Flight::No, _) => {}
        }
    }

    /// A migration: raises the row, works, looks at the row and holds it, commits.
    fn migrate(&mut self, model: &Model, number: usize) {
        let is_held = ![Some(Broken::NoRowLock), Some(Broken::NoRowCheck)].contains(&self.config.broken)
            && model.processes.iter().any(|process| process.migration == Migration::Seen);
        let mut next = *model;
        let process = &mut next.processes[number];
        match (process.migration, process.working()) {
            (Migration::No, Some(held)) => {
                let is_free = !is_held && model.row <= held.number;
                if process.migrations < self.config.migrations && is_free && self.rules.may_send(held.since) {
                    process.migrations += 1;
                    (process.migration, process.under) = (Migration::Open, held.number);
                    next.row = held.number;
                    self.add("begins", number, Ok(next));
                }
            }
            (Migration::Open, _) if self.rules.is_broken(Broken::NoRowCheck) => {
                process.migration = Migration::Seen;
                self.add("does not look", number, Ok(next));
            }
            (Migration::Open, _) if !is_held => {
                let is_mine = model.row == process.under;
                process.migration = if is_mine { Migration::Seen } else { Migration::No };
                self.add("looks", number, Ok(next));
            }
            (Migration::Seen, _) => {
                let is_mine = model.row == process.under;
                process.migration = Migration::No;
                let late = Err("it committed after a later holder had raised the row");
                self.add("commits", number, if is_mine { Ok(next) } else { late });
            }
            (Migration::No | Migration::Open, _) => {}
        }
    }
}
