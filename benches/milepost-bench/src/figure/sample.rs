//! [`Sample`]: what one round gives, and medians over rounds.

use crate::load::Load;

/// Latencies of one act, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

/// One number, and the latencies that go with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) latency: Option<Latency>,
}

impl Sample {
    /// A number alone.
    pub(crate) fn value(value: f64) -> Sample {
        Sample { value, latency: None }
    }

    /// The rate of a load whose every act counts for `events`, and its latencies.
    pub(crate) fn of_load(load: &Load, events: u64) -> Sample {
        let latency =
            Latency { p50_us: load.latency_us(0.5), p99_us: load.latency_us(0.99), p999_us: load.latency_us(0.999) };
        Sample { value: load.rate() * events as f64, latency: Some(latency) }
    }

    /// The medians, number by number.
    pub(crate) fn median(samples: &[Sample]) -> Sample {
        let of = |number: fn(&Latency) -> f64| {
            median(samples.iter().filter_map(|sample| sample.latency.as_ref().map(number)).collect())
        };
        let latency = samples.iter().all(|sample| sample.latency.is_some()).then(|| Latency {
            p50_us: of(|latency| latency.p50_us),
            p99_us: of(|latency| latency.p99_us),
            p999_us: of(|latency| latency.p999_us),
        });
        Sample { value: median(samples.iter().map(|sample| sample.value).collect()), latency }
    }
}

/// The middle one; of an even count the mean of the two in the middle.
///
/// # Panics
///
/// If there is none: a figure always runs at least one round.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    assert!(!numbers.is_empty(), "a median needs at least one number");
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}
