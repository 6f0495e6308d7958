//! The table of kinds and of the providers that carry them out. Pure (it makes nothing but tables).
//!
//! Invariant: one line per kind; the core gets these tables as arguments and never names a kind itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::kind::{Kind, Kinds};
use crate::provider::{aws, checks, local_file, postgres, terraform_data};
use crate::world::{Databases, Provider};

/// All kinds with their pure rules, whatever features are compiled in.
pub fn kinds() -> Kinds {
    let mut kinds: Vec<Kind> = vec![
        terraform_data::kind(),
        aws::cloudwatch_log_group::kind(),
        aws::ecs_cluster::kind(),
        aws::ecs_service::kind(),
        aws::ecs_task_definition::kind(),
        aws::secretsmanager_given_secret::kind(),
        aws::secretsmanager_secret::kind(),
        aws::ssm_given_parameter::kind(),
        aws::ssm_parameter::kind(),
        local_file::kind(),
    ];
    kinds.extend(postgres::kinds());
    Kinds::new(kinds, [terraform_data::schema(), aws::settings::schema(), local_file::schema(), postgres::schema()])
        .with_checks(checks::kinds())
}

/// The providers that are compiled in, by name; each keeps its connections for as long as it lives. Files whose paths are
/// not absolute begin at this folder, the project's.
pub fn providers(folder: &Path) -> BTreeMap<String, Arc<dyn Provider>> {
    let mut providers: BTreeMap<String, Arc<dyn Provider>> = BTreeMap::new();
    providers.insert("terraform".to_owned(), Arc::new(terraform_data::BuiltIn));
    providers.insert("local".to_owned(), Arc::new(local_file::LocalFiles::below(folder)));
    #[cfg(feature = "aws")]
    providers.insert("aws".to_owned(), Arc::new(aws::carrier::Aws::default()));
    #[cfg(feature = "postgres")]
    providers.insert("postgres".to_owned(), Arc::new(postgres::Postgres));
    providers
}

/// The runner of migrations, if it is compiled in.
pub fn databases() -> Option<Arc<dyn Databases>> {
    #[cfg(feature = "postgres")]
    {
        Some(Arc::new(postgres::Migrator::default()))
    }
    #[cfg(not(feature = "postgres"))]
    {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Attribute, Mode, Shape};

    #[test]
    fn every_kind_and_attribute_is_documented_and_named_once() {
        fn look(path: &str, attributes: &[Attribute]) {
            for (index, attribute) in attributes.iter().enumerate() {
                let name = format!("{path}.{}", attribute.name);
                assert!(attribute.documentation.ends_with('.'), "{name} has no sentence");
                assert!(attributes[..index].iter().all(|other| other.name != attribute.name), "{name} is there twice");
                assert!(
                    attribute.default.is_none() || attribute.mode == Mode::Optional,
                    "{name}: a default is for optional ones"
                );
                if let Shape::Blocks { attributes, .. } = &attribute.shape {
                    look(&name, attributes);
                }
            }
        }
        let kinds = kinds();
        assert!(kinds.iter().count() >= 6);
        for kind in kinds.iter() {
            assert!(kind.summary.ends_with('.'), "{} has no sentence", kind.name);
            look(kind.name, &kind.attributes);
        }
        for provider in kinds.providers() {
            look(provider.name, &provider.attributes);
        }
    }

    #[test]
    fn defaults_have_the_type_of_their_attribute() {
        fn look(path: &str, attributes: &[Attribute]) {
            for attribute in attributes {
                if let Some(default) = &attribute.default {
                    assert_eq!(default.ty(), attribute.shape.ty(), "{path}.{}", attribute.name);
                }
                if let Shape::Blocks { attributes, .. } = &attribute.shape {
                    look(attribute.name, attributes);
                }
            }
        }
        for kind in kinds().iter() {
            look(kind.name, &kind.attributes);
        }
    }
}
