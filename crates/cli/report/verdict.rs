//! The section "Beyond chance" of the page.

use omiga_env::statistics::mean;

use super::beyond::{Beyond, Comparison, Finding, Ratio};
use super::cell::{Cell, Measure};
use super::page::sorted;
use super::tables::{dagger, decimals, interval, markdown, signed};
use super::tuned::Tuned;

/// What differs from the baseline beyond chance: in a sentence, algorithm by algorithm, and in a table of all comparisons.
pub fn beyond_chance(beyond: &Beyond<'_>, tuned: &Tuned) -> String {
    let names = sorted(beyond.comparisons.iter().map(|c| c.algorithm.name.as_str()));
    let each: String = names.iter().map(|name| format!("- {}\n", of_algorithm(beyond, name))).collect();
    let missing = match beyond.missing {
        0 => String::new(),
        n => format!("\nNot compared, for want of evaluations in training: {n}.\n"),
    };
    format!("{}\n\n{each}\n{}\n{}{missing}{}", sentence(beyond), how(beyond), table(beyond), notes(tuned))
}

/// The whole page in a sentence.
fn sentence(beyond: &Beyond<'_>) -> String {
    let (all, baseline) = (beyond.comparisons.iter().collect::<Vec<_>>(), beyond.baseline);
    if beyond.tests() == 0 {
        return format!(
            "**Nothing can be said beyond these runs**: of no comparison with {baseline} both sides have two seeds that differ. The \
             differences below are those of these runs, in these episodes."
        );
    }
    let count = |of: &[&Comparison<'_>]| {
        let (above, below) = (number(of, Finding::Above), number(of, Finding::Below));
        format!("{} above {baseline} beyond chance, {} below", is_or_are(above), is_or_are(below))
    };
    let untuned: Vec<_> = all.iter().copied().filter(|c| !c.tuned).collect();
    let without = match all.len() - untuned.len() {
        0 => String::new(),
        n => format!(
            " Without the {n} on data that one of the two was tuned on (†): of {}, {}.",
            untuned.len(),
            count(&untuned)
        ),
    };
    let no_test = match number(&all, Finding::NoTest) {
        0 => String::new(),
        n => format!(" Of {n} nothing can be said beyond these runs: they lack a second seed, or seeds that differ."),
    };
    format!("**Of {}, {}.{without}**{no_test}", comparisons(all.len()), count(&all))
}

/// One algorithm in a sentence or two.
fn of_algorithm(beyond: &Beyond<'_>, name: &str) -> String {
    let all = beyond.of_algorithm(name);
    let (tuned, others): (Vec<_>, Vec<_>) = all.iter().copied().partition(|c| c.tuned);
    let on = |of: &[&Comparison<'_>], finding| {
        let named = of.iter().filter(|c| c.finding() == finding).map(|c| data(c.cell)).collect::<Vec<_>>();
        if named.is_empty() { "none".to_owned() } else { format!("{} ({})", named.len(), named.join(", ")) }
    };
    let found =
        |of: &[&Comparison<'_>]| format!("above on {}, below on {}", on(of, Finding::Above), on(of, Finding::Below));
    let mut text = match (others.len(), tuned.len()) {
        (0, n) => format!("{name}, † on all {n}: {}.", found(&tuned)),
        (n, 0) => format!("{name}, of {}: {}.", datasets(n), found(&others)),
        (n, more) => format!("{name}, of {}: {}. † on {more} more: {}.", datasets(n), found(&others), found(&tuned)),
    };
    let Some(ratio) = Ratio::of(&all) else { return text };
    let baseline = beyond.baseline;
    text += &format!(" Its return is {} that of {baseline}, mean over {}", times(&ratio), datasets(ratio.datasets));
    let untuned = Ratio::of(&others).filter(|_| !tuned.is_empty());
    text += &untuned.map_or(String::new(), |r| format!("; without †: {} over {}", times(&r), r.datasets));
    text + "."
}

/// How the verdicts come about.
fn how(beyond: &Beyond<'_>) -> String {
    let compared = match beyond.measure {
        Measure::LastCheckpoint => "last checkpoints",
        Measure::LastEvaluations => "last evaluations in training",
    };
    format!(
        "Compared are the mean returns of the runs' {compared}. p is Welch's t test over runs (training seeds), in \"p, Holm\" corrected \
         for all tests of this page ({}); a verdict is one below 0.05 there. So of twenty pages without any difference one has a \
         verdict, if that many. Brackets: 95 % interval of the difference, not corrected; with one seed (`*`) over the same episodes \
         alone, for information. P(better): that a run is better than one of {}. Ratios count where {}'s return is above 0; their \
         interval is over seeds alone.\n",
        beyond.tests(),
        beyond.baseline,
        beyond.baseline,
    )
}

fn table(beyond: &Beyond<'_>) -> String {
    let head =
        ["data", "algorithm", "seeds", "return", beyond.baseline, "difference", "P(better)", "p", "p, Holm", "verdict"];
    let row = |c: &Comparison<'_>| {
        let places = decimals(&[c.cell]);
        let [ours, theirs] = &c.runs;
        let value = |runs: &[f64]| format!("{:.places$}", mean(runs));
        let p = |p: Option<f64>| {
            p.map_or(String::new(), |p| if p < 1e-4 { "<0.0001".to_owned() } else { format!("{p:.4}") })
        };
        let seeds = if ours.len() == theirs.len() {
            ours.len().to_string()
        } else {
            format!("{} and {}", ours.len(), theirs.len())
        };
        vec![
            data(c.cell),
            format!("{}{}", c.algorithm.name, dagger(c.tuned)),
            seeds,
            value(ours),
            value(theirs),
            signed(c.difference, places),
            format!("{:.2}", c.better),
            p(c.p),
            p(c.adjusted),
            word(c.finding()).to_owned(),
        ]
    };
    markdown(&head.map(str::to_owned), beyond.comparisons.iter().map(row).collect())
}

/// What was tuned on what, as it was said.
fn notes(tuned: &Tuned) -> String {
    if tuned.is_empty() {
        return "\nOf no algorithm it was said that it was tuned on one of these datasets.\n".to_owned();
    }
    let each = tuned.iter().map(|(name, on)| format!("{name} on {}", on.join(", ")));
    format!("\n† Tuned, as was said: {}.\n", each.collect::<Vec<_>>().join("; "))
}

fn data(cell: &Cell) -> String {
    format!("{} {}", cell.task, cell.quality)
}

fn number(of: &[&Comparison<'_>], finding: Finding) -> usize {
    of.iter().filter(|c| c.finding() == finding).count()
}

fn is_or_are(n: usize) -> String {
    match n {
        0 => "none is".to_owned(),
        1 => "1 is".to_owned(),
        n => format!("{n} are"),
    }
}

fn comparisons(n: usize) -> String {
    format!("{n} comparison{}", if n == 1 { "" } else { "s" })
}

fn datasets(n: usize) -> String {
    format!("{n} dataset{}", if n == 1 { "" } else { "s" })
}

fn times(ratio: &Ratio) -> String {
    format!("{:.2} times{}", ratio.mean, interval(ratio.ci95, 2))
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Above => "**above**",
        Finding::Below => "**below**",
        Finding::NotToldApart => "not told apart",
        Finding::NoTest => "none: these runs only",
    }
}
