use super::*;

#[test]
fn a_budget_gives_no_more_than_its_rate_and_what_was_saved() {
    let budget = Budget::new(60 << 20);
    let began = Instant::now();
    let (mut given, mut now) = (0, began + Duration::from_secs(600));
    // Ten minutes of nothing save half a minute; then somebody takes all that there is for a minute.
    while now < began + Duration::from_secs(660) {
        given += 1 << 16;
        now += budget.take_at(1 << 16, now).max(Duration::from_micros(10));
    }
    let mebibytes = given >> 20;
    assert!((89..=92).contains(&mebibytes), "{mebibytes} MiB in a minute");
}

#[test]
fn turns_take_turns() {
    let turns: Vec<_> = (0..6).map(|second| is_fast_turn(Duration::from_secs(second), 2000)).collect();
    assert_eq!(turns, [false, false, true, true, false, false]);
}
