//! Rules about infrastructure and configuration: each finds its bad example, and nothing in its good one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use switchback::files::Files;
use switchback::ledger::state::ResourceState;
use switchback::ledger::{State, Things};
use switchback::migration::certificate::Evidence;
use switchback::observe::Observed;
use switchback::plan::{Inputs, Options, plan};
use switchback::provider::table::kinds;
use switchback::rehearse::target::Targets;
use switchback::resolve::inputs;
use switchback::resolve::resolve;
use switchback::rules::judging::{Settings, judge};
use switchback::rules::rule::{Check, Example, Rule, Sort};
use switchback::rules::{Finding, infrastructure};
use switchback::secret::Secrets;
use switchback::spec::load;
use switchback::step::{Action, Birth, ChangeSet, Inverse, Operation, Step};
use switchback::value::{Data, Object, Value};

/// Files in memory.
#[derive(Default)]
struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }
}

/// What a spec changes of what is there.
fn changed(text: &str, things: &Things) -> ChangeSet {
    let folder = Path::new("/shop");
    let files = Memory(BTreeMap::from([
        (folder.join("switchback.hcl"), "project \"shop\" {}\n".to_owned()),
        (folder.join("environments/dev.hcl"), text.to_owned()),
    ]));
    let kinds = kinds();
    let (spec, mistakes) = load(&files, folder, "dev", &kinds);
    assert!(!mistakes.has_errors(), "{mistakes:?}\n{text}");
    let (resolved, mistakes) = resolve(&spec, &inputs::Inputs::default(), &kinds, &files, folder);
    let resolved = resolved.unwrap_or_else(|| panic!("{mistakes:?}\n{text}"));
    let state = State { things: things.clone(), ..State::default() };
    let mut observed = Observed::as_recorded(things);
    for address in resolved.desired.resources.keys() {
        observed.objects.entry(address.clone()).or_insert(None);
    }
    let (evidence, secrets) = (Evidence::default(), resolved.secrets.clone());
    let inputs = Inputs {
        state: &state,
        observed: &observed,
        kinds: &kinds,
        secrets: &secrets as &dyn Secrets,
        evidence: &evidence,
    };
    let options = Options { refactoring: resolved.refactoring.clone(), ..Options::default() };
    let (change_set, mistakes) = plan(&resolved.desired, inputs, &options);
    assert!(!mistakes.has_errors(), "{mistakes:?}\n{text}");
    change_set
}

/// What is there once a change set has been applied: what nobody knew before is its address.
fn applied(change_set: &ChangeSet) -> Things {
    let mut things = Things::default();
    let state = |step: &Step, kind: &String, after: &Object| ResourceState {
        kind: kind.clone(),
        binding: step.binding.clone(),
        object: after
            .iter()
            .map(|(name, value)| {
                let is_unknown = matches!(value.data(), Data::Unknown(_));
                (
                    name.clone(),
                    if is_unknown { Value::from(format!("arn:{}", step.address).as_str()) } else { value.clone() },
                )
            })
            .collect(),
        earlier: Vec::new(),
        needs: step.needs.clone(),
        needs_schema: BTreeMap::new(),
        beside: Vec::new(),
        run: 1,
        adopted: None,
        born: Birth { run: 1, step: step.id.0 },
        made_of: BTreeMap::new(),
    };
    for step in &change_set.steps {
        if let Action::Create { kind, after, .. } = &step.action {
            things.resources.insert(step.address.clone(), state(step, kind, after));
        }
    }
    things
}

/// What the rules about steps say of a change.
fn said(text: &str, before: Option<&str>) -> Vec<Finding> {
    let things = before.map(|before| applied(&changed(before, &Things::default()))).unwrap_or_default();
    let change_set = changed(text, &things);
    judge(infrastructure::RULES, &change_set, &Evidence::default(), &Targets::default(), &Settings::default()).found
}

/// The change sets of all examples.
#[cfg(all(feature = "postgres", feature = "cli"))]
pub fn examples() -> Vec<ChangeSet> {
    let mut found = Vec::new();
    for rule in infrastructure::RULES {
        let (things, texts) = match rule.example {
            Example::Spec { bad, good } => (Things::default(), [bad, good]),
            Example::Change { before, bad, good } => (applied(&changed(before, &Things::default())), [bad, good]),
            Example::Sql { .. } => continue,
        };
        found.extend(texts.map(|text| changed(text, &things)));
    }
    found
}

fn of<'a>(rule: &Rule, found: &'a [Finding]) -> Vec<&'a Finding> {
    found.iter().filter(|finding| finding.rule == rule.name).collect()
}

