//! Runs the models.

/// FAULTS F5, the look-up tables of the memtable. With two numbers more the table grows once, with three the last one
/// goes into the table that has grown.
#[test]
fn readers_of_slots_while_they_grow() {
    milepost_models::a_reader_while_the_table_grows(2);
    milepost_models::a_reader_while_the_table_grows(3);
}
