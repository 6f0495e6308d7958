//! What a statement does to the schema, as far as that can be told from its tokens. Pure.
//!
//! Invariant: a statement that is not recognised to its last relevant token is [`Deed::Other`], and `Other` is never
//! part of a proof.

use super::super::cursor::{Cursor, split};
use super::super::statements::{Script, Statement, Token};
use super::columns::{ColumnDefault, of_columns};

/// Sorts of things that a statement makes and another drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A table.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A function.
    Function,
    /// A procedure.
    Procedure,
    /// An enum, composite or range type.
    Type,
    /// A domain.
    Domain,
    /// A schema.
    Schema,
    /// A sequence.
    Sequence,
    /// An extension.
    Extension,
    /// A trigger.
    Trigger,
    /// A policy of row security.
    Policy,
    /// A statistics object.
    Statistics,
}

impl Sort {
    /// Its name in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Schema => "schema",
            Self::Sequence => "sequence",
            Self::Extension => "extension",
            Self::Trigger => "trigger",
            Self::Policy => "policy",
            Self::Statistics => "statistics object",
        }
    }
}

/// One effect of a statement. Names are as written, folded, with their schema where one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Makes a thing that was not there.
    Create {
        /// Its sort.
        sort: Sort,
        /// Its name; of a trigger or policy `table.name`.
        name: String,
        /// The arguments of a function, without defaults.
        arguments: Option<Vec<Vec<Token>>>,
        /// The defaults of a table's columns.
        defaults: Vec<(String, ColumnDefault)>,
    },
    /// Drops a thing, and fails when something depends on it.
    Drop {
        /// Its sort.
        sort: Sort,
        /// Its name.
        name: String,
        /// The arguments of a function, if they were given.
        arguments: Option<Vec<Vec<Token>>>,
    },
    /// Adds a column that was not there.
    AddColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its default.
        default: ColumnDefault,
    },
    /// Drops a column.
    DropColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Renames a thing.
    Rename {
        /// Its sort.
        sort: Sort,
        /// Its name before.
        from: String,
        /// Its name after.
        to: String,
    },
    /// Renames a part of a thing.
    RenamePart {
        /// `column of t`, `constraint of t`, `value of t`, `attribute of t`.
        of: String,
        /// Its name before.
        from: String,
        /// Its name after.
        to: String,
    },
    /// Sets a column's default.
    SetDefault {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The expression.
        expression: Vec<Token>,
    },
    /// Removes a column's default.
    DropDefault {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Writes rows, comments or grants; no default of a column is another one after it.
    Content,
    /// Anything else.
    Other,
}

impl Deed {
    /// Whether this deed is that inverse. A drop may leave a function's arguments out, or their names: PostgreSQL
    /// refuses it when that is ambiguous.
    pub fn undoes_as(&self, inverse: &Self) -> bool {
        match (self, inverse) {
            (
                Self::Drop { sort, name, arguments },
                Self::Drop { sort: wanted_sort, name: wanted_name, arguments: wanted },
            ) => sort == wanted_sort && name == wanted_name && same_arguments(arguments.as_deref(), wanted.as_deref()),
            _ => self == inverse && !matches!(self, Self::Other | Self::Content),
        }
    }
}

fn same_arguments(dropped: Option<&[Vec<Token>]>, created: Option<&[Vec<Token>]>) -> bool {
    let (Some(dropped), Some(created)) = (dropped, created) else {
        return dropped.is_none();
    };
    dropped.len() == created.len()
        && dropped.iter().zip(created).all(|(dropped, created)| {
            let output = created.first().is_some_and(|token| token.is("out"));
            dropped == created || (!output && created.get(1..) == Some(dropped))
        })
}

/// The deeds of a text in order, each with its statement for messages.
///
/// # Errors
/// When the text is not understood.
pub fn deeds(sql: &str) -> Result<Vec<(Deed, String)>, String> {
    let script = Script::parse(sql).map_err(|error| format!("not proved: not understood as SQL: {error}"))?;
    let mut found = Vec::new();
    for statement in script.statements.iter().filter(|statement| !is_patience(statement)) {
        found.extend(deeds_of(statement).into_iter().map(|deed| (deed, statement.excerpt())));
    }
    Ok(found)
}

