//! The attributes and rules of `terraform_data`. Pure.
//!
//! Invariant: `output` is what `input` was when it was last applied, unknown parts and all.

use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, PerChange, ProviderSchema, Rules};
use crate::value::{Object, Type, Value};

/// The provider of the built-in kind: no settings.
pub fn schema() -> ProviderSchema {
    ProviderSchema { name: "terraform", summary: "The built-in provider: it has no settings.", attributes: Vec::new() }
}

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "terraform_data",
        provider: "terraform",
        summary: "Keeps a value in the ledger: for triggers, and for trying things out.",
        attributes: vec![
            Attribute::optional("input", Type::Any, "Any value; `output` follows it once it is applied."),
            Attribute::optional("triggers_replace", Type::Any, "Any value; a change of it replaces the thing.")
                .replaces(),
            Attribute::computed("output", Type::Any, "What `input` was when it was applied."),
            Attribute::computed("id", Type::String, "A unique name, made when it is created."),
        ],
        late: PerChange::alike(LateCall::Precondition(
            "nothing is sent: the ledger refuses whoever has lost the lease",
        )),
        asked: PerChange::alike(Asked::by(By::Ledger)),
        rules: Box::new(TerraformData),
    }
}

struct TerraformData;

impl Rules for TerraformData {
    fn complete(&self, planned: &mut Object, _prior: Option<&Object>) {
        // An input that is not known yet is carried over as it is: what it waits for stays visible in the output.
        let output = planned.get("input").cloned().unwrap_or_else(Value::null);
        planned.insert("output".to_owned(), output);
    }

    fn identity(&self, _object: &Object) -> Option<String> {
        None
    }

    fn import(&self, _id: &str) -> Result<Object, String> {
        Err("a `terraform_data` lies in the ledger only, so there is nothing to import".to_owned())
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) | Change::Delete(_) => Judgement::Exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Unknown;

    #[test]
    fn the_output_mirrors_the_input_known_or_not() {
        let rules = TerraformData;
        for input in [Value::from("a"), Value::unknown(Unknown::of(Type::String)), Value::strings(["a", "b"])] {
            let mut planned = Object::from([("input".to_owned(), input.clone())]);
            rules.complete(&mut planned, None);
            assert_eq!(planned["output"], input);
        }
        let mut without = Object::new();
        rules.complete(&mut without, None);
        assert!(without["output"].is_null());
    }
}
