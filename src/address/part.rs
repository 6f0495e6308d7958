//! A part of the things: one instance, all instances of a block, or everything in a module. Pure.
//!
//! Invariant: a name without a key means all instances only where nothing else is said: between two names of which
//! one has a key, each means exactly one instance.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Address, InstanceKey, ModulePath, ModuleStep, NotAnAddress};

/// What a `moved` or `removed` block names, or `state mv` and `state rm`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// The module it stands in, or that is meant itself.
    pub module: ModulePath,
    /// The block in it; nothing when the whole module is meant.
    pub block: Option<BlockName>,
}

/// `aws_ecs_service.web["eu"]`, without its module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockName {
    /// The first word: a kind, `database` or `config`.
    pub word: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// The instance key, if any.
    pub key: Option<InstanceKey>,
}

impl Part {
    /// Exactly this thing, or all instances of its block if it has no key.
    pub fn of(address: &Address) -> Self {
        let Address { module, word, name, key } = address.clone();
        Self { module, block: Some(BlockName { word, name, key }) }
    }

    /// The same, seen from outside of a module.
    #[must_use]
    pub fn within(&self, path: &ModulePath) -> Self {
        let steps = path.0.iter().chain(self.module.0.iter()).cloned().collect();
        Self { module: ModulePath(steps), block: self.block.clone() }
    }

    /// Whether one instance is meant, of a block or of a module.
    pub fn is_exact(&self) -> bool {
        self.key().is_some()
    }

    fn key(&self) -> Option<&InstanceKey> {
        match &self.block {
            Some(block) => block.key.as_ref(),
            None => self.module.0.last().and_then(|step| step.key.as_ref()),
        }
    }

    /// Whether this address belongs to it; a name without a key means all instances.
    pub fn holds(&self, address: &Address) -> bool {
        self.holds_as(address, self.is_exact())
    }

    fn holds_as(&self, address: &Address, exact: bool) -> bool {
        match &self.block {
            Some(block) => {
                address.module == self.module
                    && address.word == block.word
                    && address.name == block.name
                    && (!exact || address.key == block.key)
            }
            None => {
                let (steps, inner) = (&self.module.0, &address.module.0);
                let Some((last, outer)) = steps.split_last() else { return true };
                let fits = |step: &ModuleStep| step.name == last.name && (!exact || step.key == last.key);
                inner.len() >= steps.len() && inner[..outer.len()] == *outer && fits(&inner[outer.len()])
            }
        }
    }

    /// What an address of this part is called once the part is another one; nothing when it does not belong to it.
    pub fn renamed(&self, to: &Self, address: &Address) -> Option<Address> {
        let exact = self.is_exact() || to.is_exact();
        if !self.holds_as(address, exact) {
            return None;
        }
        match (&self.block, &to.block) {
            (Some(_), Some(block)) => Some(Address {
                module: to.module.clone(),
                word: block.word.clone(),
                name: block.name.clone(),
                key: if exact { block.key.clone() } else { address.key.clone() },
            }),
            (None, None) => {
                let here = self.module.0.len();
                let mut steps = to.module.0.to_vec();
                if !exact && let (Some(last), Some(step)) = (steps.last_mut(), address.module.0.get(here - 1)) {
                    last.key.clone_from(&step.key);
                }
                steps.extend(address.module.0[here..].iter().cloned());
                Some(Address { module: ModulePath(steps.into()), ..address.clone() })
            }
            (Some(_), None) | (None, Some(_)) => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(block) = &self.block else {
            return formatter.write_str(self.module.to_string().trim_end_matches('.'));
        };
        write!(formatter, "{}{}.{}", self.module, block.word, block.name)?;
        block.key.as_ref().map_or(Ok(()), |key| write!(formatter, "{key}"))
    }
}

impl FromStr for Part {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Ok(address) = text.parse::<Address>() {
            return Ok(Self::of(&address));
        }
        // Whatever block is named below a module, the module is what stands before it.
        let inside: Address = format!("{text}.any.thing").parse().map_err(|_| NotAnAddress(text.to_owned()))?;
        match inside.module.0.is_empty() {
            true => Err(NotAnAddress(text.to_owned())),
            false => Ok(Self { module: inside.module, block: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        text.parse().expect("a part")
    }

    fn renamed(from: &str, to: &str, address: &str) -> Option<String> {
        let address = address.parse().expect("an address");
        part(from).renamed(&part(to), &address).map(|address| address.to_string())
    }

    #[test]
    fn a_part_and_its_text_are_the_same_thing() {
        for text in ["a.b", "a.b[0]", "module.a", "module.a[\"x\"]", "module.a.module.b[1]", "module.a.b.c[\"k\"]"] {
            assert_eq!(part(text).to_string(), text);
        }
        for text in ["", "a", "module", "module.", "a.b.c", "module.a.b"] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }

    #[test]
    fn whole_blocks_keep_their_keys_and_a_key_means_one_instance() {
        assert_eq!(renamed("a.b", "a.c", "a.b[\"x\"]").as_deref(), Some("a.c[\"x\"]"));
        assert_eq!(renamed("a.b", "a.c", "a.b").as_deref(), Some("a.c"));
        assert_eq!(renamed("a.b", "a.b[\"x\"]", "a.b").as_deref(), Some("a.b[\"x\"]"));
        assert_eq!(renamed("a.b", "a.b[\"x\"]", "a.b[\"y\"]"), None);
        assert_eq!(renamed("a.b[0]", "a.b[\"x\"]", "a.b[0]").as_deref(), Some("a.b[\"x\"]"));
        assert_eq!(renamed("a.b[0]", "a.b", "a.b[0]").as_deref(), Some("a.b"));
        assert_eq!(renamed("a.b", "module.m.a.b", "a.b[1]").as_deref(), Some("module.m.a.b[1]"));
        assert_eq!(renamed("a.b", "a.c", "a.d"), None);
    }

    #[test]
    fn modules_move_with_all_that_is_in_them() {
        assert_eq!(renamed("module.a", "module.b", "module.a[1].x.y").as_deref(), Some("module.b[1].x.y"));
        assert_eq!(renamed("module.a", "module.b[\"k\"]", "module.a.x.y").as_deref(), Some("module.b[\"k\"].x.y"));
        assert_eq!(renamed("module.a", "module.b[\"k\"]", "module.a[0].x.y"), None);
        assert_eq!(
            renamed("module.a", "module.c.module.a", "module.a.module.d[2].x.y[0]").as_deref(),
            Some("module.c.module.a.module.d[2].x.y[0]")
        );
        assert_eq!(renamed("module.a", "module.b", "x.y"), None);
    }

    #[test]
    fn a_part_holds_what_is_in_it() {
        let holds = |text: &str, address: &str| part(text).holds(&address.parse().expect("an address"));
        assert!(holds("module.a", "module.a[0].x.y") && holds("module.a[0]", "module.a[0].module.b.x.y"));
        assert!(!holds("module.a[0]", "module.a[1].x.y") && !holds("module.a.module.b", "module.a.x.y"));
        assert!(holds("x.y", "x.y[3]") && !holds("x.y[3]", "x.y") && !holds("x.y", "module.a.x.y"));
    }

    #[test]
    fn what_stands_in_a_module_is_seen_from_outside() {
        let path = "module.a[0].x.y".parse::<Address>().expect("an address").module;
        assert_eq!(part("b.c").within(&path).to_string(), "module.a[0].b.c");
        assert_eq!(part("module.d").within(&path).to_string(), "module.a[0].module.d");
    }
}