/// The deeds of one statement.
pub fn deeds_of(statement: &Statement) -> Vec<Deed> {
    of_statement(&statement.tokens).unwrap_or_else(|| vec![Deed::Other])
}

/// `SET lock_timeout = …` changes how long one waits, not what is done.
fn is_patience(statement: &Statement) -> bool {
    let mut words = Cursor::of(&statement.tokens);
    words.word("set")
        && (words.word("local") || words.word("session") || words.more())
        && (words.word("lock_timeout") || words.word("statement_timeout"))
}

fn of_statement(tokens: &[Token]) -> Option<Vec<Deed>> {
    let mut cursor = Cursor::of(tokens);
    if cursor.word("create") {
        return create(cursor).map(|deed| vec![deed]);
    }
    if cursor.word("drop") {
        return drop_things(cursor);
    }
    if cursor.word("alter") {
        return alter(cursor);
    }
    const CONTENT: [&str; 8] = ["insert", "update", "delete", "merge", "comment", "grant", "revoke", "analyze"];
    CONTENT.iter().any(|word| cursor.peeks(word)).then(|| vec![Deed::Content])
}

fn create(mut cursor: Cursor<'_>) -> Option<Deed> {
    cursor.word("unlogged");
    if cursor.word("unique") {
        return cursor.word("index").then(|| create_index(cursor)).flatten();
    }
    if cursor.word("constraint") {
        return cursor.word("trigger").then(|| create_on_table(cursor, Sort::Trigger)).flatten();
    }
    let sort = sort(&mut cursor)?;
    match sort {
        Sort::Index => return create_index(cursor),
        Sort::Trigger | Sort::Policy => return create_on_table(cursor, sort),
        _ => {}
    }
    if cursor.peeks("if") || cursor.peeks("on") || cursor.peeks("authorization") {
        return None;
    }
    let name = cursor.name()?;
    let arguments = match sort {
        Sort::Function | Sort::Procedure => Some(cursor.arguments()?),
        _ => None,
    };
    let whole = match sort {
        Sort::Schema => cursor.at_end() || (cursor.word("authorization") && cursor.name().is_some() && cursor.at_end()),
        Sort::Extension => !cursor.rest().iter().any(|token| token.is("cascade")),
        Sort::Type => cursor.peeks("as"),
        _ => true,
    };
    let defaults = if sort == Sort::Table { of_columns(cursor) } else { Vec::new() };
    whole.then_some(Deed::Create { sort, name, arguments, defaults })
}

fn create_index(mut cursor: Cursor<'_>) -> Option<Deed> {
    cursor.word("concurrently");
    if cursor.peeks("if") || cursor.peeks("on") {
        return None;
    }
    let name = cursor.name()?;
    if !cursor.word("on") {
        return None;
    }
    cursor.word("only");
    let table = cursor.name()?;
    // An index lives in the schema of its table.
    let name = match table.rsplit_once('.') {
        Some((schema, _)) => format!("{schema}.{name}"),
        None => name,
    };
    Some(Deed::Create { sort: Sort::Index, name, arguments: None, defaults: Vec::new() })
}

fn create_on_table(mut cursor: Cursor<'_>, sort: Sort) -> Option<Deed> {
    let name = cursor.name()?;
    let at = cursor.rest().iter().position(|token| token.is("on"))?;
    cursor.skip(at + 1);
    let table = cursor.name()?;
    Some(Deed::Create { sort, name: format!("{table}.{name}"), arguments: None, defaults: Vec::new() })
}

fn drop_things(mut cursor: Cursor<'_>) -> Option<Vec<Deed>> {
    let sort = sort(&mut cursor)?;
    if sort == Sort::Index {
        cursor.word("concurrently");
    }
    if cursor.word("if") && !cursor.word("exists") {
        return None;
    }
    let mut found = Vec::new();
    loop {
        let mut name = cursor.name()?;
        if matches!(sort, Sort::Trigger | Sort::Policy) {
            if !cursor.word("on") {
                return None;
            }
            name = format!("{}.{name}", cursor.name()?);
        }
        let takes_arguments = matches!(sort, Sort::Function | Sort::Procedure);
        let arguments = if takes_arguments && cursor.peeks("(") { Some(cursor.arguments()?) } else { None };
        found.push(Deed::Drop { sort, name, arguments });
        if !cursor.word(",") {
            break;
        }
    }
    cursor.word("restrict");
    cursor.at_end().then_some(found)
}

