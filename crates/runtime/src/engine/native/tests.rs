//! Products in every instruction set of this machine, and checks of memory.

use std::sync::Arc;

use omiga_format::onnx::GraphForm;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::gemm::{MOST_ROWS, Row, Weights};
use super::memory_check::{Found, Place};
use super::plan::{Layer, Output, Plan, Span, Step};
use super::simd::{self, Simd};
use crate::Isa;
use crate::engine::Signature;
use omiga_format::F16;

/// A layer's weights and biases, and rows for it.
struct Case {
    outputs: usize,
    inputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    rows: Vec<Vec<f32>>,
}

impl Case {
    /// Every second input is zero if `sparse`.
    fn new(outputs: usize, inputs: usize, rows: usize, sparse: bool) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64((outputs * 1000 + inputs) as u64);
        let mut draw = |n| (0..n).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let (weights, bias) = (draw(outputs * inputs), draw(outputs));
        let mut rows: Vec<_> = (0..rows).map(|_| draw(inputs)).collect();
        if sparse {
            rows.iter_mut().enumerate().for_each(|(i, x)| x.iter_mut().skip(i % 2).step_by(2).for_each(|x| *x = 0.0));
        }
        Self { outputs, inputs, weights, bias, rows }
    }

    fn pack(&self, simd: Simd, half: bool) -> Weights {
        Weights::pack(simd, self.outputs, self.inputs, &self.weights, half).unwrap()
    }

    /// The product of these rows at once.
    fn product(&self, weights: &Weights, rows: &[Vec<f32>], relu: bool) -> Vec<Vec<f32>> {
        let mut outputs = vec![self.bias.clone(); rows.len()];
        let mut active = vec![vec![0; simd::room(self.inputs)]; rows.len()];
        let together = rows.iter().zip(&mut outputs).zip(&mut active);
        let mut rows: Vec<_> = together.map(|((x, y), active)| Row { x, y, active, count: 0 }).collect();
        weights.add_product(&mut rows, relu);
        outputs
    }

    /// Against sums in f64.
    fn check(&self, simd: Simd, half: bool, relu: bool) {
        let packed = self.pack(simd, half);
        let is_half = |n: usize| half && n < self.outputs / 16 * 16;
        let weight = |n: usize, k: usize| match self.weights[n * self.inputs + k] {
            w if is_half(n) => F16::nearest(w).unwrap().to_f32(),
            w => w,
        };
        for (x, y) in self.rows.iter().zip(self.product(&packed, &self.rows, relu)) {
            for (n, (y, bias)) in y.iter().zip(&self.bias).enumerate() {
                let terms = (0..self.inputs).map(|k| f64::from(weight(n, k)) * f64::from(x[k]));
                let exact = terms.clone().sum::<f64>() + f64::from(*bias);
                let exact = if relu { exact.max(0.0) } else { exact };
                let size = terms.map(f64::abs).sum::<f64>() + 1.0;
                let difference = (f64::from(*y) - exact).abs();
                assert!(difference < 1e-6 * size, "{simd:?} [{}, {}] {n}: {difference}", self.outputs, self.inputs);
            }
        }
    }
}

fn bits(rows: &[Vec<f32>]) -> Vec<u32> {
    rows.iter().flatten().map(|x| x.to_bits()).collect()
}

#[test]
fn every_panel_and_rest_is_right() {
    println!("tested: {:?}", Simd::available());
    for simd in Simd::available() {
        for outputs in [1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 67, 112, 128, 255, 256, 300, 513] {
            for inputs in [1, 2, 15, 16, 17, 48, 63, 64, 65, 257] {
                for sparse in [false, true] {
                    let case = Case::new(outputs, inputs, 2, sparse);
                    case.check(simd, false, sparse);
                    case.check(simd, true, !sparse);
                }
            }
        }
    }
}

