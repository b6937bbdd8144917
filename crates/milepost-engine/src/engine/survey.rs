//! What compaction would make of each segment, for whoever asks. Nothing is changed.

use milepost_log::{Form, SegmentId};

use super::{Engine, compact::SURVEY_VERSIONS};
use crate::{
    ReadError,
    compaction::{ColdFrom, SegmentFate, SegmentSurvey, Survey, Task, Worth, plan},
    retention::Rules,
};

impl Engine {
    /// What [`Engine::compact`] would make of each segment now. Nothing is changed. `progress` is told how many
    /// versions were looked at, and about how many there are.
    pub fn survey(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<SegmentSurvey>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let tiers = shared.state.pin();
        let versions = tiers.sizes().versions;
        let rules = Rules::read(&tiers, &**shared, shared.published())?;
        let horizons = shared.next_horizons(&rules, self.last(), shared.now())?;
        let segments = shared.reader.segment_stats();
        let cold = ColdFrom::by(&rules, shared.now());
        let mut survey = Survey::new(tiers, &segments, cold).with_horizons(horizons);
        while survey.step(shared, SURVEY_VERSIONS)? {
            progress(survey.seen().min(versions), versions);
        }
        progress(versions, versions);
        let segment_bytes = u64::from(shared.settings.segment_bytes);
        let by_hand = plan(survey.tallies(), Worth::Anything, segment_bytes);
        let by_itself = plan(survey.tallies(), Worth::AThird, segment_bytes);
        let told = segments.into_iter().map(|segment| {
            let id = segment.name.id;
            let tally = survey.tallies().iter().find(|tally| tally.id == id);
            let (stays, goes) = tally.map_or((0, 0), |tally| (tally.stays, tally.goes));
            SegmentSurvey { stays, goes, fate: fate(&by_hand, id), by_itself: fate(&by_itself, id), segment }
        });
        Ok(told.collect())
    }
}

fn fate(tasks: &[Task], id: SegmentId) -> SegmentFate {
    match tasks.iter().find(|task| task.ids().contains(&id)) {
        None => SegmentFate::Stays,
        Some(Task::Rewrite(_, Form::Compressed)) => SegmentFate::Cold,
        Some(Task::Rewrite(_, Form::Raw)) => SegmentFate::Rewritten,
        Some(Task::Drop(_)) => SegmentFate::Dropped,
    }
}