#[test]
fn each_rule_finds_its_bad_example_and_nothing_in_its_good_one() {
    for rule in infrastructure::RULES {
        assert!(matches!(rule.check, Check::Steps(..)), "{}", rule.name);
        let (before, bad, good) = match rule.example {
            Example::Spec { bad, good } => (None, bad, good),
            Example::Change { before, bad, good } => (Some(before), bad, good),
            Example::Sql { .. } => panic!("{}: it is about steps", rule.name),
        };
        let found = said(bad, before);
        let found = of(rule, &found);
        assert_eq!(found.len(), 1, "{}: {found:?}", rule.name);
        let finding = found[0];
        assert_eq!((finding.level, finding.place.step.is_some()), (rule.level, true), "{}", rule.name);
        assert!(finding.place.address.is_some() && !finding.message.is_empty(), "{finding:?}");
        assert!(!finding.help.is_empty() && finding.reason.starts_with(rule.reason), "{finding:?}");
        let good = said(good, before);
        assert!(of(rule, &good).is_empty(), "{}: {good:?}", rule.name);
    }
    assert!(infrastructure::RULES.len() >= 15);
}

#[test]
fn of_a_way_back_only_what_does_harm_is_told() {
    for rule in infrastructure::RULES {
        let Check::Steps(sort, _) = rule.check else { panic!("{}", rule.name) };
        let (things, bad) = match rule.example {
            Example::Spec { bad, .. } => (Things::default(), bad),
            Example::Change { before, bad, .. } => (applied(&changed(before, &Things::default())), bad),
            Example::Sql { .. } => continue,
        };
        let back = ChangeSet { operation: Operation::Rollback { to: 0 }, ..changed(bad, &things) };
        let (evidence, targets) = (Evidence::default(), Targets::default());
        let found = judge(infrastructure::RULES, &back, &evidence, &targets, &Settings::default()).found;
        assert_eq!(of(rule, &found).is_empty(), sort == Sort::Habit, "{}: {found:?}", rule.name);
    }
    let sort = |name: &str| infrastructure::RULES.iter().find(|rule| rule.name == name).map(|rule| rule.check);
    assert!(matches!(sort("image-by-tag"), Some(Check::Steps(Sort::Habit, _))));
    assert!(matches!(sort("deleted-stateful-resource"), Some(Check::Steps(Sort::Breaks, _))));
}

#[test]
fn a_mend_is_hcl() {
    for rule in infrastructure::RULES {
        let (before, bad) = match rule.example {
            Example::Spec { bad, .. } => (None, bad),
            Example::Change { before, bad, .. } => (Some(before), bad),
            Example::Sql { .. } => continue,
        };
        let found = said(bad, before);
        for rewrite in of(rule, &found).into_iter().filter_map(|finding| finding.rewrite.as_ref()) {
            // A dot for what only its author knows is no HCL by itself.
            let text = rewrite.replace("[…]", "[]").replace('…', "x");
            let source = switchback::diagnostic::SourceId(0);
            let mut mistakes = switchback::diagnostic::Diagnostics::default();
            assert!(switchback::spec::body::read(&text, source, &mut mistakes).is_ok(), "{}: {rewrite}", rule.name);
            assert!(!mistakes.has_errors(), "{}: {mistakes:?}", rule.name);
        }
    }
}

#[test]
fn what_is_not_known_or_withheld_is_not_guessed_at() {
    let aws = "provider \"aws\" { region = \"eu-central-1\" }\n";
    // An image that only the apply knows, and a name that only looks like a secret's.
    let text = format!(
        "{aws}resource \"aws_ssm_parameter\" \"image\" {{\n  name  = \"/shop/TOKEN_TTL\"\n  type  = \"String\"\n  value = \
         \"1\"\n}}\nresource \"aws_ecs_task_definition\" \"web\" {{\n  family = \"web\"\n  memory = \"512\"\n  \
         container_definitions = jsonencode([{{ name = \"web\", image = aws_ssm_parameter.image.arn }}])\n}}\n"
    );
    let rules: BTreeSet<String> = said(&text, None).into_iter().map(|finding| finding.rule).collect();
    assert!(!rules.contains("image-by-tag") && !rules.contains("secret-in-plain-parameter"), "{rules:?}");
    // A value that somebody called a secret is one, whatever it is named.
    let marked = format!(
        "{aws}variable \"x\" {{\n  type      = string\n  default   = \"hunter2\"\n  sensitive = true\n}}\nresource \
         \"aws_ssm_parameter\" \"plain\" {{\n  name  = \"/shop/x\"\n  type  = \"String\"\n  value = var.x\n}}\n"
    );
    let found = said(&marked, None);
    assert!(found.iter().any(|finding| finding.rule == "secret-in-plain-parameter"), "{found:?}");
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn the_way_back_of_an_example_is_what_its_rule_says() {
    let rule = infrastructure::RULES.iter().find(|rule| rule.name == "way-back-makes-anew").unwrap();
    let Example::Change { before, bad, .. } = rule.example else { panic!("it is about a change") };
    let change_set = changed(bad, &applied(&changed(before, &Things::default())));
    assert!(change_set.steps.iter().any(|step| matches!(step.inverse, Inverse::Recreates { .. })), "{change_set:?}");
}
