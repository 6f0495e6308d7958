//! Conversions, and what is said about values. Pure.
//!
//! Invariant: only `nonsensitive` takes a mark away.

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, nullable, row};
use crate::value::{Data, Type};
use crate::value::{marks_of, unknown_from};

const VALUE: Parameter = nullable("value", Kind::Any);

pub(super) static ROWS: &[Function] = &[
    row("tobool", &[VALUE], Kind::Bool, |a| convert(a, &Type::Bool)).raw(),
    row("tonumber", &[VALUE], Kind::Number, |a| convert(a, &Type::Number)).raw(),
    row("tostring", &[VALUE], Kind::Text, |a| convert(a, &Type::String)).raw(),
    row("tolist", &[VALUE], Kind::List, |a| convert(a, &Type::list(Type::Any))).raw(),
    row("toset", &[VALUE], Kind::Set, |a| convert(a, &Type::set(Type::Any))).raw(),
    row("tomap", &[VALUE], Kind::Any, |a| convert(a, &Type::map(Type::Any))).raw(),
    row("sensitive", &[VALUE], Kind::Any, |a| Ok(a.value(0).clone().sensitive())).raw(),
    row("nonsensitive", &[VALUE], Kind::Any, |a| {
        Ok(a.value(0).rebuild(&|value| {
            let (plain, marks) = value.unmark();
            plain.mark(crate::value::Marks { sensitive: false, ..marks })
        }))
    })
    .raw(),
    row("issensitive", &[VALUE], Kind::Bool, is_sensitive).raw(),
    row("ephemeralasnull", &[VALUE], Kind::Any, |a| {
        Ok(a.value(0).rebuild(&|value| if value.marks().ephemeral { Data::Null(value.ty()).into() } else { value }))
    })
    .raw(),
];

fn convert(arguments: &Arguments<'_>, ty: &Type) -> Outcome {
    let value = arguments.value(0);
    match value.data() {
        Data::Unknown(unknown) if unknown.ty == Type::Any => Ok(unknown_from(ty.clone(), [value])),
        // What a tuple or object of unknowns converts to depends on their types, which are known.
        _ => value.convert(ty).map_err(|error| {
            let shown = match value.as_str() {
                Some(text) if !arguments.secret => format!(" (it is `{text}`)"),
                _ => String::new(),
            };
            FunctionError::at(0, format!("{error}{shown}"))
        }),
    }
}

fn is_sensitive(arguments: &Arguments<'_>) -> Outcome {
    let value = arguments.value(0);
    match value.data() {
        Data::Unknown(_) if !value.marks().sensitive => Ok(unknown_from(Type::Bool, [value])),
        _ => Ok(marks_of([value]).sensitive.into()),
    }
}
