//! What our own files say about themselves.

use serde::{Deserialize, Serialize};

use omiga_format::{Metric, ObsTransform, TaskSpec};

use crate::Result;

/// Name of the root attribute that holds the header's JSON.
pub(crate) const HEADER_KEY: &str = "omiga";

/// What the observations in a file went through before they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StoredObs {
    /// Nothing: values in the task's units.
    Raw,
    /// Each vector was standardised by its own mean and standard deviation (ddof 0), as in OMIGA's MuJoCo benchmark.
    Standardised {
        /// Was the agent's one-hot id appended before that?
        with_id: bool,
    },
}

impl StoredObs {
    /// The transform that takes raw observations to the stored ones.
    pub fn transform(self) -> ObsTransform {
        match self {
            Self::Raw => ObsTransform::None,
            Self::Standardised { with_id } => ObsTransform::Standardise { with_id },
        }
    }
}

/// The JSON in the root attribute `omiga`. h5py and the official loader do not need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Layout of this text, [`Header::SCHEMA`].
    pub schema: u32,
    /// The task: raw observations, physical actions. Continuous actions are stored in [-1, 1] all the same.
    pub task: TaskSpec,
    /// What the stored observations went through.
    pub stored_obs: StoredObs,
    /// What each episode is judged by beside its return: the columns of the key `metrics`. Nobody learns from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

impl Header {
    /// Version of the layout.
    pub const SCHEMA: u32 = 1;

    /// A header of this version, without metrics.
    pub fn new(task: TaskSpec, stored_obs: StoredObs) -> Self {
        Self { schema: Self::SCHEMA, task, stored_obs, metrics: Vec::new() }
    }

    /// The same with metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: &[Metric]) -> Self {
        Self { metrics: metrics.to_vec(), ..self }
    }

    /// Width of a stored observation.
    pub fn stored_obs_dim(&self) -> usize {
        self.stored_obs.transform().output_dim(self.task.obs_dim(), self.task.n_agents())
    }

    /// Parse the JSON found in `file`.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for another schema, wrong JSON, or a task that cannot be.
    pub fn parse(file: &str, json: &str) -> Result<Self> {
        /// Enough to tell a header of another version from a broken one.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let wrong = |e: serde_json::Error| omiga_format::Error::Json {
            file: file.to_owned(),
            part: "the root attribute `omiga`",
            reason: e.to_string(),
        };
        let found = serde_json::from_str::<Version>(json).map_err(wrong)?.schema;
        if found != Self::SCHEMA {
            let error = omiga_format::Error::Schema { file: file.to_owned(), expected: Self::SCHEMA, found };
            return Err(error.into());
        }
        let header: Self = serde_json::from_str(json).map_err(wrong)?;
        header.validate()?;
        Ok(header)
    }

    /// Check that task and metrics can be.
    ///
    /// # Errors
    /// [`omiga_format::Error::Spec`] names the first field that is wrong.
    pub fn validate(&self) -> Result<()> {
        self.task.validate()?;
        match Metric::fault(&self.metrics) {
            None => Ok(()),
            Some(found) => {
                let (task, expected) = (self.task.name.clone(), "unique printable names and printable units");
                let (field, expected) = ("list of metrics".to_owned(), expected.to_owned());
                Err(omiga_format::Error::Spec { task, field, expected, found }.into())
            }
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// [`omiga_format::Error::Json`] when a value cannot be written.
    pub fn to_json(&self) -> Result<String> {
        let wrong = |e: serde_json::Error| omiga_format::Error::Json {
            file: self.task.name.clone(),
            part: "the root attribute `omiga`",
            reason: e.to_string(),
        };
        Ok(serde_json::to_string(self).map_err(wrong)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omiga_format::ActionSpace;

    fn check(from: &str, to: &str, message: &str) {
        let task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
        let header = Header::new(task, StoredObs::Standardised { with_id: true });
        let json = header.to_json().unwrap();
        assert_eq!(Header::parse("x", &json).unwrap(), header);
        assert_eq!(header.stored_obs_dim(), 5);
        assert!(json.contains(from), "{json}");
        let error = Header::parse("x", &json.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn a_wrong_header_is_named() {
        check("\"schema\":1", "\"schema\":7", "schema 7, expected 1");
        check("\"schema\":1", "\"schema\":-7", "invalid JSON");
        check("\"stored_obs\"", "\"stored\"", "invalid JSON");
        check("\"pumps\"", "\"../x\"", "the task's name");
        check("with_id", "with_ids", "invalid JSON");
    }
}