fn sort(cursor: &mut Cursor<'_>) -> Option<Sort> {
    if cursor.word("materialized") {
        return cursor.word("view").then_some(Sort::MaterializedView);
    }
    const SORTS: [Sort; 13] = [
        Sort::Table,
        Sort::Index,
        Sort::View,
        Sort::Function,
        Sort::Procedure,
        Sort::Type,
        Sort::Domain,
        Sort::Schema,
        Sort::Sequence,
        Sort::Extension,
        Sort::Trigger,
        Sort::Policy,
        Sort::Statistics,
    ];
    let found = SORTS.into_iter().find(|sort| match sort {
        Sort::Statistics => cursor.peeks("statistics"),
        other => cursor.peeks(other.word()),
    })?;
    cursor.skip(1);
    Some(found)
}

fn alter(mut cursor: Cursor<'_>) -> Option<Vec<Deed>> {
    let sort = sort(&mut cursor)?;
    if cursor.peeks("if") {
        return None;
    }
    let only = sort == Sort::Table && cursor.word("only");
    let name = cursor.name()?;
    if cursor.word("rename") {
        return rename(cursor, sort, name, only).map(|deed| vec![deed]);
    }
    if sort != Sort::Table {
        return None;
    }
    let table = if only { format!("only {name}") } else { name };
    split(cursor.rest()).into_iter().map(|action| action_of(Cursor::of(action), &table)).collect()
}

fn rename(mut cursor: Cursor<'_>, sort: Sort, name: String, only: bool) -> Option<Deed> {
    let renames_whole = match sort {
        Sort::Table
        | Sort::Index
        | Sort::View
        | Sort::MaterializedView
        | Sort::Sequence
        | Sort::Type
        | Sort::Domain
        | Sort::Schema => true,
        Sort::Function | Sort::Procedure | Sort::Extension | Sort::Trigger | Sort::Policy | Sort::Statistics => false,
    };
    if !renames_whole {
        return None;
    }
    if cursor.word("to") {
        let new = cursor.name()?;
        let to = match name.rsplit_once('.') {
            Some((schema, _)) => format!("{schema}.{new}"),
            None => new,
        };
        return cursor.at_end().then_some(Deed::Rename { sort, from: name, to });
    }
    let part = match sort {
        Sort::Table | Sort::View | Sort::MaterializedView if cursor.word("constraint") => "constraint",
        Sort::Table | Sort::View | Sort::MaterializedView => {
            cursor.word("column");
            "column"
        }
        Sort::Type if cursor.word("value") => "value",
        Sort::Type if cursor.word("attribute") => "attribute",
        _ => return None,
    };
    let from = cursor.part()?;
    if !cursor.word("to") {
        return None;
    }
    let to = cursor.part()?;
    let of = format!("{part} of {}{} {name}", if only { "only " } else { "" }, sort.word());
    cursor.at_end().then_some(Deed::RenamePart { of, from, to })
}

fn action_of(mut cursor: Cursor<'_>, table: &str) -> Option<Deed> {
    let table = table.to_owned();
    if cursor.word("add") {
        const NOT_COLUMNS: [&str; 8] = ["constraint", "primary", "unique", "check", "foreign", "exclude", "not", "if"];
        let explicit = cursor.word("column");
        if cursor.peeks("if") || (!explicit && NOT_COLUMNS.iter().any(|word| cursor.peeks(word))) {
            return None;
        }
        let column = cursor.name()?;
        let default = ColumnDefault::of(cursor.rest());
        return Some(Deed::AddColumn { table, column, default });
    }
    if cursor.word("drop") {
        if cursor.peeks("constraint") {
            return None;
        }
        cursor.word("column");
        if cursor.word("if") && !cursor.word("exists") {
            return None;
        }
        let column = cursor.name()?;
        cursor.word("restrict");
        return cursor.at_end().then_some(Deed::DropColumn { table, column });
    }
    if cursor.word("alter") {
        cursor.word("column");
        let column = cursor.name()?;
        if cursor.word("drop") {
            let whole = cursor.word("default") && cursor.at_end();
            return whole.then_some(Deed::DropDefault { table, column });
        }
        if cursor.word("set") && cursor.word("default") && cursor.more() {
            return Some(Deed::SetDefault { table, column, expression: cursor.rest().to_vec() });
        }
    }
    None
}
