//! What may happen next.

use super::rules::{
    Broken, Claim, Config, Entry, Flight, Folds, Held, LIMIT, LONG, Migration, Model, Process, Request, judge, may_send,
};

type Next = (String, Result<Model, String>);

impl Model {
    pub fn start(config: &Config) -> Self {
        Self {
            chain: Vec::new(),
            age: 0,
            processes: [Process::default(), Process::default()],
            pauses: config.pauses,
            unlocks: config.unlocks,
            row: 0,
            row_held: None,
        }
    }

    /// Everything that may happen now.
    pub fn steps(&self, config: &Config, folds: &mut Folds) -> Vec<Next> {
        let mut next = Vec::new();
        self.tick(&mut next);
        for number in 0..2 {
            self.arrive(number, config, &mut next);
            let process = &self.processes[number];
            if !process.is_paused {
                self.ask(number, config, folds, &mut next);
                self.hear(number, config, folds, &mut next);
                self.work(number, config, folds, &mut next);
                self.migrate(number, config, &mut next);
            }
            self.fly(number, config, folds, &mut next);
        }
        self.disturb(config, folds, &mut next);
        next
    }

    /// All clocks go on; what is under way arrives in time.
    fn tick(&self, next: &mut Vec<Next>) {
        let must_land = |process: &Process| process.flight == Flight::Flying(0);
        if self.processes.iter().any(must_land) {
            return;
        }
        let on = |time: u8| (time + 1).min(LONG);
        let mut model = self.clone();
        model.age = on(model.age);
        for process in &mut model.processes {
            for request in [&mut process.request, &mut process.ghost].into_iter().flatten() {
                request.since = on(request.since);
            }
            if let Some(held) = &mut process.held {
                held.since = on(held.since);
            }
            if let Flight::Flying(left) = &mut process.flight {
                *left -= 1;
            }
        }
        if model != *self {
            next.push(("tick".into(), Ok(model)));
        }
    }

    /// A request arrives at the store, waited for or not.
    fn arrive(&self, number: usize, config: &Config, next: &mut Vec<Next>) {
        let land = |model: &mut Self, request: &mut Request| {
            let fits = request.expected as usize == model.chain.len() || config.broken == Some(Broken::NoCompare);
            if fits {
                model.chain.push(request.entry);
                model.age = 0;
            }
            request.answer = Some(fits);
        };
        if let Some(mut request) = self.processes[number].request.filter(|request| request.answer.is_none()) {
            let mut model = self.clone();
            land(&mut model, &mut request);
            model.processes[number].request = Some(request);
            next.push((format!("arrive{number}"), Ok(model)));
        }
        if let Some(mut ghost) = self.processes[number].ghost {
            let mut model = self.clone();
            land(&mut model, &mut ghost);
            model.processes[number].ghost = None;
            next.push((format!("arrive-late{number}"), Ok(model)));
        }
    }

    /// Asks for the lease: reads, judges by the age, asks for the record.
    fn ask(&self, number: usize, config: &Config, folds: &mut Folds, next: &mut Vec<Next>) {
        let process = &self.processes[number];
        if process.held.is_some() || process.request.is_some() || process.unanswered.is_some() {
            return;
        }
        let mut model = self.clone();
        let asking = &mut model.processes[number];
        if !process.has_read {
            if self.chain.len() + 1 < config.longest {
                (asking.has_read, asking.known) = (true, self.chain.len() as u8);
                next.push((format!("read{number}"), Ok(model)));
            }
            return;
        }
        asking.has_read = false;
        if process.known as usize == self.chain.len() {
            let lease = folds.lease(&self.chain).expect("it was folded");
            let over = match judge(lease.as_ref(), self.age, config.broken) {
                Claim::Free => Some(None),
                Claim::Over(number) => Some(Some(number as u8)),
                Claim::Held(_) => None,
            };
            if let Some(over) = over {
                let entry = Entry::Leased { process: number as u8, over };
                asking.request = Some(Request { expected: process.known, entry, since: 0, answer: None });
            }
        }
        next.push((format!("judge{number}"), Ok(model)));
    }

    /// An answer is heard, or not waited for.
    fn hear(&self, number: usize, config: &Config, folds: &mut Folds, next: &mut Vec<Next>) {
        let process = &self.processes[number];
        let Some(request) = process.request else {
            return;
        };
        if process.losses < config.losses && process.ghost.is_none() {
            let mut model = self.clone();
            let left = &mut model.processes[number];
            left.losses += 1;
            left.request = None;
            left.ghost = Some(request).filter(|request| request.answer.is_none());
            if matches!(request.entry, Entry::Work { .. }) {
                left.unanswered = Some(request.entry);
            }
            next.push((format!("lose{number}"), Ok(model)));
        }
        let Some(appended) = request.answer else {
            return;
        };
        let mut model = self.clone();
        model.processes[number].request = None;
        match appended {
            true => model.take_in(number, request, config),
            false => model.catch_up(number, request, folds, config),
        }
        next.push((format!("hear{number}"), Ok(model)));
    }

