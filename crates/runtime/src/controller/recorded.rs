//! What a recorder needs of a controller.

use super::Controller;
use crate::recorder::{Recorded, RecordedOptions, Recorder, RecorderOptions, Snapshot};
use crate::{Policy, Result};

impl Controller {
    /// A recorder for the ticks of this controller; see [`Recorder`].
    ///
    /// # Errors
    /// [`crate::Error::Options`] for no or too many ticks.
    pub fn make_recorder(&mut self, options: &RecorderOptions) -> Result<Recorder> {
        Recorder::new(self, options)
    }

    /// Record into `recorder` from now on, whatever it held; back comes the one that was attached before.
    ///
    /// # Real-time
    /// As a tick.
    ///
    /// # Errors
    /// [`crate::Error::OtherRecorder`] if it is for another policy, or for other options.
    pub fn attach(&mut self, recorder: Recorder) -> Result<Option<Recorder>> {
        let recorder = recorder.fresh_for(self)?;
        Ok(self.recorder.replace(recorder))
    }

    /// Record no more; back comes what was recorded.
    ///
    /// # Real-time
    /// As a tick.
    pub fn detach(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }

    /// The recorder that is attached.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }
}

impl Recorded for Controller {
    fn slot(&mut self) -> &mut Option<Recorder> {
        &mut self.recorder
    }

    fn recorded_policy(&self) -> &Policy {
        self.policy()
    }

    fn recorded_options(&self) -> &RecordedOptions {
        &self.options
    }

    /// Every field by its name, so that a new one is not forgotten. The statistics are left out: no tick depends on them.
    fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        let Self { guard, schedule, intermediate: _, fault_between: _, counts: _, options: _, recorder: _ } = self;
        guard.exchange(snapshot);
        snapshot.option(&mut schedule.at, |snapshot, at| at.exchange(snapshot));
    }
}
