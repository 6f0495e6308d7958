//! What was evaluated so far: the values of names, the instances of blocks, what each rests on. Pure.
//!
//! Invariant: needs are kept as sets that are shared where one name merely passes on another, so that a chain
//! of names costs no copies.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::address::{Address, InstanceKey, ModulePath};
use crate::expression::Expr;
use crate::value::Value;

/// Numbers of the instances that something rests on.
pub(super) type Needs = Rc<BTreeSet<u32>>;

/// A set that reaches further than this is narrowed to what a value still waits for: otherwise ten thousand
/// resources that each pick one element of a value made of ten thousand others would cost their product.
pub(super) const WIDEST: usize = 256;

/// The value of a variable, local or output in one instance of its module.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub value: Value,
    pub needs: Needs,
    /// Its closed form, where it holds an unknown or a secret.
    pub closed: Option<Expr>,
    /// Whether it has a mistake, so that nothing is to follow from it.
    pub poisoned: bool,
}

/// How a block is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Once,
    Count,
    ForEach,
}

/// What `each` and `count` stand for in one instance.
#[derive(Clone, Debug)]
pub(super) struct Each {
    pub key: Option<InstanceKey>,
    /// `each.value`; of `count`, the index.
    pub value: Value,
    /// The closed form of `each.value`, where it holds an unknown or a secret.
    pub closed: Option<Expr>,
    /// What `each.value` rests on.
    pub needs: Needs,
}

/// The instances that `count` or `for_each` asks for.
#[derive(Clone, Debug)]
pub(super) struct Expansion {
    pub style: Style,
    pub items: Vec<Each>,
    /// Whether it has a mistake, or is not known while nobody minds.
    pub poisoned: bool,
}

/// One instance of a module where it is called.
#[derive(Clone, Debug)]
pub(super) struct SiteInstance {
    pub path: ModulePath,
    /// Which instance of the site it is called from.
    pub parent: usize,
    /// `each` and `count` of the call.
    pub each: Option<Each>,
    /// What everything in it rests on: `depends_on` of the calls around.
    pub needs: Needs,
}

/// The instances of a `module` block in one instance of the site that calls it.
#[derive(Clone, Debug)]
pub(super) struct CallState {
    pub style: Style,
    pub by_key: BTreeMap<InstanceKey, usize>,
    /// Its instances among those of the called site.
    pub instances: std::ops::Range<usize>,
    pub poisoned: bool,
}

/// One instance of a resource, database or config value.
#[derive(Clone, Debug)]
pub(super) struct InstanceState {
    pub id: u32,
    pub value: Value,
    /// Its closed form when that is not simply the instance.
    pub closed: Option<Expr>,
    /// Whether it has a mistake, so that nothing is to follow from it.
    pub poisoned: bool,
}

/// The instances of a block in one instance of its module.
#[derive(Clone, Debug)]
pub(super) struct BlockState {
    pub style: Style,
    pub address: Address,
    pub instances: Vec<InstanceState>,
    pub by_key: BTreeMap<InstanceKey, usize>,
    pub whole: OnceCell<Value>,
    pub poisoned: bool,
}

impl BlockState {
    /// A block none of whose instances is known, because of a mistake.
    pub fn poisoned(address: Address) -> Self {
        Self {
            style: Style::Once,
            address,
            instances: Vec::new(),
            by_key: BTreeMap::new(),
            whole: OnceCell::new(),
            poisoned: true,
        }
    }

    /// Its value: that of the one instance, a tuple of all, or an object of all.
    pub fn whole(&self) -> Value {
        let all = || self.instances.iter().map(|instance| instance.value.clone());
        let make = || match self.style {
            Style::Once => all().next().unwrap_or_else(Value::null),
            Style::Count => Value::tuple(all().collect()),
            Style::ForEach => {
                let keyed = self.by_key.iter().filter_map(|(key, index)| match key {
                    InstanceKey::Key(key) => Some((key.clone(), self.instances[*index].value.clone())),
                    InstanceKey::Index(_) => None,
                });
                Value::object(keyed)
            }
        };
        self.whole.get_or_init(make).clone()
    }
}

/// All that was evaluated.
#[derive(Default)]
pub(super) struct State {
    /// Instances by site.
    pub sites: Vec<Vec<SiteInstance>>,
    /// By node, then by instance of its site: values of names.
    pub cells: Vec<Vec<Cell>>,
    /// By node, then by instance of its site: instances of modules.
    pub calls: Vec<Vec<CallState>>,
    /// By node, then by instance of its site: instances of blocks.
    pub blocks: Vec<Vec<BlockState>>,
    /// The closed forms that others refer to; each refers to earlier ones only.
    pub closed: Vec<Expr>,
    /// Addresses by number.
    pub addresses: Vec<Address>,
    /// Numbers by address.
    pub ids: HashMap<Address, u32>,
}

impl State {
    /// The number of an address.
    pub fn id(&mut self, address: &Address) -> u32 {
        if let Some(id) = self.ids.get(address) {
            return *id;
        }
        let id = u32::try_from(self.addresses.len()).expect("fewer than 2^32 resources");
        self.addresses.push(address.clone());
        self.ids.insert(address.clone(), id);
        id
    }

    /// The addresses of these numbers.
    pub fn addresses(&self, needs: &BTreeSet<u32>) -> BTreeSet<Address> {
        needs.iter().map(|id| self.addresses[*id as usize].clone()).collect()
    }
}

/// Gathers what an evaluation touched.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    shared: Vec<Needs>,
    single: BTreeSet<u32>,
    /// Something with a mistake was touched.
    pub poisoned: bool,
}

impl Tracker {
    /// One instance was named.
    pub fn one(&mut self, id: u32) {
        self.single.insert(id);
    }

    /// A name was used that rests on these.
    pub fn all(&mut self, needs: &Needs) {
        if !needs.is_empty() && !self.shared.iter().any(|known| Rc::ptr_eq(known, needs)) {
            self.shared.push(needs.clone());
        }
    }

    /// What was touched, for a name that passes it on.
    pub fn needs(self) -> Needs {
        if self.single.is_empty() && self.shared.len() <= 1 {
            return self.shared.into_iter().next().unwrap_or_default();
        }
        let mut all = self.single;
        for needs in self.shared {
            all.extend(needs.iter());
        }
        Rc::new(all)
    }

    /// What was touched, for a resource's attribute: wide sets narrowed to what the value waits for.
    pub fn narrowed(self, value: &Value, ids: &HashMap<Address, u32>) -> BTreeSet<u32> {
        let mut all = self.single;
        let mut is_wide = false;
        for needs in self.shared {
            match needs.len() <= WIDEST {
                true => all.extend(needs.iter()),
                false => is_wide = true,
            }
        }
        if is_wide {
            all.extend(value.waits_for().iter().filter_map(|address| ids.get(address)));
        }
        all
    }
}
