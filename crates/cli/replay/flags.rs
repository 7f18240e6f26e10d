//! When each flag was set.

use omiga_runtime::Flags;

use super::Flight;

/// A flag that was set at least once.
pub struct FlagRow {
    pub flag: Flags,
    pub name: String,
    /// The places of the calls at which it was, in order.
    pub places: Vec<usize>,
}

/// Faults first, each in the order of its bit. That a tick was between two periods says nothing and is left out.
pub fn rows(flight: &Flight) -> Vec<FlagRow> {
    let row = |(name, flag): (&str, Flags)| {
        let places = flight.statuses().filter(|(_, status)| status.flags.contains(flag)).map(|(place, _)| place);
        FlagRow { flag, name: name.to_owned(), places: places.collect() }
    };
    let flags = Flags::all().difference(Flags::INTERMEDIATE);
    flags.iter_names().map(row).filter(|row| !row.places.is_empty()).collect()
}
