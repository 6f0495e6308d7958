//! What there is to sign, and as what somebody signs. Pure data.
//!
//! Invariant: a word that is in use keeps its meaning: it stands in ledgers and in signed messages.

use serde::{Deserialize, Serialize};

/// As what somebody signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// For what changes databases.
    Dba,
    /// For what loses data.
    DataLoss,
    /// For what changes infrastructure.
    Infrastructure,
    /// For what changes configuration.
    Config,
    /// For who may sign, and for destroying.
    Owner,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dba, Self::DataLoss, Self::Infrastructure, Self::Config, Self::Owner];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dba => "dba",
            Self::DataLoss => "data-loss",
            Self::Infrastructure => "infrastructure",
            Self::Config => "config",
            Self::Owner => "owner",
        }
    }

    /// The one that is written so.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
}

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The steps that change databases: migrations, roles, databases themselves.
    Database,
    /// The steps that change anything else of the world.
    Infrastructure,
    /// The steps that change configuration.
    Configuration,
    /// Who may sign what.
    Rules,
    /// All of it.
    Whole,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Database, Self::Infrastructure, Self::Configuration, Self::Rules, Self::Whole];

    /// Those that steps belong to.
    pub const OF_STEPS: [Self; 3] = [Self::Database, Self::Infrastructure, Self::Configuration];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Infrastructure => "infrastructure",
            Self::Configuration => "configuration",
            Self::Rules => "rules",
            Self::Whole => "whole",
        }
    }

    /// The one that is written so.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }

    /// The class that signs for it as a rule.
    pub fn class(self) -> Class {
        match self {
            Self::Database => Class::Dba,
            Self::Infrastructure => Class::Infrastructure,
            Self::Configuration => Class::Config,
            Self::Rules | Self::Whole => Class::Owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_stored_as_it_is_written() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
            assert_eq!(Class::of(class.word()), Some(class));
        }
        for part in Part::ALL {
            assert_eq!(serde_json::to_value(part).unwrap(), part.word());
            assert_eq!(Part::of(part.word()), Some(part));
        }
    }
}
