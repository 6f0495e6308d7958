//! How a run gets on: live on a terminal, else plain lines with the time. An edge.
//!
//! Invariant: all of it goes to stderr; a plain line is complete when it is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::terminal::Terminal;
use crate::apply::{Event, Listener};
use crate::review::text::Role;
use crate::review::words;
use crate::step::{CheckResult, Step, StepId};
use crate::world::{Clock, Progress};

/// Hears a run and tells people.
pub struct Reporter {
    terminal: Terminal,
    clock: Arc<dyn Clock>,
    total: usize,
    live: Option<MultiProgress>,
    bars: Mutex<BTreeMap<StepId, ProgressBar>>,
}

impl Reporter {
    /// For a change set of so many steps.
    pub fn new(terminal: &Terminal, clock: &Arc<dyn Clock>, total: usize) -> Self {
        let live = terminal.live.then(MultiProgress::new);
        Self { terminal: terminal.clone(), clock: Arc::clone(clock), total, live, bars: Mutex::default() }
    }

    fn line(&self, role: Role, step: &Step, what: &str) {
        let number = format!("{:>width$}/{}", step.id.0, self.total, width = self.total.to_string().len());
        self.say(role, &format!("{number} {what}"));
    }

    fn say(&self, role: Role, words: &str) {
        match &self.live {
            Some(live) => live.suspend(|| self.terminal.say_as(role, words)),
            None => {
                let now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ");
                self.terminal.say(&format!("{now} {}", self.terminal.paint_talk().paint(role, words)));
            }
        }
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<StepId, ProgressBar>> {
        self.bars.lock().expect("no listener panics")
    }

    fn begin(&self, step: &Step) {
        let Some(live) = &self.live else {
            return self.line(Role::Faint, step, &format!("{} {}: started", step.action.verb(), step.title()));
        };
        let bar = live.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}").expect("the template is sound");
        bar.set_style(style);
        bar.set_prefix(format!("{}/{} {} {}", step.id, self.total, step.action.verb(), step.title()));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.bars().insert(step.id, bar);
    }

    fn end(&self, step: &Step) {
        if let Some(bar) = self.bars().remove(&step.id) {
            bar.finish_and_clear();
        }
    }
}

impl Listener for Reporter {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started(step) => self.begin(step),
            Event::Progress(step, message) => {
                let bar = self.bars().get(&step.id).cloned();
                match bar {
                    Some(bar) => bar.set_message(words::harmless(message)),
                    None => self.line(Role::Faint, step, &format!("{}: {}", step.title(), words::harmless(message))),
                }
            }
            Event::Done(step, milliseconds) => {
                self.end(step);
                let took = words::duration(Duration::from_millis(milliseconds.unsigned_abs()));
                self.line(Role::Added, step, &format!("{} {}: done in {took}", step.action.verb(), step.title()));
            }
            Event::Failed(step, error) => {
                self.end(step);
                let error = words::harmless(&error.to_string());
                self.line(Role::Danger, step, &format!("{} {}: failed: {error}", step.action.verb(), step.title()));
            }
            Event::Doubted(step, error) => {
                self.end(step);
                let error = words::harmless(&error.to_string());
                self.line(Role::Danger, step, &format!("{} {}: in doubt: {error}", step.action.verb(), step.title()));
            }
            Event::Checking(check) => {
                let (name, when) = (&check.address, check.when.meaning());
                self.say(Role::Faint, &format!("{name}: asked {when} ({})", check.patience()));
            }
            Event::CheckWaits(check, words) => {
                self.say(Role::Faint, &format!("{}: not yet: {}", check.address, words::harmless(words)));
            }
            Event::Checked(check, result, words) => {
                let role = match result {
                    CheckResult::Passed => Role::Added,
                    CheckResult::Failed => Role::Danger,
                    CheckResult::LeftOut => Role::Faint,
                    CheckResult::CalledOff => Role::Warning,
                };
                let words = words::harmless(words);
                self.say(role, &format!("{}: {}: {words}", check.address, result.word()));
            }
            Event::Settled(step, happened) => {
                let found = if happened { "had been done" } else { "had not been done" };
                self.line(
                    Role::Faint,
                    step,
                    &format!("{} {}: the world says that it {found}", step.action.verb(), step.title()),
                );
            }
        }
    }
}

/// Tells what the local stack is waiting for.
pub struct Lines<'a>(pub &'a Terminal);

impl Progress for Lines<'_> {
    fn say(&self, message: &str) {
        self.0.say(message);
    }
}
