//! Moments of an episode side by side: who is where, in which health, and who shoots at whom.

use anyhow::Result;
use omiga_env::{Disc, Scene, Side, View};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, COLOURS, FONT, refused};

/// Panels in a row.
const COLUMNS: usize = 4;
/// Moments that are shown, in three rows.
const MOST: usize = 12;
/// Pixels above a panel, for its name, and around it.
const NAME: u32 = 18;
const MARGIN: u32 = 4;
/// Discs smaller than this, in pixels, have no text.
const LEGIBLE: f64 = 5.0;
/// White that is a text's: pages in dark take pure white for paper.
const LIGHT: RGBColor = RGBColor(254, 254, 254);
/// Corners of a whole ring.
const CORNERS: u32 = 48;

/// What is seen of each scene. Where all see equally much they are as they are, a moving one too; else every one is what they see
/// together, so that nothing seems to grow.
pub fn views(scenes: &[Scene]) -> Vec<View> {
    let Some(first) = scenes.first() else { return Vec::new() };
    let alike = |a: [f32; 2], b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3 * b.abs());
    if scenes.iter().all(|scene| alike(scene.view.size(), first.view.size())) {
        return scenes.iter().map(|scene| scene.view).collect();
    }
    vec![scenes.iter().fold(first.view, |all, scene| all.and(&scene.view)); scenes.len()]
}

/// Pixels that the moments of an episode need in height, on an area of this width.
pub fn height(scenes: &[Scene], width: u32) -> u32 {
    let Some(view) = views(scenes).first().copied() else { return 0 };
    let rows = shown(scenes.len()).len().div_ceil(COLUMNS) as u32;
    rows * (panel(view, width) + NAME + 2 * MARGIN)
}

/// Height of one panel without its name.
fn panel(view: View, width: u32) -> u32 {
    let [w, h] = view.size();
    let inner = f64::from(width / COLUMNS as u32 - 2 * MARGIN);
    (inner * f64::from(h / w)).round() as u32
}

/// The scenes that are shown, evenly from the first to the last.
fn shown(scenes: usize) -> Vec<usize> {
    let n = scenes.min(MOST);
    (0..n).map(|i| if n > 1 { i * (scenes - 1) / (n - 1) } else { 0 }).collect()
}

/// Draw them, each under its time.
///
/// # Errors
/// What the drawing library refuses.
pub fn draw(area: &Area<'_>, scenes: &[Scene], (period, unit): (f64, &str)) -> Result<()> {
    let (views, shown) = (views(scenes), shown(scenes.len()));
    let panels = area.split_evenly((shown.len().div_ceil(COLUMNS), COLUMNS));
    for (panel, step) in panels.iter().zip(shown) {
        let (name, field) = panel.margin(MARGIN, MARGIN, MARGIN, MARGIN).split_vertically(NAME);
        let time = if unit == "s" { format!("{:.2} s", step as f64 * period) } else { format!("step {step}") };
        name.draw(&Text::new(time, (0, 2), (FONT, 12))).map_err(refused)?;
        scene(&field, &scenes[step], views[step])?;
    }
    Ok(())
}

fn scene(area: &Area<'_>, scene: &Scene, view: View) -> Result<()> {
    let (size, [w, h]) = (area.dim_in_pixel(), view.size());
    let scale = (f64::from(size.0) / f64::from(w)).min(f64::from(size.1) / f64::from(h));
    let pixel = |[x, y]: [f32; 2]| {
        let (right, down) = (f64::from(x - view.low[0]) * scale, f64::from(view.high[1] - y) * scale);
        (right.round() as i32, down.round() as i32)
    };
    let frame = Rectangle::new([(0, 0), (size.0 as i32 - 1, size.1 as i32 - 1)], BLACK.mix(0.2));
    area.draw(&frame).map_err(refused)?;
    for line in &scene.lines {
        let pen = colour(line.side).stroke_width((f64::from(line.width) * scale).round().max(1.0) as u32);
        area.draw(&PathElement::new([pixel(line.from), pixel(line.to)], pen)).map_err(refused)?;
    }
    scene.discs.iter().try_for_each(|one| disc(area, one, pixel(one.at), f64::from(one.radius) * scale))
}

/// A disc; with health a ring as long as what is left of it.
fn disc(area: &Area<'_>, disc: &Disc, (x, y): (i32, i32), radius: f64) -> Result<()> {
    let colour = colour(disc.side);
    let fill = match (disc.side, disc.health) {
        (Side::World, _) => colour.stroke_width(2),
        (_, None) => colour.filled(),
        (_, Some(health)) if health <= 0.0 => colour.mix(0.3).stroke_width(1),
        (_, Some(_)) => colour.mix(0.3).filled(),
    };
    area.draw(&Circle::new((x, y), radius.max(2.0), fill)).map_err(refused)?;
    if let Some(health) = disc.health.filter(|health| *health > 0.0) {
        let corner = |i: u32| {
            let angle = std::f64::consts::TAU * f64::from(health) * f64::from(i) / f64::from(CORNERS);
            let (right, up) = (radius * angle.sin(), radius * angle.cos());
            (x + right.round() as i32, y - up.round() as i32)
        };
        let ring: Vec<_> = (0..=CORNERS).map(corner).collect();
        area.draw(&PathElement::new(ring, colour.stroke_width(2))).map_err(refused)?;
    }
    let is_out = disc.health.is_some_and(|health| health <= 0.0);
    if disc.label.is_empty() || is_out || radius < LEGIBLE {
        return Ok(());
    }
    let ink = if disc.health.is_some() { BLACK } else { LIGHT };
    let style = (FONT, radius * 1.1).into_font().color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new(disc.label.clone(), (x, y), style)).map_err(refused)
}

fn colour(side: Side) -> RGBColor {
    match side {
        Side::Team => COLOURS[0],
        Side::Opponent => COLOURS[1],
        Side::World => RGBColor(110, 118, 129),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spread_over_the_episode() {
        assert_eq!(shown(26), [0, 2, 4, 6, 9, 11, 13, 15, 18, 20, 22, 25]);
        assert_eq!((shown(0), shown(1), shown(3)), (vec![], vec![0], vec![0, 1, 2]));
    }

    #[test]
    fn a_view_may_move_but_not_grow() {
        let at = |x: f32, size: f32| Scene { view: View::around([x, 0.0], [size, 1.0]), ..Scene::default() };
        let moving = [at(0.0, 2.0), at(5.0, 2.0)];
        assert_eq!(views(&moving), [moving[0].view, moving[1].view]);
        let growing = [at(0.0, 2.0), at(1.0, 4.0)];
        assert_eq!(views(&growing), [View { low: [-3.0, -1.0], high: [5.0, 1.0] }; 2]);
        assert!(views(&[]).is_empty() && height(&[], 900) == 0);
    }
}
