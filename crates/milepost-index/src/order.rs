//! Sorting what is nearly in order already.
//!
//! Invariant: sorts whatever it is given; only how long it takes depends on the order that is there.

/// Places that an item is moved on the average before a sort that knows nothing of order is quicker.
const MOVES_PER_ITEM: usize = 16;

/// Sorts items by a number of each. Items that are a few places from where they belong, as those of a batch that came
/// in the order of directories, cost a few steps each; others what any sort costs.
pub fn sort_nearly<T: Copy>(items: &mut [T], number: impl Fn(&T) -> u128) {
    let mut moves_left = items.len().saturating_mul(MOVES_PER_ITEM);
    for index in 1..items.len() {
        let (item, mut at) = (items[index], index);
        let own = number(&item);
        while at > 0 && number(&items[at - 1]) > own {
            if moves_left == 0 {
                items[at] = item;
                items.sort_unstable_by_key(number);
                return;
            }
            moves_left -= 1;
            items[at] = items[at - 1];
            at -= 1;
        }
        items[at] = item;
    }
}

#[cfg(test)]
mod tests;