/// However many rows there are, each is what it is alone, to the bit; also beside a row that is not a number.
#[test]
fn rows_do_not_touch_one_another() {
    for simd in Simd::available() {
        for (outputs, inputs, half) in
            [(256, 256, false), (300, 130, false), (67, 23, false), (256, 300, true), (5, 9, true)]
        {
            let mut case = Case::new(outputs, inputs, MOST_ROWS, true);
            let weights = case.pack(simd, half);
            let alone: Vec<_> =
                case.rows.iter().flat_map(|x| case.product(&weights, std::slice::from_ref(x), true)).collect();
            for n in 1..=MOST_ROWS {
                assert_eq!(bits(&case.product(&weights, &case.rows[..n], true)), bits(&alone[..n]), "{simd:?} {n}");
            }
            case.rows[1][0] = f32::NAN;
            case.rows[2][inputs - 1] = f32::INFINITY;
            let beside = case.product(&weights, &case.rows, true);
            assert!(beside[1].iter().all(|y| y.is_nan()), "{simd:?}");
            assert!(beside[2].iter().any(|y| !y.is_finite()), "{simd:?}");
            assert_eq!((bits(&beside[..1]), bits(&beside[3..])), (bits(&alone[..1]), bits(&alone[3..])), "{simd:?}");
        }
    }
}

/// All sets with fused multiply-adds add in one order: the same bits.
#[test]
fn fused_instruction_sets_agree_to_the_bit() {
    let fused: Vec<_> = Simd::available().into_iter().filter(|simd| simd.isa() != Isa::Portable).collect();
    for (outputs, inputs) in [(256, 256), (300, 130), (67, 23), (1, 257), (129, 65)] {
        for half in [false, true] {
            let case = Case::new(outputs, inputs, 3, true);
            let of = |simd: &Simd| bits(&case.product(&case.pack(*simd, half), &case.rows, false));
            let all: Vec<_> = fused.iter().map(of).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "[{outputs}, {inputs}] {fused:?}");
        }
    }
}

#[test]
fn zeros_are_left_out_and_nan_is_not() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for simd in Simd::available() {
        for len in [0, 1, 15, 16, 17, 33, 256] {
            let one = |_| [0.0, -0.0, 1.0, f32::NAN, f32::MIN_POSITIVE, -2.0][random.random_range(0..6)];
            let x: Vec<f32> = (0..len).map(one).collect();
            let expected: Vec<u32> = (0..).zip(&x).filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
            let mut active = vec![0; simd::room(len)];
            let n = simd.not_zero(&x, &mut active);
            assert_eq!(active[..n], expected, "{simd:?} {x:?}");
            // Too little room is no harm.
            assert!(simd.not_zero(&x, &mut active[..len / 2]) <= len / 2);
        }
    }
}

#[test]
fn weights_lie_on_a_cache_line() {
    let case = Case::new(64, 3, 0, false);
    let weights = case.pack(Simd::detect(), false);
    let panels = weights.panels().unwrap();
    assert_eq!((panels.as_ptr().align_offset(64), panels.len()), (0, 192));
    assert_eq!(Weights::pack(Simd::Portable, 16, 1, &[1e6; 16], true).err(), Some(0));
}

/// A plan of one layer with all kinds of sections, 17 outputs of 3 inputs.
fn plan(simd: Simd, half: bool) -> Plan {
    let case = Case::new(17, 3, 0, false);
    let span = |start, len| Span { start, len };
    let layer = Layer { weights: 0, x: span(0, 3), bias: Some(span(3, 17)), relu: false, out: span(20, 17) };
    let mut plan = Plan {
        signature: Signature { obs_dim: 3, action_dim: 17, discrete: false, form: GraphForm::default() },
        output: Output::Action(span(20, 17)),
        obs: span(0, 3),
        steps: vec![Step::Layer(layer)],
        layers: vec![0],
        weights: vec![Arc::new(case.pack(simd, half))],
        constants: [vec![0.0; 3], case.bias, vec![0.0; 17]].concat(),
        crcs: Vec::new(),
    };
    plan.seal(simd);
    plan
}

