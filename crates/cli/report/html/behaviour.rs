//! What policies do where the data is: their actions on recorded observations, beside the recorded ones.

use anyhow::Result;
use omiga_dataset::{Dataset, HostBatch};
use omiga_format::Range;
use omiga_runtime::Team;

use super::policies::Deployable;
use crate::figure::{Histogram, histograms};
use crate::report::cell::Cell;
use crate::web::Figures;

/// Transitions looked at, spread over the whole file.
const ROWS: usize = 2000;

/// A panel an agent and command.
pub fn actions(cell: &Cell, data: &Dataset, policies: &mut [Deployable], figures: &mut Figures) -> Result<String> {
    let rows: Vec<usize> = (0..data.len()).step_by(data.len().div_ceil(ROWS).max(1)).collect();
    let mut panels = panels(data, &rows)?;
    for Deployable { name, team, .. } in policies {
        let acted = act(data, &rows, team)?;
        panels.iter_mut().zip(acted).for_each(|(panel, values)| panel.values.push((name.clone(), values)));
    }
    let mut text = format!("\n### Actions\n\nOf each agent on {} observations of the data.\n", rows.len());
    let figure = format!("{}-{}-actions", cell.task, cell.quality);
    text += &format!("\n![Actions of the data and of the policies]({figure})\n");
    figures.insert(figure, histograms(&panels)?);
    Ok(text)
}

/// What was recorded, in physical units or as an index.
fn panels(data: &Dataset, rows: &[usize]) -> Result<Vec<Histogram>> {
    let mut batch = HostBatch::new(data, 1);
    let agents = &data.task().agents;
    let mut panels: Vec<Histogram> = agents.iter().flat_map(Histogram::of_actions).collect();
    let ranges: Vec<Range> = agents.iter().flat_map(|agent| agent.action.ranges()).collect();
    for row in rows {
        batch.set(0, data, *row)?;
        let commands = batch.actions.iter().zip(&ranges).map(|(action, range)| range.physical(*action).into());
        let choices = batch.action_indices.iter().map(|index| (*index).into());
        // One of the two is empty.
        panels.iter_mut().zip(commands.chain(choices)).for_each(|(panel, value)| panel.values[0].1.push(value));
    }
    Ok(panels)
}

/// What a team does, panel by panel.
fn act(data: &Dataset, rows: &[usize], team: &mut Team) -> Result<Vec<Vec<f64>>> {
    let (agents, width, choices) = (data.n_agents(), data.task().obs_dim(), data.action_dim());
    let (mut obs, mut mask) = (vec![0.0; agents * width], vec![true; agents * choices]);
    let (mut commands, mut indices) = (vec![0.0; agents * choices], vec![0; agents]);
    let mut acted = vec![Vec::with_capacity(rows.len()); if data.is_discrete() { agents } else { agents * choices }];
    for transition in rows {
        let row = data.row_of(*transition);
        for (agent, obs) in obs.chunks_mut(width).enumerate() {
            data.raw_obs(row, agent, obs)?;
            if let Some(available) = data.action_mask(row, agent)? {
                let mask = &mut mask[agent * choices..(agent + 1) * choices];
                mask.iter_mut().zip(available).for_each(|(mask, byte)| *mask = byte != 0);
            }
        }
        if data.is_discrete() {
            team.choose(&obs, &mask, &mut indices)?;
            acted.iter_mut().zip(&indices).for_each(|(values, index)| values.push(*index as f64));
        } else {
            team.step(&obs, &mut commands)?;
            acted.iter_mut().zip(&commands).for_each(|(values, command)| values.push(f64::from(*command)));
        }
    }
    Ok(acted)
}