    fn take_in(&mut self, number: usize, request: Request, config: &Config) {
        let since = if config.broken == Some(Broken::DeadlineFromTheAnswer) { 0 } else { request.since };
        let process = &mut self.processes[number];
        process.known = request.expected + 1;
        match request.entry {
            Entry::Leased { .. } => process.held = Some(Held { number: process.known, since }),
            Entry::Released { .. } => process.held = None,
            Entry::Work { id, .. } => {
                process.answered |= 1 << id;
                process.unanswered = None;
            }
            Entry::Renewed { .. } | Entry::Unlocked => {}
        }
        if let Some(held) = process.held.as_mut().filter(|_| !matches!(request.entry, Entry::Leased { .. })) {
            held.since = held.since.min(since);
        }
    }

    /// Something stands already where it wanted to write, as `Line::catch_up` has it.
    fn catch_up(&mut self, number: usize, request: Request, folds: &mut Folds, config: &Config) {
        let process = self.processes[number].clone();
        let found = &self.chain[(process.known as usize).min(self.chain.len())..];
        let Some(held) = process.held else {
            return;
        };
        if config.broken == Some(Broken::WrittenAgain) {
            let is_mine = folds.number(&self.chain) == Some(held.number);
            self.processes[number].known = self.chain.len() as u8;
            self.processes[number].held = Some(held).filter(|_| is_mine);
            return;
        }
        if found == [request.entry] && !matches!(request.entry, Entry::Renewed { .. }) {
            self.take_in(number, Request { expected: process.known, ..request }, config);
            return;
        }
        let late = process.unanswered.filter(|unanswered| found.first() == Some(unanswered));
        let rest = &found[usize::from(late.is_some())..];
        let process = &mut self.processes[number];
        match rest.iter().all(|entry| *entry == Entry::Renewed { lease: held.number }) {
            true => {
                process.known = self.chain.len() as u8;
                if let Some(Entry::Work { id, .. }) = late {
                    (process.answered, process.unanswered) = (process.answered | 1 << id, None);
                }
            }
            false => (process.held, process.unanswered) = (None, None),
        }
    }

    /// The holder writes, renews, gives back, checks.
    fn work(&self, number: usize, config: &Config, folds: &mut Folds, next: &mut Vec<Next>) {
        let process = &self.processes[number];
        let Some(held) = process.held.filter(|_| process.request.is_none()) else {
            return;
        };
        let mut write = |name: &str, entry: Entry, change: &dyn Fn(&mut Process)| {
            let mut model = self.clone();
            let writing = &mut model.processes[number];
            writing.request = Some(Request { expected: process.known, entry, since: 0, answer: None });
            change(writing);
            next.push((format!("{name}{number}"), Ok(model)));
        };
        if let Some(entry) = process.unanswered {
            write("again", entry, &|_| {});
        } else if process.works < config.works && self.chain.len() + 1 < config.longest {
            let entry = Entry::Work { lease: held.number, process: number as u8, id: process.works };
            write("write", entry, &|writing| writing.works += 1);
        }
        if process.renewals < config.renewals && self.chain.len() + 1 < config.longest {
            write("renew", Entry::Renewed { lease: held.number }, &|writing| writing.renewals += 1);
        }
        let may_grow = self.chain.len() + 1 < config.longest;
        if process.unanswered.is_none() && process.flight == Flight::No && may_grow {
            write("give-back", Entry::Released { lease: held.number }, &|_| {});
        }
        if process.effects < config.effects && process.flight == Flight::No && may_send(held, config.broken) {
            let mut model = self.clone();
            let sending = &mut model.processes[number];
            sending.effects += 1;
            sending.flight = if config.stops_before_sending { Flight::Checked } else { Flight::Flying(LIMIT) };
            sending.flight_of = held.number;
            let is_taken = folds.number(&self.chain) != Some(held.number) && !self.chain.contains(&Entry::Unlocked);
            let result = match is_taken {
                true => Err("it was checked after a take-over".to_owned()),
                false => Ok(model),
            };
            next.push((format!("check{number}"), result));
        }
    }

