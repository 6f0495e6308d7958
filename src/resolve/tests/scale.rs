//! The work grows with the spec and not faster; counted, not timed.

use super::stage::Stage;

fn chain(count: usize) -> String {
    let mut spec = String::from("resource \"terraform_data\" \"r0\" {}\n");
    for number in 1..count {
        spec += &format!(
            "resource \"terraform_data\" \"r{number}\" {{\n  input = {{\n    a = {number}\n    b = \"n${{{number} + 1}}\"\n    c = [1, 2]\n    d = terraform_data.r{}.id\n  }}\n}}\n",
            number - 1
        );
    }
    spec
}

/// What is stored of all resources: bytes of deferred forms, and needs.
fn size(stage: &Stage) -> (usize, usize) {
    let desired = stage.desired();
    let resources = desired.resources.values();
    let bytes = resources.clone().map(|resource| serde_json::to_string(&resource.deferred).unwrap().len()).sum();
    (bytes, resources.map(|resource| resource.needs.len()).sum())
}

#[test]
fn a_chain_of_resources_grows_in_proportion() {
    let (small, large) = (size(&Stage::new(&chain(500))), size(&Stage::new(&chain(1_000))));
    assert_eq!((small.1, large.1), (499, 999));
    assert!(large.0 < small.0 * 21 / 10, "{small:?} {large:?}");
}

#[test]
fn one_for_each_referring_to_another_grows_in_proportion() {
    let spec = |count: usize| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  for_each = toset([for n in range({count}) : tostring(n)])\n  input = each.key\n}}\nresource \"terraform_data\" \"b\" {{\n  for_each = terraform_data.a\n  input = terraform_data.a[each.key].id\n}}\n"
        )
    };
    let (small, large) = (size(&Stage::new(&spec(500))), size(&Stage::new(&spec(1_000))));
    assert_eq!((small.1, large.1), (500, 1_000));
    assert!(large.0 < small.0 * 21 / 10, "{small:?} {large:?}");
}

#[test]
fn a_value_of_many_parts_is_picked_from_in_proportion() {
    let spec = |count: usize| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  count = {count}\n}}\nlocals {{\n  ids = {{ for n, a in terraform_data.a : tostring(n) => a.id }}\n}}\nresource \"terraform_data\" \"b\" {{\n  for_each = local.ids\n  input = each.value\n}}\nresource \"terraform_data\" \"c\" {{\n  for_each = local.ids\n  input = local.ids[each.key]\n}}\n"
        )
    };
    let (small, large) = (size(&Stage::new(&spec(500))), size(&Stage::new(&spec(1_000))));
    assert_eq!((small.1, large.1), (1_000, 2_000));
    assert!(large.0 < small.0 * 21 / 10, "{small:?} {large:?}");
}

#[test]
fn a_long_chain_of_locals_is_no_matter() {
    let mut spec = String::from("resource \"terraform_data\" \"a\" {}\nlocals {\n  l0 = terraform_data.a.id\n");
    for number in 1..5_000 {
        spec += &format!("  l{number} = local.l{}\n", number - 1);
    }
    spec += "}\nresource \"terraform_data\" \"b\" {\n  input = local.l4999\n}\n";
    assert_eq!(size(&Stage::new(&spec)).1, 1);
}
