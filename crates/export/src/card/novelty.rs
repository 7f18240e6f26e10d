//! What a card says of unusual observations.

use std::fmt;

use omiga_format::{CheckpointMeta, NoveltyOrigin};

use super::code;

pub(super) fn novelty(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta) -> fmt::Result {
    let Some(team) = &meta.novelty else { return Ok(()) };
    writeln!(card, "## Unusual observations\n")?;
    if !matches!(team.origin, NoveltyOrigin::Calibrated { .. }) {
        return writeln!(card, "Detectors: {}.\n", team.origin);
    }
    writeln!(
        card,
        "A guard reports observations that are unlike those of the training data (`OBS_NOVEL`): a raw field outside of its \
         usual range, or fields that do not go together (Mahalanobis distance, shrunk covariance). It acts on that only if \
         told to.\n"
    )?;
    writeln!(
        card,
        "Calibrated on {}: {}. **These episodes were recorded without this policy in the loop**: where it \
         leads the task elsewhere there are more alarms. Count them in your own runs before one is made a fault.\n",
        code(&meta.dataset.file),
        team.origin
    )?;
    writeln!(card, "| agent | quantiles widened by | fields compared | shrinkage | largest usual distance |")?;
    writeln!(card, "|---|---:|---:|---:|---:|")?;
    for (agent, novelty) in meta.task.agents.iter().zip(&team.agents) {
        write!(card, "| {} | {:.0} % ", code(&agent.name), novelty.widening * 100.0)?;
        match &novelty.mahalanobis {
            Some(d) => writeln!(
                card,
                "| {} of {} | {:.4} | {:.2} |",
                d.fields.len(),
                agent.obs.len(),
                d.shrinkage,
                d.threshold
            )?,
            None => writeln!(card, "| none of {} | | |", agent.obs.len())?,
        }
    }
    writeln!(card)
}
