//! Functions that make lists and maps of others. Pure.
//!
//! Invariant: an element that is unknown or secret stays so and makes nothing else so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collection::{list_of, shared_type, text_of};
use super::{Arguments, Function, FunctionError, Kind, LARGEST, Outcome, Parameter, nullable, parameter, row};
use crate::value::{Data, Type, Value};
use crate::value::{equal, unknown_from};

const LIST: Parameter = parameter("list", Kind::Any);

pub(super) static ROWS: &[Function] = &[
    row("chunklist", &[parameter("list", Kind::List), parameter("size", Kind::Number)], Kind::Any, chunk_list)
        .structure(),
    row("coalescelist", &[], Kind::Any, coalesce_list).variadic(parameter("lists", Kind::Any)).structure(),
    row("compact", &[parameter("list", Kind::Texts)], Kind::Texts, compact),
    row("concat", &[], Kind::Any, concat).variadic(parameter("lists", Kind::Any)).structure(),
    row("distinct", &[parameter("list", Kind::List)], Kind::List, distinct).raw(),
    row("flatten", &[LIST], Kind::Any, flatten).structure(),
    row(
        "matchkeys",
        &[parameter("values", Kind::List), parameter("keys", Kind::List), parameter("wanted", Kind::List)],
        Kind::List,
        match_keys,
    ),
    row("merge", &[], Kind::Any, merge).variadic(nullable("maps", Kind::Any)).structure(),
    row("reverse", &[LIST], Kind::Any, reverse).structure(),
    row("slice", &[LIST, parameter("start", Kind::Number), parameter("end", Kind::Number)], Kind::Any, slice)
        .structure(),
    row("sort", &[parameter("list", Kind::Texts)], Kind::Texts, sort),
    row("transpose", &[parameter("map", Kind::TextLists)], Kind::TextLists, transpose),
    row("zipmap", &[parameter("keys", Kind::Texts), parameter("values", Kind::Any)], Kind::Any, zip_map).structure(),
];

fn chunk_list(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.ordered(0)?;
    let size = usize::try_from(arguments.integer(1)?).map_err(|_| FunctionError::at(1, "it cannot be negative"))?;
    let Type::List(element) = arguments.value(0).ty() else {
        return Err(FunctionError::at(0, arguments.not_a("list", 0)));
    };
    let size = if size == 0 { items.len().max(1) } else { size };
    let chunks = items.chunks(size).map(|chunk| Value::list((*element).clone(), chunk.to_vec())).collect();
    Ok(Value::list(Type::List(element), chunks))
}

fn coalesce_list(arguments: &Arguments<'_>) -> Outcome {
    let mut first = None;
    for index in 0..arguments.all().len() {
        if !arguments.ordered(index)?.is_empty() && first.is_none() {
            first = Some(arguments.value(index).clone());
        }
    }
    first.ok_or_else(|| FunctionError::whole("all lists are empty"))
}

fn compact(arguments: &Arguments<'_>) -> Outcome {
    let kept = arguments.items(0)?.iter().filter(|item| item.as_str().is_some_and(|text| !text.is_empty()));
    Ok(Value::list(Type::String, kept.cloned().collect()))
}

fn concat(arguments: &Arguments<'_>) -> Outcome {
    if arguments.all().is_empty() {
        return Err(FunctionError::whole("it needs at least one list"));
    }
    let mut items = Vec::new();
    for index in 0..arguments.all().len() {
        let marks = arguments.value(index).marks();
        items.extend(arguments.ordered(index)?.iter().map(|item| item.clone().mark(marks)));
    }
    let all_lists = arguments.all().iter().all(|list| matches!(list.data(), Data::List(..)));
    if all_lists { list_of(&items, 0).or_else(|_| Ok(Value::tuple(items))) } else { Ok(Value::tuple(items)) }
}

fn distinct(arguments: &Arguments<'_>) -> Outcome {
    let list = arguments.value(0);
    if !list.is_known() {
        return Ok(unknown_from(list.ty(), [list]));
    }
    let Type::List(element) = list.ty() else {
        return Err(FunctionError::at(0, arguments.not_a("list", 0)));
    };
    let marks = crate::value::marks_of([list]);
    let plain = list.reveal();
    // Sorted positions make this quick for long lists; the first of equals stays where it was.
    let items = plain.items().unwrap_or_default();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|one, other| items[*one].order(&items[*other]).then(one.cmp(other)));
    let mut first_of_equals = vec![true; items.len()];
    for pair in order.windows(2) {
        if equal(&items[pair[0]], &items[pair[1]]) == Some(true) {
            first_of_equals[pair[1]] = false;
        }
    }
    let kept = items.iter().zip(first_of_equals).filter(|(_, first)| *first).map(|(item, _)| item.clone()).collect();
    Ok(Value::list((*element).clone(), kept).mark(marks))
}

