# What CI runs, a stage at a time: see `.ci/run`.

# Everything.
ci:
    .ci/run

# Formatting, lints, rules of the house.
check:
    .ci/run fmt
    .ci/run clippy
    .ci/run tidy

# All tests, documentation tests among them.
test:
    .ci/run test

# Crashes and faults from a seed, until one is found or the time is over.
sim seed="0" seconds="60":
    cargo run --release -p milepost-sim -- --seed {{seed}} --seconds {{seconds}}

# One fuzz target, with a nightly toolchain and cargo-fuzz.
fuzz target seconds="60":
    cd fuzz && cargo +nightly fuzz run {{target}} seeds/{{target}} -- -max_total_time={{seconds}}

# The figures of the README, each beside the bare loop and the sync time of the same run.
bench *options:
    cargo build --release && cargo run --release -p milepost-bench -- {{options}}

# Instructions of the hot operations beside those on record; `just counts --update` puts them there.
counts *options:
    cargo run --release -p milepost-counts -- {{options}}

# The documentation of all crates.
docs:
    .ci/run docs
