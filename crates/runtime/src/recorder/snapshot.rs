//! A controller's state as bytes: one function an owner says what belongs to it, for both ways.

/// Goes through a state, number by number: counts its bytes, writes them, or replaces it by what was written.
pub(crate) struct Snapshot<'a> {
    way: Way<'a>,
    /// Bytes so far.
    len: usize,
    /// Everything was a value that can be, and had room.
    is_right: bool,
}

enum Way<'a> {
    Measure,
    Save(&'a mut [u8]),
    Load(&'a [u8]),
}

impl<'a> Snapshot<'a> {
    /// Only count.
    pub(crate) fn measure() -> Self {
        Self::new(Way::Measure)
    }

    /// Write to `place`.
    pub(crate) fn save(place: &'a mut [u8]) -> Self {
        Self::new(Way::Save(place))
    }

    /// Read from `bytes`.
    pub(crate) fn load(bytes: &'a [u8]) -> Self {
        Self::new(Way::Load(bytes))
    }

    fn new(way: Way<'a>) -> Self {
        Self { way, len: 0, is_right: true }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Was everything read, and nothing left over?
    pub(crate) fn is_whole(&self) -> bool {
        self.is_right && !matches!(self.way, Way::Load([_, ..]))
    }

    pub(crate) fn u64(&mut self, x: &mut u64) {
        *x = u64::from_le_bytes(self.bytes(x.to_le_bytes()));
    }

    pub(crate) fn u32(&mut self, x: &mut u32) {
        *x = u32::from_le_bytes(self.bytes(x.to_le_bytes()));
    }

    pub(crate) fn f32(&mut self, x: &mut f32) {
        *x = f32::from_le_bytes(self.bytes(x.to_le_bytes()));
    }

    pub(crate) fn f64(&mut self, x: &mut f64) {
        *x = f64::from_le_bytes(self.bytes(x.to_le_bytes()));
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u8, x: &mut u8) {
        let [found] = self.bytes([*x]);
        match found < n {
            true => *x = found,
            false => self.is_right = false,
        }
    }

    pub(crate) fn bool(&mut self, x: &mut bool) {
        let mut byte = u8::from(*x);
        self.below(2, &mut byte);
        *x = byte == 1;
    }

    /// As long as any other, also if there is none.
    pub(crate) fn option<T: Copy + Default>(&mut self, x: &mut Option<T>, exchange: impl FnOnce(&mut Self, &mut T)) {
        let (mut is_there, mut value) = (x.is_some(), x.unwrap_or_default());
        self.bool(&mut is_there);
        exchange(self, &mut value);
        *x = is_there.then_some(value);
    }

    fn bytes<const N: usize>(&mut self, bytes: [u8; N]) -> [u8; N] {
        self.len += N;
        match &mut self.way {
            Way::Measure => bytes,
            Way::Save(rest) => {
                match core::mem::take(rest).split_first_chunk_mut() {
                    Some((place, after)) => (*place, *rest) = (bytes, after),
                    None => self.is_right = false,
                }
                bytes
            }
            Way::Load(rest) => match rest.split_first_chunk() {
                Some((found, after)) => {
                    *rest = after;
                    *found
                }
                None => {
                    self.is_right = false;
                    bytes
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct State {
        a: u64,
        b: Option<u32>,
        c: bool,
        d: f64,
        e: f32,
        f: u8,
    }

    fn exchange(state: &mut State, snapshot: &mut Snapshot<'_>) {
        let State { a, b, c, d, e, f } = state;
        snapshot.u64(a);
        snapshot.option(b, Snapshot::u32);
        snapshot.bool(c);
        snapshot.f64(d);
        snapshot.f32(e);
        snapshot.below(3, f);
    }

    fn check(mut state: State) {
        let mut measured = Snapshot::measure();
        exchange(&mut state, &mut measured);
        let mut bytes = vec![0; measured.len()];
        let mut saved = Snapshot::save(&mut bytes);
        exchange(&mut state, &mut saved);
        assert!(saved.is_whole());
        let load = |bytes: &[u8]| {
            let (mut loaded, mut snapshot) = (State::default(), Snapshot::load(bytes));
            exchange(&mut loaded, &mut snapshot);
            snapshot.is_whole().then_some(loaded)
        };
        assert_eq!(load(&bytes), Some(state));
        (0..bytes.len()).for_each(|len| assert_eq!(load(&bytes[..len]), None));
        assert_eq!(load(&[&bytes[..], &[0]].concat()), None);
        // What is no bool, and what is not below 3.
        for (place, value) in [(8, 2), (13, 7), (bytes.len() - 1, 3)] {
            let mut bad = bytes.clone();
            bad[place] = value;
            assert_eq!(load(&bad), None, "{place}");
        }
    }

    #[test]
    fn a_state_comes_back() {
        check(State { a: u64::MAX, b: Some(7), c: true, d: -0.1, e: 1e-40, f: 2 });
        check(State::default());
    }
}