fn flatten(arguments: &Arguments<'_>) -> Outcome {
    fn pour(value: &Value, into: &mut Vec<Value>) -> Result<(), Value> {
        for item in value.items().unwrap_or_default() {
            match item.data() {
                Data::List(..) | Data::Set(..) | Data::Tuple(_) => pour(&item.clone().mark(value.marks()), into)?,
                Data::Unknown(unknown)
                    if matches!(unknown.ty, Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) =>
                {
                    return Err(item.clone());
                }
                _ => into.push(item.clone().mark(value.marks())),
            }
        }
        Ok(())
    }
    arguments.items(0)?;
    let mut flat = Vec::new();
    Ok(match pour(arguments.value(0), &mut flat) {
        Ok(()) => Value::tuple(flat),
        // How many elements that one will have is not known.
        Err(unknown) => unknown_from(Type::Any, [&unknown, arguments.value(0)]),
    })
}

fn match_keys(arguments: &Arguments<'_>) -> Outcome {
    let (values, keys) = (arguments.ordered(0)?, arguments.ordered(1)?);
    if values.len() != keys.len() {
        return Err(FunctionError::at(
            1,
            format!("{} values need as many keys, these are {}", values.len(), keys.len()),
        ));
    }
    let keys = list_of(&[keys, arguments.ordered(2)?].concat(), 1)?;
    let (keys, wanted) = keys.items().unwrap_or_default().split_at(values.len());
    let kept = values.iter().zip(keys).filter(|(_, key)| wanted.iter().any(|wanted| equal(key, wanted) == Some(true)));
    Ok(Value::list(shared_type(values, 0)?, kept.map(|(value, _)| value.clone()).collect()))
}

fn merge(arguments: &Arguments<'_>) -> Outcome {
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    let mut element: Option<Type> = None;
    let mut all_maps = true;
    for index in 0..arguments.all().len() {
        let value = arguments.value(index);
        if value.is_null() {
            continue;
        }
        match (value.data(), &element) {
            (Data::Map(ty, _), None) => element = Some(ty.clone()),
            (Data::Map(ty, _), Some(before)) if ty == before => {}
            _ => all_maps = false,
        }
        let marks = value.marks();
        merged.extend(arguments.entries(index)?.iter().map(|(key, item)| (key.clone(), item.clone().mark(marks))));
    }
    Ok(match element {
        Some(element) if all_maps => Value::map(element, merged),
        _ => Value::object(merged),
    })
}

fn reverse(arguments: &Arguments<'_>) -> Outcome {
    let items: Vec<Value> = arguments.items(0)?.iter().rev().cloned().collect();
    Ok(match arguments.value(0).data() {
        Data::List(element, _) | Data::Set(element, _) => Value::list(element.clone(), items),
        _ => Value::tuple(items),
    })
}

fn slice(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.ordered(0)?;
    let place = |argument: usize| {
        let index = usize::try_from(arguments.integer(argument)?).ok().filter(|index| *index <= items.len());
        index.ok_or_else(|| FunctionError::at(argument, format!("it lies between 0 and {}", items.len())))
    };
    let (start, end) = (place(1)?, place(2)?);
    if start > end {
        return Err(FunctionError::at(1, "the start comes after the end"));
    }
    let part = items[start..end].to_vec();
    Ok(match arguments.value(0).data() {
        Data::List(element, _) => Value::list(element.clone(), part),
        _ => Value::tuple(part),
    })
}

fn sort(arguments: &Arguments<'_>) -> Outcome {
    let mut texts = arguments.items(0)?.iter().map(|item| text_of(item, 0)).collect::<Result<Vec<_>, _>>()?;
    texts.sort_unstable();
    Ok(Value::strings(texts))
}

fn transpose(arguments: &Arguments<'_>) -> Outcome {
    let mut turned: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, list) in arguments.entries(0)? {
        let items = list.items().ok_or_else(|| FunctionError::at(0, "a list in it is null"))?;
        for item in items {
            turned.entry(text_of(item, 0)?.into()).or_default().push(Value::string(key.clone()));
        }
    }
    let lists = turned.into_iter().map(|(key, keys)| (key, Value::list(Type::String, keys)));
    Ok(Value::map(Type::list(Type::String), lists))
}

fn zip_map(arguments: &Arguments<'_>) -> Outcome {
    let (keys, values) = (arguments.ordered(0)?, arguments.ordered(1)?);
    if keys.len() != values.len() || keys.len() > LARGEST {
        return Err(FunctionError::at(
            1,
            format!("{} keys need as many values, these are {}", keys.len(), values.len()),
        ));
    }
    if keys.iter().any(|key| !key.is_known()) {
        return Ok(unknown_from(Type::Any, arguments.all()));
    }
    let marks = crate::value::marks_of(keys);
    let mut pairs: Vec<(Arc<str>, Value)> = Vec::with_capacity(keys.len());
    for (key, value) in keys.iter().zip(values) {
        pairs.push((text_of(key, 0)?.into(), value.clone()));
    }
    Ok(match arguments.value(1).data() {
        Data::List(element, _) => Value::map(element.clone(), pairs),
        _ => Value::object(pairs),
    }
    .mark(marks))
}
