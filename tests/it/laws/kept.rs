//! Cases that were found once, small.

use super::case::Case;
use super::generate::Spec;
use super::place::{Deed, End, Place, Process, Way, runtime};

#[track_caller]
fn kept(text: &str) {
    let case: Case = text.parse().unwrap();
    if let Some(why) = case.failure() {
        panic!("{case}: {why}");
    }
}

#[test]
fn an_apply_from_nothing_that_dies_before_its_first_record() {
    kept("apply 0t0 | begin@0x1 resumex1");
    kept("apply 0t0 | begin@0x1 backx1");
}

/// The way back to before there was a database left it recorded with no migrations, to be forgotten by the next plan.
#[test]
fn a_database_that_was_not_there_then_is_not_recorded() {
    kept("apply 1s0 ; apply 1s0!=1 4s3>1=1 m1 | beginx1 back@31x1 resume@20x1 backx1");
    kept("apply 1s0 ; apply 1s0 m1 ; back 1 | beginx1 backx1");
    kept("apply 1s0 ; apply 1s0 m1 ; back 1 ; back 2 ; back 3 | beginx1 resumex1");
}

/// A destroy that had deleted the current revision forgot the earlier one, which was still there.
#[test]
fn earlier_things_go_before_the_current_one() {
    kept("apply 2r0 ; apply 2r0=1 ; destroy | begin@0x1 resume@10x1 resume@8x1");
    kept("apply 2r0 ; apply 2r0=1 ; destroy | begin@13x1 backx1");
}

/// A way back that took over an unfinished run and was refused before its first effect of its own was over: nothing was
/// unfinished then, and yet nothing was whole.
#[test]
fn a_way_back_that_took_over_stays_unfinished() {
    kept(
        "apply 0t0 1t4>0! 2s3>1 3s0 ; apply 1t11=1 3s11>1 4t0>3!=2 5s4>4!=2 m3@1 ; back 1 | begin@36x4 back+592871x1 resumex1",
    );
    kept(
        "apply 0t0 1t4>0! 2s3>1 3s0 m1 ; apply 3s11 4t0>3!=2 5s4>4!=2 m3 ; back 1 | begin@36x4 back+592871x1 resumex1",
    );
}

/// A run was cut between making the new thing and removing the old one; no later plan removed that.
#[test]
fn what_a_cut_run_left_beside_a_thing_goes_with_the_next_plan() {
    runtime().block_on(async {
        let place = Place::new();
        let specs = ["0t0! 1t1>0", "0t0!=1 1t1>0", "0t0!=2 1t1>0"].map(|text| text.parse::<Spec>().unwrap());
        let [first, second, third] = specs.map(Deed::Apply);
        place.reach(&first).await.unwrap();
        place.reach(&second).await.unwrap();
        let cut = Process { most: Some(1), ..Process::plain(Way::Begin) };
        assert!(matches!(place.live(cut, &third, 0).await, End::Short(_)));
        let Deed::Apply(first) = first else { panic!("an apply") };
        assert_eq!(place.live(Process::plain(Way::Back), &third, 1).await, End::Whole);
        place.is_whole(&place.agree().await.unwrap(), Some(&first)).await.unwrap();
    });
}
