//! What must be known of a catalog to take a statement back, and what it answered. Pure data.
//!
//! Invariant: an answer is SQL that brings the thing to what it was when it was asked about.

use std::collections::BTreeMap;
use std::fmt;

/// Something of a catalog, as it is right before a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Whether it is there.
    Presence(Object),
    /// What makes it again, with its comment, owner and grants.
    Definition(Object),
    /// Its comment.
    Comment(Object),
    /// Its owner.
    Owner(Object),
    /// Its schema. The answer holds the name of it in double quotes.
    Schema(Object),
    /// What these roles may do with it.
    Grants {
        /// The thing.
        on: Object,
        /// The roles as written, `public` among them.
        roles: Vec<String>,
    },
    /// Something about a column.
    Column {
        /// The table as written.
        table: String,
        /// The column as written.
        column: String,
        /// What.
        aspect: ColumnAspect,
    },
    /// Something about a table, an index, a view or a sequence.
    Relation {
        /// Its name as written.
        name: String,
        /// What.
        aspect: RelationAspect,
    },
}

/// Something that statements name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// Its class, as `pg_get_object_address` calls it: `table`, `table constraint`, `function`.
    pub class: &'static str,
    /// Its name as written; of a part, that of the whole before it: `app.t.c`.
    pub name: String,
    /// The types of a function's arguments; absent where they were not given.
    pub arguments: Option<Vec<String>>,
}

/// Something about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnAspect {
    /// Its default.
    Default,
    /// Whether it may be null.
    NotNull,
    /// Its statistics target.
    Statistics,
    /// How it is stored.
    Storage,
    /// How it is compressed.
    Compression,
    /// Its options (`n_distinct`).
    Options,
    /// How its identity is generated.
    Identity,
    /// Its type. The answer is its name.
    Type,
}

/// Something about a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationAspect {
    /// Its storage parameters.
    Options,
    /// Whether row security is on, and forced.
    RowSecurity,
    /// Its replica identity.
    ReplicaIdentity,
    /// The index it is clustered by.
    Cluster,
    /// Whether it is logged.
    Persistence,
    /// Its tablespace.
    Tablespace,
    /// Which of its triggers and rules fire.
    Firing,
    /// Its bound as a partition. The answer is the bound.
    Bound,
    /// The settings of a sequence, without its position.
    Sequence,
}

/// What a catalog answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is not there.
    Absent,
    /// It is there; SQL that brings it to what it is.
    Text(String),
    /// It cannot be brought to what it is, and why.
    Cannot(String),
}

/// Answers by what was asked.
pub type Answers = BTreeMap<Question, Answer>;

impl Object {
    /// A thing without arguments.
    pub fn new(class: &'static str, name: impl Into<String>) -> Self {
        Self { class, name: name.into(), arguments: None }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.class, self.name)?;
        match &self.arguments {
            Some(arguments) => write!(formatter, "({})", arguments.join(", ")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presence(object) => write!(formatter, "whether {object} is there"),
            Self::Definition(object) => write!(formatter, "the definition of {object}"),
            Self::Comment(object) => write!(formatter, "the previous comment on {object}"),
            Self::Owner(object) => write!(formatter, "the previous owner of {object}"),
            Self::Schema(object) => write!(formatter, "the previous schema of {object}"),
            Self::Grants { on, roles } => write!(formatter, "what {} may do with {on}", roles.join(", ")),
            Self::Column { table, column, aspect } => {
                write!(formatter, "the previous {} of {table}.{column}", aspect.word())
            }
            Self::Relation { name, aspect } => write!(formatter, "the previous {} of {name}", aspect.word()),
        }
    }
}

impl ColumnAspect {
    fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::NotNull => "nullability",
            Self::Statistics => "statistics target",
            Self::Storage => "storage",
            Self::Compression => "compression",
            Self::Options => "options",
            Self::Identity => "identity",
            Self::Type => "type",
        }
    }
}

impl RelationAspect {
    fn word(self) -> &'static str {
        match self {
            Self::Options => "storage parameters",
            Self::RowSecurity => "row security",
            Self::ReplicaIdentity => "replica identity",
            Self::Cluster => "clustering",
            Self::Persistence => "persistence",
            Self::Tablespace => "tablespace",
            Self::Firing => "triggers that fire",
            Self::Bound => "bound",
            Self::Sequence => "settings",
        }
    }
}

/// Asks answers that are there, and notes those that are not.
pub struct Wish<'a> {
    answers: &'a Answers,
    open: Vec<Question>,
}

impl<'a> Wish<'a> {
    /// Nothing was asked yet.
    pub fn of(answers: &'a Answers) -> Self {
        Self { answers, open: Vec::new() }
    }

    /// What has no answer yet.
    pub fn open(self) -> Vec<Question> {
        self.open
    }

    /// The answer; nothing while there is none.
    pub fn ask(&mut self, question: Question) -> Option<&'a Answer> {
        let answer = self.answers.get(&question);
        if answer.is_none() && !self.open.contains(&question) {
            self.open.push(question);
        }
        answer
    }

    /// What brings it to what it is; nothing when it is not there, or not known yet.
    ///
    /// # Errors
    /// Why it cannot be brought back.
    pub fn restore(&mut self, question: Question) -> Result<String, String> {
        match self.ask(question) {
            Some(Answer::Text(text)) => Ok(text.clone()),
            Some(Answer::Cannot(why)) => Err(why.clone()),
            Some(Answer::Absent) | None => Ok(String::new()),
        }
    }

    /// Whether something is there; not, as long as that is not known.
    pub fn is_there(&mut self, object: Object) -> bool {
        matches!(self.ask(Question::Presence(object)), Some(Answer::Text(_)))
    }
}
