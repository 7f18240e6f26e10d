//! What a recorder needs of a guard.

use super::Guard;
use crate::recorder::{Recorded, RecordedOptions, Recorder, RecorderOptions, Snapshot};
use crate::{Policy, Result};

impl Guard {
    /// A recorder for the steps of this guard; see [`Recorder`].
    ///
    /// # Errors
    /// [`crate::Error::Options`] for no or too many ticks.
    pub fn make_recorder(&mut self, options: &RecorderOptions) -> Result<Recorder> {
        Recorder::new(self, options)
    }

    /// Record into `recorder` from now on, whatever it held; back comes the one that was attached before.
    ///
    /// # Real-time
    /// As a step.
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
    /// As a step.
    pub fn detach(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }

    /// The recorder that is attached.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }
}

impl Recorded for Guard {
    fn slot(&mut self) -> &mut Option<Recorder> {
        &mut self.recorder
    }

    fn recorded_policy(&self) -> &Policy {
        &self.policy
    }

    fn recorded_options(&self) -> &RecordedOptions {
        &self.options
    }

    /// Every field by its name, so that a new one is not forgotten. The policy's own memory is nothing yet: no exported
    /// network has one. Buffers are written in a step before they are read.
    fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        let Self {
            clock,
            latch,
            last_stamp_ns,
            watch,
            commanded,
            policy: _,
            limits: _,
            options: _,
            recorder: _,
            state: _,
            aside: _,
            clamped: _,
            wanted: _,
            wanted_choice: _,
        } = self;
        clock.exchange(snapshot);
        latch.exchange(snapshot);
        snapshot.option(last_stamp_ns, Snapshot::u64);
        // Of a contract without a detector there is nothing, as in recordings of earlier versions.
        watch.iter_mut().for_each(|watch| watch.exchange(snapshot));
        commanded.exchange(snapshot);
    }
}