    /// What is past its check is sent, and lands.
    fn fly(&self, number: usize, config: &Config, folds: &mut Folds, next: &mut Vec<Next>) {
        let process = &self.processes[number];
        let mut model = self.clone();
        let flying = &mut model.processes[number];
        match process.flight {
            Flight::No => {}
            Flight::Checked if process.is_paused => {}
            Flight::Checked => {
                flying.flight = Flight::Flying(LIMIT);
                next.push((format!("send{number}"), Ok(model)));
            }
            Flight::Flying(_) => {
                flying.flight = Flight::No;
                let is_taken = folds.number(&self.chain) != Some(process.flight_of);
                let excused = config.stops_before_sending || self.chain.contains(&Entry::Unlocked);
                let result = match is_taken && !excused {
                    true => Err("it landed after a take-over".to_owned()),
                    false => Ok(model),
                };
                next.push((format!("land{number}"), result));
            }
        }
    }

    /// A migration: raises the row, works, looks at the row and holds it, commits.
    fn migrate(&self, number: usize, config: &Config, next: &mut Vec<Next>) {
        let process = &self.processes[number];
        let mut model = self.clone();
        let migrating = &mut model.processes[number];
        let is_free = self.row_held.is_none();
        match (process.migration, process.held) {
            (Migration::No, Some(held)) if process.migrations < config.migrations && may_send(held, config.broken) => {
                if !is_free || self.row > held.number {
                    return;
                }
                migrating.migrations += 1;
                (migrating.migration, migrating.flight_of) = (Migration::Open, held.number);
                model.row = held.number;
                next.push((format!("begin{number}"), Ok(model)));
            }
            (Migration::Open, _) if config.broken == Some(Broken::NoRowCheck) => {
                migrating.migration = Migration::Seen;
                next.push((format!("skip{number}"), Ok(model)));
            }
            (Migration::Open, _) if is_free => {
                let is_mine = self.row == process.flight_of;
                migrating.migration = if is_mine { Migration::Seen } else { Migration::No };
                if is_mine && config.broken != Some(Broken::NoRowLock) {
                    model.row_held = Some(number as u8);
                }
                next.push((format!("look{number}"), Ok(model)));
            }
            (Migration::Seen, _) => {
                migrating.migration = Migration::No;
                model.row_held = None;
                let result = match self.row == process.flight_of {
                    true => Ok(model),
                    false => Err("it committed after a later holder had raised the row".to_owned()),
                };
                next.push((format!("commit{number}"), result));
            }
            (Migration::No | Migration::Open, _) => {}
        }
    }

    /// The first process is paused and goes on; a person unlocks.
    fn disturb(&self, config: &Config, folds: &mut Folds, next: &mut Vec<Next>) {
        let mut model = self.clone();
        if self.processes[0].is_paused {
            model.processes[0].is_paused = false;
            next.push(("go-on".into(), Ok(model)));
        } else if self.pauses > 0 {
            (model.pauses, model.processes[0].is_paused) = (self.pauses - 1, true);
            next.push(("pause".into(), Ok(model)));
        }
        if self.unlocks > 0 && folds.number(&self.chain).is_some() && self.chain.len() + 1 < config.longest {
            let mut model = self.clone();
            model.unlocks -= 1;
            model.chain.push(Entry::Unlocked);
            model.age = 0;
            next.push(("unlock".into(), Ok(model)));
        }
    }

    /// What must never be.
    pub fn violation(&self, _config: &Config, folds: &mut Folds) -> Option<String> {
        if let Err(why) = folds.lease(&self.chain) {
            return Some(why.replace("who was not the holder", "and was not the holder"));
        }
        for (number, process) in self.processes.iter().enumerate() {
            for id in 0..process.works {
                let is_it = |entry: &&Entry| matches!(entry, Entry::Work { process, id: other, .. } if usize::from(*process) == number && *other == id);
                let count = self.chain.iter().filter(is_it).count();
                if count > 1 {
                    return Some("a record stands in the chain twice".to_owned());
                }
                if count == 0 && process.answered & (1 << id) != 0 {
                    return Some("a record that was answered for is lost".to_owned());
                }
            }
        }
        None
    }

    /// Whoever asks for a lease when its holder says nothing more gets it in the end.
    pub fn is_stuck(&self, config: &Config, folds: &mut Folds) -> Option<String> {
        let mut model = self.clone();
        let (mut holder, mut asker) = (model.processes[0].clone(), Process::default());
        (holder.request, holder.ghost, holder.flight, holder.is_paused) = (None, None, Flight::No, true);
        asker.losses = config.losses;
        model.processes = [holder, asker];
        let config = &Config { longest: config.longest + 2, ..*config };
        for _ in 0..2 * LONG {
            for name in ["arrive1", "hear1", "judge1", "read1", "tick"] {
                let step = model.steps(config, folds).into_iter().find(|(step, _)| step == name);
                if let Some((_, Ok(next))) = step {
                    model = next;
                }
                if model.processes[1].held.is_some() {
                    return None;
                }
            }
        }
        Some("a lease that is over is never taken".to_owned())
    }
}
