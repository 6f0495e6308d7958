//! Phases as they are written: in the header of a file, or in the spec. Both order alike, on the way there and back.

use std::path::{Path, PathBuf};

use switchback::files::Files;
use switchback::resolve::inputs;
use switchback::resolve::resolve;
use switchback::spec::load;

use super::*;

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

/// The migrations 10, 11 and 12 of a project, of which headers and a spec say something.
fn written(headers: [&str; 2], blocks: &str) -> Vec<Migration> {
    let folder = Path::new("/shop");
    let mut files = Memory::default();
    let mut write = |path: &str, text: String| files.0.insert(folder.join(path), text);
    write("switchback.hcl", "project \"shop\" {}\n".to_owned());
    let spec = format!("database \"app\" {{\n  host = \"db\"\n  migrations = \"../m\"\n{blocks}}}\n");
    write("environments/dev.hcl", spec);
    for (version, header) in [(10, ""), (11, headers[0]), (12, headers[1])] {
        write(&format!("m/V{version}__m{version}.sql"), format!("{header}CREATE TABLE t{version} (a int)"));
        write(&format!("m/V{version}__m{version}.down.sql"), format!("DROP TABLE t{version}"));
    }
    let kinds = kinds();
    let (spec, mistakes) = load(&files, folder, "dev", &kinds);
    assert!(mistakes.0.is_empty(), "{mistakes:?}");
    let (resolved, mistakes) = resolve(&spec, &inputs::Inputs::default(), &kinds, &files, folder);
    assert!(mistakes.0.is_empty(), "{mistakes:?}");
    resolved.expect("it has no mistakes").desired.databases.remove(&database()).expect("it is there").migrations
}

/// The order there, and the order back from there.
fn orders(migrations: &[Migration]) -> [String; 2] {
    let then = things("web:1", "10", &[]);
    let mut wanted = desired("web:2", "");
    wanted.databases.get_mut(&database()).expect("it is there").migrations = migrations.to_vec();
    let there = order(with_inputs(&then, |inputs| plan(&wanted, inputs, &Options::default())));
    let mut now = things("web:2", "10", &[]);
    let applied = migrations.iter().map(|migration| (migration.version, Arc::new(migration.clone()))).collect();
    now.databases.get_mut(&database()).expect("it is there").applied = applied;
    [there, order(back(&now, &then, Depth::WithSchema))]
}

const EXPAND: &str = "-- switchback: phase expand\n";
const CONTRACT: &str = "-- switchback: phase contract\n";

fn blocks(phases: [&str; 2]) -> String {
    let block =
        |(version, phase): (u32, &str)| format!("  migration \"{version}\" {{\n    phase = \"{phase}\"\n  }}\n");
    [11, 12].into_iter().zip(phases).map(block).collect()
}

#[test]
fn a_phase_orders_alike_wherever_it_is_written() {
    let expected = ["V11 web<V11 V12<V11,web", "-V12 web<-V12 -V11<-V12,web"];
    assert_eq!(orders(&written([EXPAND, CONTRACT], "")), expected);
    assert_eq!(orders(&written(["", ""], &blocks(["expand", "contract"]))), expected);
    assert_eq!(orders(&written([EXPAND, CONTRACT], &blocks(["expand", "contract"]))), expected, "and in both");
    // It is the phase that does it.
    let without = ["V11 V12<V11 web<V12", "-V12 -V11<-V12 web<-V11"];
    assert_eq!(orders(&written(["", ""], "")), without);
    assert_eq!(orders(&written([EXPAND, EXPAND], "")), ["V11 V12<V11 web<V12", "web -V12<web -V11<-V12"]);
    assert_eq!(orders(&written(["", ""], &blocks(["expand", "expand"]))), orders(&written([EXPAND, EXPAND], "")));
    let last = ["web V11<web V12<V11", "-V12 -V11<-V12 web<-V11"];
    assert_eq!(orders(&written([CONTRACT, CONTRACT], "")), last);
    assert_eq!(orders(&written(["", ""], &blocks(["contract", "contract"]))), last);
}
