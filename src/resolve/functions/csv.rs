//! `csvdecode`. Pure.
//!
//! Invariant: each row has a cell for each name of the first row.

use std::collections::BTreeSet;

use super::{Arguments, Function, FunctionError, Kind, Outcome, normalised, parameter, row};
use crate::value::{Type, Value};

pub(super) static ROWS: &[Function] = &[row("csvdecode", &[parameter("text", Kind::Text)], Kind::List, decode)];

fn decode(arguments: &Arguments<'_>) -> Outcome {
    let mut rows = read(arguments.text(0))?.into_iter();
    let names = rows.next().ok_or_else(|| FunctionError::at(0, "a first row with the names is needed"))?;
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return Err(FunctionError::at(0, "a name stands twice in the first row"));
    }
    let mut objects = Vec::new();
    for (number, cells) in rows.enumerate() {
        if cells.len() != names.len() {
            let message = format!("row {} has {} cells, the first row has {}", number + 2, cells.len(), names.len());
            return Err(FunctionError::at(0, message));
        }
        let cells = names.iter().cloned().zip(cells.into_iter().map(normalised));
        objects.push(Value::object(cells));
    }
    let ty = Type::object(names.into_iter().map(|name| (name, Type::String)));
    Ok(Value::list(ty, objects))
}

/// Rows of cells; blank lines do not count, a cell in quotes may hold anything.
fn read(text: &str) -> Result<Vec<Vec<String>>, FunctionError> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            '"' => return Err(FunctionError::at(0, format!("a stray quote in row {}", rows.len() + 1))),
            _ if quoted => cell.push(letter),
            ',' => {
                row.push(std::mem::take(&mut cell));
                was_quoted = false;
            }
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                if !row.is_empty() || !cell.is_empty() || was_quoted {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                was_quoted = false;
            }
            _ if was_quoted => {
                return Err(FunctionError::at(0, format!("text after a closing quote in row {}", rows.len() + 1)));
            }
            _ => cell.push(letter),
        }
    }
    if quoted {
        return Err(FunctionError::at(0, "a quote has no end"));
    }
    if !row.is_empty() || !cell.is_empty() || was_quoted {
        row.push(cell);
        rows.push(row);
    }
    Ok(rows)
}
