//! Ways back into the middle of a group: each is refused, and the refusal names the group and both ends that are possible.

use super::bad::is_told;
use super::*;

const MIDDLE: &str = "the way back would end in the middle of a group of migrations";

#[test]
fn a_rollback_into_the_middle_of_a_group_is_refused() {
    let now = things("web:2", "10 11/mail 12/mail 13/mail 14", &[]);
    let parts = [
        MIDDLE,
        "`database.app`: group `mail` is taken back as one, and this would take back V12__m12, V13__m13 and leave V11__m11",
        "two ends are possible: at V10__m10, without the group, or at V13__m13, with all of it",
    ];
    for depth in [Depth::AsNeeded, Depth::WithSchema] {
        is_told(&back(&now, &things("web:1", "10 11/mail", &[]), depth), &parts);
    }
    // Both of them are.
    let (below, above) = (things("web:1", "10", &[]), things("web:1", "10 11/mail 12/mail 13/mail", &[]));
    let below = order(back(&now, &below, Depth::WithSchema));
    assert_eq!(below, "-V14 -V13<-V14 -V12<-V13 -V11<-V12 web<-V11");
    assert_eq!(order(back(&now, &above, Depth::WithSchema)), "-V14 web<-V14");
    let from_nothing = back(&things("web:2", "1/all 2/all", &[]), &things("web:1", "1/all", &[]), Depth::WithSchema);
    is_told(&from_nothing, &[MIDDLE, "possible: before the first migration, without the group, or at V2__m2"]);
}

#[test]
fn a_folder_that_ends_in_the_middle_of_a_group_is_refused() {
    let now = things("web:1", "10 11/mail 12/mail", &[]);
    is_told(&forward(&now, "web:1", "10 11/mail"), &[MIDDLE, "group `mail`", "at V10__m10"]);
    assert_eq!(order(forward(&now, "web:1", "10")), "-V12 -V11<-V12");
}

#[test]
fn only_neighbours_are_a_group() {
    let now = things("web:1", "10/mail 11 12/mail", &[]);
    assert_eq!(order(forward(&now, "web:1", "10/mail 11")), "-V12", "it was rehearsed alone, too");
    let now = things("web:1", "10/a 11/b", &[]);
    assert_eq!(order(forward(&now, "web:1", "10/a")), "-V11");
}

/// How far a way back leaves the schema is for it to choose: it chooses no middle of a group.
#[test]
fn what_a_way_back_leaves_ends_outside_of_groups() {
    let then = things("web:1@10-12", "10", &[]);
    let now = things("web:2@11-", "10 11 12/mail 13/mail", &[]);
    assert_eq!(order(back(&now, &then, Depth::AsNeeded)), "-V13 web<-V13 -V12<-V13,web", "V12 would do, but not alone");
    let now = things("web:2@11-", "10 11/mail 12/mail 13", &[]);
    assert_eq!(order(back(&now, &then, Depth::AsNeeded)), "-V13 web<-V13", "here the group stays whole");
}
