//! Functions of sets. Pure.
//!
//! Invariant: a result is sorted and holds each element once.

use super::collection::shared_type;
use super::{Arguments, Function, FunctionError, Kind, LARGEST, Outcome, Parameter, parameter, row};
use crate::value::{Data, Type, Value};

const SETS: Parameter = parameter("sets", Kind::Set);

pub(super) static ROWS: &[Function] = &[
    row("setintersection", &[parameter("set", Kind::Set)], Kind::Set, |a| {
        fold(a, |kept, next| {
            kept.retain(|item| find(next, item));
        })
    })
    .variadic(SETS),
    row("setsubtract", &[parameter("set", Kind::Set), parameter("subtracted", Kind::Set)], Kind::Set, |a| {
        fold(a, |kept, next| kept.retain(|item| !find(next, item)))
    }),
    row("setunion", &[parameter("set", Kind::Set)], Kind::Set, |a| fold(a, Vec::extend_from_slice)).variadic(SETS),
    row("setproduct", &[], Kind::Any, product).variadic(parameter("lists", Kind::Any)).structure(),
];

fn find(sorted: &[Value], item: &Value) -> bool {
    sorted.binary_search_by(|other| other.order(item)).is_ok()
}

fn fold(arguments: &Arguments<'_>, step: fn(&mut Vec<Value>, &[Value])) -> Outcome {
    let all: Vec<Value> = arguments.all().iter().filter_map(Value::items).flatten().cloned().collect();
    let element = shared_type(&all, 0)?;
    let mut kept: Option<Vec<Value>> = None;
    for index in 0..arguments.all().len() {
        let set = arguments.value(index).convert(&Type::set(element.clone()));
        let set = set.map_err(|error| FunctionError::at(index, error.to_string()))?;
        let items = set.items().unwrap_or_default();
        match &mut kept {
            None => kept = Some(items.to_vec()),
            Some(kept) => step(kept, items),
        }
    }
    Ok(Value::set(element, kept.unwrap_or_default()))
}

fn product(arguments: &Arguments<'_>) -> Outcome {
    if arguments.all().len() < 2 {
        return Err(FunctionError::whole("it needs at least two lists or sets"));
    }
    let mut columns = Vec::new();
    let mut size = 1_usize;
    for index in 0..arguments.all().len() {
        let items = arguments.items(index)?;
        let element = shared_type(items, index)?;
        let items = items.iter().map(|item| item.convert(&element)).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| FunctionError::at(index, error.to_string()))?;
        size = size.saturating_mul(items.len());
        columns.push((element, items));
    }
    if size > LARGEST / 64 {
        return Err(FunctionError::whole(format!("the result would have {size} elements")));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for (_, items) in &columns {
        rows = rows
            .iter()
            .flat_map(|row| items.iter().map(move |item| [&row[..], std::slice::from_ref(item)].concat()))
            .collect();
    }
    let element = Type::Tuple(columns.iter().map(|(element, _)| element.clone()).collect());
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    let all_sets = arguments.all().iter().all(|value| matches!(value.data(), Data::Set(..)));
    Ok(if all_sets { Value::set_of(element, &rows) } else { Value::list(element, rows) })
}
