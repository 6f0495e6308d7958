//! Prediction against observation, statement by statement.

use switchback::migration::observation::Observation;
use switchback::migration::predict::predict;

use super::bench::Bench;
use super::case;

/// Statements whose prediction may differ from what is observed, and why. At most five.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Runs all cases; gives the version, how many agreed, and the disagreements.
pub async fn compare(url: &str) -> (u32, usize, Vec<String>) {
    let mut bench = Bench::new(url).await;
    let version = bench.version;
    let mut wrong = Vec::new();
    let mut right = 0;
    for case in case::all().into_iter().filter(|case| case.versions.contains(&version)) {
        let (observed, catalog) = bench.observe(&case).await;
        let predicted = predict(&case::statement_of(&bench.sql(&case)), 1, &catalog, version);
        let said = match (observed, predicted) {
            (Err(error), Err(_)) if case.refused && error.starts_with("Statement") => None,
            (Ok(observed), Ok(predicted)) if !case.refused && observed == predicted => None,
            (Ok(observed), Ok(predicted)) => Some((shown(&observed), shown(&predicted))),
            (Ok(observed), Err(why)) => Some((shown(&observed), why.to_string())),
            (Err(error), Ok(predicted)) => Some((error, shown(&predicted))),
            (Err(error), Err(why)) => Some((error, why.to_string())),
        };
        match said {
            None => right += 1,
            Some((observed, predicted)) => {
                wrong.push(format!("{}\n   observed  {observed}\n   predicted {predicted}", case.label()));
            }
        }
    }
    bench.end().await;
    (version, right, wrong)
}

fn shown(found: &Observation) -> String {
    let locks: Vec<String> = found.locks.iter().map(|(name, mode)| format!("{name} {}", mode.sql_name())).collect();
    format!(
        "{} | rewrites {:?} | scans {:?} | builds {:?} | outside {}",
        locks.join(", "),
        found.rewrites,
        found.scans,
        found.builds,
        found.outside
    )
}

/// Every disagreement is one of the exceptions.
#[track_caller]
pub fn assert_agreement((version, right, wrong): &(u32, usize, Vec<String>)) {
    let is_excepted = |wrong: &String| EXCEPTIONS.iter().any(|(label, _)| wrong.starts_with(label));
    let unexplained: Vec<&str> = wrong.iter().filter(|wrong| !is_excepted(wrong)).map(String::as_str).collect();
    assert!(
        unexplained.is_empty(),
        "{} of {} statements differ on PostgreSQL {version}:\n{}",
        unexplained.len(),
        right + wrong.len(),
        unexplained.join("\n")
    );
    assert!(*right >= 340, "only {right} statements were compared on PostgreSQL {version}");
}

#[test]
fn the_list_of_exceptions_is_short_and_says_why() {
    assert!(EXCEPTIONS.len() <= 5 && EXCEPTIONS.iter().all(|(_, why)| !why.is_empty()));
    let labels: Vec<String> = case::all().iter().map(case::Case::label).collect();
    assert!(EXCEPTIONS.iter().all(|(label, _)| labels.iter().any(|known| known == label)));
}
