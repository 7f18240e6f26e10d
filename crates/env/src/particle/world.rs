//! Motion and contact of equal discs, with `mpe2`'s rules and order of operations.

/// Time between two steps in seconds.
pub(crate) const DT: f64 = 0.1;
/// Share of the velocity lost in a step.
const DAMPING: f64 = 0.25;
/// Mass of a disc in kg.
const MASS: f64 = 1.0;
/// Stiffness of a contact in N/m.
const CONTACT_FORCE: f64 = 1e2;
/// Softness of a contact in m.
const CONTACT_MARGIN: f64 = 1e-3;
/// Below this, the exponential of the soft penetration is 0 in double precision.
const LN_TINIEST: f64 = -746.0;

/// Where a disc is and how it moves.
///
/// # Units
/// Metres and metres per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Body {
    /// Its centre.
    pub position: [f64; 2],
    /// Its velocity.
    pub velocity: [f64; 2],
}

impl Body {
    /// At rest.
    pub const fn at(position: [f64; 2]) -> Self {
        Self { position, velocity: [0.0; 2] }
    }
}

pub(crate) fn difference(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

pub(crate) fn norm(a: [f64; 2]) -> f64 {
    (a[0] * a[0] + a[1] * a[1]).sqrt()
}

/// Add the forces with which overlapping discs push each other apart. Discs with one centre do not push: there is no
/// direction (`mpe2` gives NaN there).
///
/// `penetration = ln(1 + exp(-(d - 2 r) / margin)) * margin` and `force = stiffness * penetration` along the line of
/// the centres.
pub(crate) fn add_contact_forces<const N: usize>(bodies: &[Body; N], radius: f64, forces: &mut [[f64; 2]; N]) {
    for a in 0..N {
        for b in a + 1..N {
            let delta = difference(bodies[a].position, bodies[b].position);
            let distance = norm(delta);
            let overlap = -(distance - 2.0 * radius) / CONTACT_MARGIN;
            if overlap < LN_TINIEST || distance == 0.0 {
                continue;
            }
            let penetration = softplus(overlap) * CONTACT_MARGIN;
            for axis in 0..2 {
                let force = CONTACT_FORCE * delta[axis] / distance * penetration;
                forces[a][axis] += force;
                forces[b][axis] -= force;
            }
        }
    }
}

/// Move by the *old* velocity, then damp it, then add what the force gives. The order is `mpe2`'s.
pub(crate) fn integrate<const N: usize>(bodies: &mut [Body; N], forces: &[[f64; 2]; N]) {
    for (body, force) in bodies.iter_mut().zip(forces) {
        for ((position, velocity), force) in body.position.iter_mut().zip(&mut body.velocity).zip(force) {
            *position += *velocity * DT;
            *velocity = *velocity * (1.0 - DAMPING) + force / MASS * DT;
        }
    }
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softplus_is_exact_at_both_ends() {
        assert_eq!(softplus(0.0), std::f64::consts::LN_2);
        assert_eq!((softplus(1000.0), softplus(LN_TINIEST)), (1000.0, 0.0));
        assert!((softplus(-30.0) / (-30.0_f64).exp() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn contact_is_equal_opposite_and_local() {
        let bodies = [Body::at([0.0, 0.0]), Body::at([0.1, 0.0]), Body::at([5.0, 5.0])];
        let mut forces = [[0.0; 2]; 3];
        add_contact_forces(&bodies, 0.15, &mut forces);
        // 0.2 m of overlap at 100 N/m.
        assert!((forces[0][0] + 20.0).abs() < 1e-9 && (forces[1][0] - 20.0).abs() < 1e-9, "{forces:?}");
        assert_eq!((forces[2], forces[0][1]), ([0.0; 2], 0.0));
        let mut forces = [[0.0; 2]; 2];
        add_contact_forces(&[Body::at([1.0, 1.0]); 2], 0.15, &mut forces);
        assert_eq!(forces, [[0.0; 2]; 2]);
    }

    #[test]
    fn position_moves_by_the_old_velocity() {
        let mut bodies = [Body { position: [1.0, 0.0], velocity: [2.0, 0.0] }];
        integrate(&mut bodies, &[[5.0, 0.0]]);
        assert_eq!(bodies, [Body { position: [1.2, 0.0], velocity: [2.0, 0.0] }]);
    }
}
