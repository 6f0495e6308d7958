//! Records: what the ledger holds. Pure data.
//!
//! Invariant: a record names the digest of the one before it, and its own digest covers all of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::approval::record::{Admission, Approval, Rejection};
use crate::digest::Digest;
use crate::migration::position::Position;
use crate::notice::receiver::{Delivery, Receiver};
use crate::release::record::Event;
use crate::release::tested::Tested;
use crate::step::{ChangeSet, CheckResult, StepId};
use crate::value::{Object, SealKey, Value};
use crate::world::{Binding, Parity, WorldError};

/// The version of the form of records that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 5;

/// The place of a record in its chain, from one.
pub type Sequence = u64;

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this form.
    pub format: u32,
    /// Its place, from one.
    pub sequence: Sequence,
    /// The digest of the record before; of the first one: of nothing.
    pub previous: Digest,
    /// When it was written, by the writer's clock.
    pub time: Timestamp,
    /// The lease that it was written under: the sequence of its `Leased` record, which says who, where and with
    /// what. Absent in what needs no lease, which names its actor itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Sequence>,
    /// What it says.
    pub body: Body,
}

impl Record {
    /// Its digest, which the next record names.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }
}

/// Who does something, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The CI identity or the user's name.
    pub name: String,
    /// The host.
    pub host: String,
    /// The version of the tool.
    pub tool: String,
    /// The process, for telling two runs of one host apart.
    pub process: u32,
    /// The commit of the checkout, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} on {} (process {})", self.name, self.host, self.process)
    }
}

