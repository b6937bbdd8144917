//! The pages of `docs/guide`: their code compiles and runs.

/// Where did I leave off.
#[doc = include_str!("../../../docs/guide/watermark.md")]
pub struct Watermark;

/// A job was started elsewhere; find it again.
#[doc = include_str!("../../../docs/guide/job.md")]
pub struct Job;

/// Run once, replay the result ever after.
#[doc = include_str!("../../../docs/guide/step.md")]
pub struct Step;

/// Which of my many items are done.
#[doc = include_str!("../../../docs/guide/progress.md")]
pub struct Progress;

/// What of the past is kept.
#[doc = include_str!("../../../docs/guide/retention.md")]
pub struct Retention;
