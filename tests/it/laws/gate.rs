//! Where a process may die, and what the world may refuse: numbered points and seeded faults.

use std::sync::Mutex;

use super::generate::Random;

/// Numbered points at which the process may die, and effects that may go wrong.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    death: tokio::sync::Notify,
}

#[derive(Default)]
struct State {
    passed: usize,
    die_at: Option<usize>,
    is_dead: bool,
    faults: Option<Random>,
    /// Effects beyond this number are refused.
    most: Option<usize>,
    effects: usize,
    /// What goes wrong with a thing of this name, once.
    by_name: Option<(String, Fault)>,
}

/// What goes wrong with an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The world says no, and nothing happens.
    Refused,
    /// It says later, and nothing happens.
    Throttled,
    /// Credentials ran out, and nothing happens.
    Expired,
    /// It never arrived, and nobody knows.
    RequestLost,
    /// It happened, and nobody knows.
    AnswerLost,
    /// It happened and stands, and is not good.
    NotGood,
    /// Only a part of it happened.
    Partial,
    /// It goes on in the world for longer than anybody waits.
    Pending,
}

impl Gate {
    /// The process dies at this point; faults come with this seed, none for 0; only so many effects are carried out.
    pub fn arm(&self, die_at: Option<usize>, faults: u64, most: Option<usize>) {
        let faults = (faults > 0).then(|| Random::new(faults));
        *self.state.lock().unwrap() = State { die_at, faults, most, ..State::default() };
    }

    /// The next effect on a thing of this name is refused.
    pub fn refuse(&self, name: &str) {
        self.state.lock().unwrap().by_name = Some((name.to_owned(), Fault::Refused));
    }

    /// The next effect on a thing of this name goes on by itself.
    pub fn go_on(&self, name: &str) {
        self.state.lock().unwrap().by_name = Some((name.to_owned(), Fault::Pending));
    }

    /// How many points were passed since it was armed.
    pub fn passed(&self) -> usize {
        self.state.lock().unwrap().passed
    }

    /// Ends when the process has died.
    pub async fn death(&self) {
        self.death.notified().await;
    }

    /// One point: whether the process dies here.
    pub fn is_the_end(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.is_dead {
            return true;
        }
        state.is_dead = state.die_at == Some(state.passed);
        state.passed += 1;
        state.is_dead
    }

    /// Never comes back.
    pub async fn die(&self) {
        self.death.notify_one();
        std::future::pending::<()>().await;
    }

    /// One point; never comes back if the process dies here.
    pub async fn pass(&self) {
        if self.is_the_end() {
            self.die().await;
        }
    }

    /// What goes wrong with the next effect, on a thing of this name.
    pub fn fault(&self, name: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        if let Some((_, fault)) = state.by_name.take_if(|(other, _)| other == name) {
            return Some(fault);
        }
        state.effects += 1;
        if state.most.is_some_and(|most| state.effects > most) {
            return Some(Fault::Refused);
        }
        Some(match state.faults.as_mut()?.below(24) {
            0 => Fault::Refused,
            1 => Fault::Throttled,
            2 => Fault::Expired,
            3 => Fault::RequestLost,
            4 | 5 => Fault::AnswerLost,
            6 => Fault::NotGood,
            7 => Fault::Partial,
            8 => Fault::Pending,
            _ => return None,
        })
    }

    /// Whether a question to the world goes unanswered.
    pub fn is_deaf(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.faults.as_mut().is_some_and(|random| random.below(40) == 0)
    }

    /// Whether the store fails now: before it wrote, or after.
    pub fn store_fault(&self) -> Option<StoreFault> {
        let mut state = self.state.lock().unwrap();
        Some(match state.faults.as_mut()?.below(60) {
            0 => StoreFault::NotWritten,
            1 => StoreFault::AnswerLost,
            _ => return None,
        })
    }
}

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    NotWritten,
    AnswerLost,
}