/// What tells a process from every other one of the same machine, also of other times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The random name of the machine's start.
    pub boot: String,
    /// The name of the space that process numbers count in: containers have their own.
    pub space: String,
    /// When the process started, in the machine's ticks.
    pub started: u64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Body {
    /// The first record of a chain.
    Founded {
        /// The random name of the chain.
        chain: String,
        /// The project.
        project: String,
        /// The environment.
        environment: String,
        /// The key that seals secrets in plans and logs.
        seal_key: SealKey,
    },
    /// A run begins: from here on its change set is the ledger's.
    Begun {
        /// The number of the run, from one.
        run: u64,
        /// Who runs it.
        actor: Actor,
        /// The whole change set.
        change_set: Box<ChangeSet>,
        /// Digest of the plan file or of spec, modules, migrations and variables.
        source: Digest,
    },
    /// A step is about to have its effect.
    Intent {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// The idempotency token of the effect.
        token: String,
        /// What is there right before, sealed, where it is not exactly what the plan says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Object>,
        /// What it will be, sealed, where the plan did not know it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Object>,
        /// The binding with its settings known, where the plan did not know them all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        binding: Option<Binding>,
    },
    /// A step has had its effect.
    Done {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// The thing with all computed attributes, sealed; empty after a removal; facts of a migration.
        #[serde(default, skip_serializing_if = "Object::is_empty")]
        outcome: Object,
        /// Whether the world was asked afterwards, because nobody had heard the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settled: Option<Settled>,
        /// The operations that were sent to the world, as its API calls them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<String>,
    },
    /// A step had no effect.
    Failed {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// What went wrong; absent when settling found that nothing had happened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<WorldError>,
        /// How it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settled: Option<Settled>,
        /// The operations that were sent to the world, as its API calls them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<String>,
    },
    /// A step had its effect and failed all the same: what it made stands, and is not good (a rollout that the
    /// circuit breaker took back, a part of a change).
    Stood {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// The thing as it is, sealed.
        outcome: Object,
        /// What went wrong.
        error: WorldError,
        /// The operations that were sent to the world, as its API calls them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<String>,
    },
    /// A step has got so far, and all of it so far is committed in the world.
    Advanced {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// How far.
        position: Position,
    },
    /// Nobody knows whether a step had an effect; it has to be settled.
    Doubted {
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
        /// Why, and what is there now.
        error: WorldError,
    },
    /// A run waits for something (credentials, a window, an approval); the lease is given back.
    Parked {
        /// The run.
        run: u64,
        /// For what.
        reason: String,
    },
    /// Somebody else goes on with an unfinished run.
    Resumed {
        /// The run.
        run: u64,
        /// Who.
        actor: Actor,
    },
    /// A run is over.
    Ended {
        /// The run.
        run: u64,
        /// How.
        result: RunResult,
        /// The outputs of the environment, sealed.
        #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        outputs: std::collections::BTreeMap<String, Value>,
    },
    /// Planning again was empty.
    Verified {
        /// The run.
        run: u64,
        /// The digest of the spec that was verified; a rollback has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec_digest: Option<Digest>,
        /// What the databases were like, as far as they said.
        #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        databases: std::collections::BTreeMap<Address, Parity>,
    },
    /// Somebody takes the lease; its number is the sequence of this record.
    Leased {
        /// Who.
        actor: Actor,
        /// What for: `apply of run 4`.
        purpose: String,
        /// How long it holds without a sign of life, in milliseconds of the store's clock.
        milliseconds: u64,
        /// A random name, so that two records are never equal.
        nonce: String,
        /// What tells whether the holder is alive, for others on the same machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<Life>,
        /// The lease that was over, if one was taken over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Sequence>,
    },
    /// A sign of life while nothing else is written.
    Renewed,
    /// The lease is given back.
    Released,
    /// A person took the lease away from whoever held it.
    Unlocked {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// What was taken back must not be redone by automation.
    Held {
        /// The spec that is not to be applied again.
        spec_digest: Digest,
        /// The run that was taken back, if it was by a rollback.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u64>,
        /// Why.
        reason: String,
    },
    /// A hold is lifted.
    Lifted {
        /// The spec that may be applied again.
        spec_digest: Digest,
        /// Why.
        reason: String,
    },
    /// Somebody signed a part of a change set.
    Approved {
        /// Who brought the signature here; whose it is, it says itself.
        actor: Actor,
        /// The signature, and what it is for.
        approval: Box<Approval>,
    },
    /// Somebody refuses a part of a change set.
    Rejected {
        /// Who typed it.
        actor: Actor,
        /// What, and why.
        rejection: Box<Rejection>,
    },
    /// A run that needs signatures is about to begin, and this is what lets it in.
    Admitted {
        /// The run that comes next.
        run: u64,
        /// Who begins it.
        actor: Actor,
        /// What lets it in.
        admission: Box<Admission>,
    },
    /// Something about a release: made, brought, accepted, tagged.
    OfRelease {
        /// Who says so.
        actor: Actor,
        /// What.
        event: Box<Event>,
    },
    /// Something was asked of the world, as a `verify` block says.
    Checked {
        /// The run.
        run: u64,
        /// Which check.
        check: Address,
        /// How it came out.
        result: CheckResult,
        /// What was seen, in one line.
        saw: String,
        /// Numbers and short texts that were seen.
        #[serde(default, skip_serializing_if = "Object::is_empty")]
        facts: Object,
        /// How often it was asked.
        tries: u32,
        /// How long that took, in milliseconds.
        milliseconds: u64,
    },
    /// Something was looked at before the first effect, so that it can be compared afterwards.
    Measured {
        /// The run.
        run: u64,
        /// The check that compares.
        check: Address,
        /// What was seen, in one line.
        saw: String,
        /// Numbers and short texts that were seen.
        #[serde(default, skip_serializing_if = "Object::is_empty")]
        facts: Object,
    },
    /// What is asked is as it should be, and has to stay so: from here on its bake time runs.
    Bakes {
        /// The run.
        run: u64,
        /// Which check.
        check: Address,
    },
    /// Who is told from now on what happens.
    Receivers {
        /// They.
        receivers: Vec<Receiver>,
    },
    /// Notices were delivered.
    Told {
        /// Which to whom.
        deliveries: Vec<Delivery>,
    },
    /// A change set was refused because signatures are missing.
    ApprovalWanted {
        /// Who wanted to apply it.
        actor: Actor,
        /// The change set.
        change_set: Digest,
        /// What is missing, a line each.
        missing: Vec<String>,
        /// The release that it brings.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
    },
    /// All tests of the environment were run, against what stands.
    Tested {
        /// Who ran them.
        actor: Actor,
        /// What they found.
        tested: Box<Tested>,
    },
}

impl Body {
    /// Whether it only says who may write.
    pub fn is_about_the_lease(&self) -> bool {
        matches!(
            self,
            Self::Founded { .. } | Self::Leased { .. } | Self::Renewed | Self::Released | Self::Unlocked { .. }
        )
    }

    /// Whether it only says who is told what.
    pub fn is_about_telling(&self) -> bool {
        matches!(self, Self::Receivers { .. } | Self::Told { .. } | Self::ApprovalWanted { .. })
    }
}

/// How the outcome of a step is known that nobody had heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Settled {
    /// The world was asked.
    Asked,
    /// A person said so.
    Person {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Every step is done.
    Complete,
    /// It was given up for a rollback, which takes back what it had done.
    TakenBack,
    /// Nothing had an effect.
    WithoutEffect,
}