/// A whole pass in slices of `bytes`: was it clean?
fn is_clean(plan: &Plan, simd: Simd, bytes: usize) -> bool {
    let mut place = Place::default();
    for _ in 0..1000 {
        match plan.check(simd, &mut place, bytes, |_| false) {
            Found::Nothing => {}
            Found::End => return true,
            Found::Damage => return false,
        }
    }
    panic!("a pass does not end");
}

#[test]
fn every_flipped_bit_is_found() {
    for simd in Simd::available() {
        for half in [false, true] {
            let mut plan = plan(simd, half);
            for bytes in [0, 1, 8, 24, 1000, usize::MAX] {
                assert!(is_clean(&plan, simd, bytes), "{simd:?} {bytes}");
            }
            let numbers = Arc::get_mut(&mut plan.weights[0]).unwrap().numbers();
            assert_eq!(numbers, 51);
            for number in 0..numbers {
                for bit in 0..32 {
                    let flip = |plan: &mut Plan| Arc::get_mut(&mut plan.weights[0]).unwrap().flip(number, bit);
                    if flip(&mut plan) {
                        assert!(!is_clean(&plan, simd, 8), "{simd:?} weight {number} bit {bit}");
                        flip(&mut plan);
                    }
                }
            }
            for (number, bit) in (0..plan.constants.len()).flat_map(|i| (0..32).map(move |bit| (i, bit))) {
                let flip = |plan: &mut Plan| {
                    plan.constants[number] = f32::from_bits(plan.constants[number].to_bits() ^ 1 << bit);
                };
                flip(&mut plan);
                assert!(!is_clean(&plan, simd, 8), "{simd:?} constant {number} bit {bit}");
                flip(&mut plan);
            }
            assert!(is_clean(&plan, simd, 8));
            plan.output = Output::Action(Span { start: 20, len: 16 });
            assert!(!is_clean(&plan, simd, 8));
        }
    }
}

#[test]
fn changed_steps_are_found() {
    let simd = Simd::detect();
    for bit in 0..usize::BITS {
        for field in 0..6 {
            let mut plan = plan(simd, false);
            let Step::Layer(layer) = &mut plan.steps[0] else { panic!("a layer") };
            let bias = layer.bias.as_mut().unwrap();
            let fields = [
                &mut layer.weights,
                &mut layer.x.start,
                &mut layer.out.start,
                &mut layer.out.len,
                &mut bias.start,
                &mut bias.len,
            ];
            *fields.into_iter().nth(field).unwrap() ^= 1 << bit;
            assert!(!is_clean(&plan, simd, 64), "field {field} bit {bit}");
        }
    }
}

/// Bits of a layer of the usual size, at random.
#[test]
fn flipped_bits_of_a_large_layer_are_found() {
    let (simd, mut random) = (Simd::detect(), ChaCha8Rng::seed_from_u64(5));
    for half in [false, true] {
        let case = Case::new(256, 256, 0, false);
        let mut plan = plan(simd, half);
        plan.weights = vec![Arc::new(case.pack(simd, half))];
        plan.seal(simd);
        for _ in 0..500 {
            let (number, bit) = (random.random_range(0..256 * 256), random.random_range(0..16));
            let flip = |plan: &mut Plan| Arc::get_mut(&mut plan.weights[0]).unwrap().flip(number, bit);
            assert!(flip(&mut plan) && !is_clean(&plan, simd, 4096));
            flip(&mut plan);
        }
        assert!(is_clean(&plan, simd, 4096));
    }
}

/// Weights that are somebody else's to check are passed over, everything else is not.
#[test]
fn shared_weights_are_passed_over() {
    let simd = Simd::detect();
    let mut plan = plan(simd, false);
    Arc::get_mut(&mut plan.weights[0]).unwrap().flip(0, 0);
    assert_eq!(plan.check(simd, &mut Place::default(), 10_000, |_| true), Found::End);
    plan.constants[0] = 1.0;
    assert_eq!(plan.check(simd, &mut Place::default(), 10_000, |_| true), Found::Damage);
}
