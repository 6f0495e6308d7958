//! The one type that values of several types can be had as. Pure.
//!
//! Invariant: the result does not depend on the order of the types.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Type;
use super::types::Field;

/// The type that all of these can be had as; nothing when there is none, `any` for no types or unknown ones.
pub fn unify(types: &[Type]) -> Option<Type> {
    let mut known: Vec<&Type> = types.iter().filter(|ty| **ty != Type::Any).collect();
    known.dedup();
    let Some(first) = known.first() else {
        return Some(Type::Any);
    };
    if known.iter().all(|ty| ty == first) {
        return Some((*first).clone());
    }
    let all = |test: fn(&Type) -> bool| known.iter().all(|ty| test(ty));
    if all(|ty| matches!(ty, Type::Bool | Type::Number | Type::String)) {
        return unify_primitives(&known);
    }
    if all(|ty| matches!(ty, Type::Object(_))) {
        return unify_objects(&known);
    }
    if all(|ty| matches!(ty, Type::Object(_) | Type::Map(_))) {
        return unify_elements(&known).map(Type::map);
    }
    if all(|ty| matches!(ty, Type::Tuple(_))) {
        return unify_tuples(&known);
    }
    if all(|ty| matches!(ty, Type::Tuple(_) | Type::List(_))) {
        return unify_elements(&known).map(Type::list);
    }
    if all(|ty| matches!(ty, Type::Set(_))) {
        return unify_elements(&known).map(Type::set);
    }
    // Sets among lists and tuples: one of the types has to do as it stands.
    let mut wanted = known.clone();
    wanted.sort_by_key(|ty| matches!(ty, Type::Tuple(_)) || matches!(ty, Type::Set(_)));
    wanted.into_iter().find(|wanted| known.iter().all(|ty| fits(ty, wanted))).cloned()
}

/// Whether every value of a collection can be had as the other collection: order may be given to elements, not
/// taken from them, and elements may become texts, not be read from them.
fn fits(from: &Type, to: &Type) -> bool {
    let safely = |from: &Type, to: &Type| {
        from == to || *from == Type::Any || (*to == Type::String && matches!(from, Type::Bool | Type::Number))
    };
    match (from, to) {
        (Type::Set(from), Type::List(to)) => safely(from, to),
        (Type::Tuple(from), Type::List(to) | Type::Set(to)) => from.iter().all(|from| safely(from, to)),
        (from, to) => from == to,
    }
}

/// A string can stand for a number and for a bool, which cannot stand for each other.
fn unify_primitives(types: &[&Type]) -> Option<Type> {
    types.contains(&&Type::String).then_some(Type::String)
}

fn unify_elements(types: &[&Type]) -> Option<Type> {
    let mut elements = Vec::new();
    for ty in types {
        match ty {
            Type::List(element) | Type::Set(element) | Type::Map(element) => elements.push((**element).clone()),
            Type::Tuple(items) => elements.extend(items.iter().cloned()),
            Type::Object(fields) => elements.extend(fields.values().map(|field| field.ty.clone())),
            Type::Any | Type::Bool | Type::Number | Type::String => {}
        }
    }
    unify(&elements)
}

fn unify_tuples(types: &[&Type]) -> Option<Type> {
    let tuples: Vec<&Arc<[Type]>> =
        types.iter().filter_map(|ty| if let Type::Tuple(items) = ty { Some(items) } else { None }).collect();
    let length = tuples.first().map_or(0, |items| items.len());
    if tuples.iter().all(|items| items.len() == length) {
        let column = |index: usize| unify(&tuples.iter().map(|items| items[index].clone()).collect::<Vec<_>>());
        if let Some(items) = (0..length).map(column).collect::<Option<Vec<_>>>() {
            return Some(Type::Tuple(items.into()));
        }
    }
    unify_elements(types).map(Type::list)
}

fn unify_objects(types: &[&Type]) -> Option<Type> {
    let objects: Vec<&Arc<BTreeMap<Arc<str>, Field>>> =
        types.iter().filter_map(|ty| if let Type::Object(fields) = ty { Some(fields) } else { None }).collect();
    let first = objects.first()?;
    if objects.iter().all(|fields| fields.len() == first.len() && fields.keys().eq(first.keys())) {
        let column = |name: &Arc<str>| {
            let types: Vec<Type> =
                objects.iter().filter_map(|fields| fields.get(name)).map(|field| field.ty.clone()).collect();
            Some((name.clone(), unify(&types)?))
        };
        if let Some(fields) = first.keys().map(column).collect::<Option<Vec<_>>>() {
            return Some(Type::object(fields));
        }
    }
    unify_elements(types).map(Type::map)
}

/// Whether some value of one type can be had as the other: all that can be said of an unknown.
pub fn convertible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Bool | Type::Number | Type::String, Type::String) | (Type::String, Type::Bool | Type::Number) => true,
        (Type::Bool, Type::Bool) | (Type::Number, Type::Number) => true,
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to)) | (Type::Map(from), Type::Map(to)) => {
            convertible(from, to)
        }
        (Type::Tuple(from), Type::List(to) | Type::Set(to)) => from.iter().all(|from| convertible(from, to)),
        (Type::List(from), Type::Tuple(to)) => to.iter().all(|to| convertible(from, to)),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to.iter()).all(|(from, to)| convertible(from, to))
        }
        (Type::Object(from), Type::Map(to)) => from.values().all(|field| convertible(&field.ty, to)),
        (Type::Map(from), Type::Object(to)) => to.values().all(|field| convertible(from, &field.ty)),
        (Type::Object(from), Type::Object(to)) => to
            .iter()
            .all(|(name, field)| from.get(name).map_or(field.optional, |from| convertible(&from.ty, &field.ty))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_unify_as_in_terraform() {
        let tuple = |types: &[Type]| Type::Tuple(types.into());
        let cases = [
            (vec![Type::Number, Type::String], Some(Type::String)),
            (vec![Type::Number, Type::Bool], None),
            (vec![Type::Any, Type::Number], Some(Type::Number)),
            (vec![], Some(Type::Any)),
            (vec![tuple(&[Type::Number]), tuple(&[Type::Number, Type::Number])], Some(Type::list(Type::Number))),
            (vec![tuple(&[Type::Number]), tuple(&[Type::String])], Some(tuple(&[Type::String]))),
            (vec![tuple(&[]), Type::list(Type::Bool)], Some(Type::list(Type::Bool))),
            (
                vec![Type::object([("a", Type::Number)]), Type::object([("b", Type::Number)])],
                Some(Type::map(Type::Number)),
            ),
            (
                vec![Type::object([("a", Type::Number)]), Type::object([("a", Type::String)])],
                Some(Type::object([("a", Type::String)])),
            ),
            (vec![Type::Number, tuple(&[Type::Number])], None),
        ];
        for (types, wanted) in cases {
            assert_eq!(unify(&types), wanted, "{types:?}");
            let reversed: Vec<Type> = types.iter().rev().cloned().collect();
            assert_eq!(unify(&reversed), wanted, "{reversed:?}");
        }
    }
}
