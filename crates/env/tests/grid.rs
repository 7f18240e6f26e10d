//! The tasks of a feeder: what they report, and what practices earn in them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use omiga_env::{
    Error, Feeder, Grid, GridOptions, JointAction, MultiAgentEnv, Practice, Profiles, Quality, Timestep,
    behaviour_policy, evaluate, make_env, rollout,
};

fn grid(options: GridOptions) -> Grid {
    let feeder = Feeder::case33().unwrap();
    Grid::new("grid-33bus", feeder.clone(), Profiles::synthetic(&feeder), options).unwrap()
}

#[test]
fn observations_are_what_an_inverter_measures() {
    let mut env = grid(GridOptions { wide: true, clock: true, ..GridOptions::default() });
    env.task().validate().unwrap();
    let mut t = Timestep::for_env(&env);
    env.reset(3, &mut t);
    let names: Vec<&str> = env.task().agents[1].obs.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "v p q q_limit clock.sin clock.cos inverter_12.v inverter_12.p inverter_12.q inverter_28.v inverter_28.p inverter_28.q"
    );
    env.step(&JointAction::Continuous(vec![0.5, -0.5, 0.0, 1.0, -1.0, 0.25]), &mut t).unwrap();
    for (i, inverter) in env.feeder().inverters().iter().enumerate() {
        let obs = t.agent_obs(i);
        assert_eq!(obs[0], env.magnitude_pu()[inverter.bus] as f32);
        assert_eq!(obs[2], (env.q_mvar()[i] / inverter.rating_mva) as f32);
        assert!((obs[1].hypot(obs[3]) - 1.0).abs() < 1e-6, "p and its limit are on the circle of the rating");
        for (field, value) in env.task().agents[i].obs.iter().zip(obs) {
            let range = field.range.unwrap();
            assert!((range.low..=range.high).contains(value), "{}: {value}", field.name);
        }
    }
    // The neighbour's numbers are its own.
    assert_eq!(t.agent_obs(1)[6..9], t.agent_obs(0)[..3]);
    let plain = grid(GridOptions::default());
    assert_eq!((plain.task().obs_dim(), plain.state_dim()), (4, Some(70)));
}

#[test]
fn the_state_is_loads_and_sun_of_now() {
    let mut env = grid(GridOptions::default());
    let mut t = Timestep::for_env(&env);
    env.reset(5, &mut t);
    env.step(&JointAction::Continuous(vec![0.3; 6]), &mut t).unwrap();
    let state = t.state.clone();
    assert_eq!((state.len(), env.state_rows(), env.state_len()), (70, 1, 70), "one of the whole team");
    let loads = &state[..32];
    assert!(loads.iter().all(|load| *load > 0.0) && loads.iter().sum::<f32>() < 4.0);
    let ratio = |bus: usize| env.feeder().load_q_mvar()[bus] / env.feeder().load_p_mw()[bus];
    assert!((1..33).all(|bus| (f64::from(state[31 + bus] / state[bus - 1]) - ratio(bus)).abs() < 1e-5));
    let mut ramped = grid(GridOptions { ramp: Some(0.1), ..GridOptions::default() });
    ramped.reset(5, &mut t);
    ramped.step(&JointAction::Continuous(vec![0.3; 6]), &mut t).unwrap();
    assert_eq!(t.state[..70], state);
    assert!((0..6).all(|i| t.state[70 + i] == ramped.q_mvar()[i] as f32));
}

#[test]
fn an_episode_has_240_steps_and_a_seed() {
    let mut env = grid(GridOptions::default());
    let (mut t, mut again) = (Timestep::for_env(&env), Timestep::default());
    let actions = JointAction::Continuous(vec![0.0; 6]);
    assert!(matches!(env.step(&actions, &mut t), Err(Error::NotRunning { .. })));
    env.reset(7, &mut t);
    grid(GridOptions::default()).reset(7, &mut again);
    assert_eq!(t, again);
    for step in 1..=240 {
        env.step(&actions, &mut t).unwrap();
        assert_eq!((t.terminated, t.truncated), (false, step == 240));
        assert!(t.team_reward < 0.0 && t.team_reward > -3.0, "{}", t.team_reward);
    }
    assert!(env.step(&actions, &mut t).is_err());
}

#[test]
fn a_ramp_limits_reactive_power() {
    let mut env = grid(GridOptions { ramp: Some(0.1), ..GridOptions::default() });
    let mut t = Timestep::for_env(&env);
    env.reset(2, &mut t);
    for step in 1..=3 {
        env.step(&JointAction::Continuous(vec![1.0, -1.0, 1.0, -1.0, 1.0, -1.0]), &mut t).unwrap();
        for (i, inverter) in env.feeder().inverters().iter().enumerate() {
            let expected = 0.1 * f64::from(step) * inverter.rating_mva;
            assert!((env.q_mvar()[i].abs() - expected).abs() < 1e-12);
        }
    }
}

/// All inverters draw all they can at night, which no feeder of this size can carry: pandapower finds no solution either.
#[test]
fn a_collapse_terminates() {
    let text = "voltage_kv = 12.66\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar,s_mva\na,b,3,3,3,2,\nb,c,1,1,0.1,0,20";
    let feeder = Feeder::parse("weak", text).unwrap();
    let mut env = Grid::new("weak", feeder.clone(), Profiles::synthetic(&feeder), GridOptions::default()).unwrap();
    let mut t = Timestep::for_env(&env);
    env.reset(1, &mut t);
    let before = env.magnitude_pu().to_vec();
    env.step(&JointAction::Continuous(vec![-1.0]), &mut t).unwrap();
    assert_eq!((t.terminated, t.truncated, t.team_reward), (true, false, -200.0));
    assert_eq!(env.magnitude_pu(), before, "the last voltages that there were");
    assert!(t.obs.iter().all(|x| x.is_finite()));
}

#[test]
fn a_feeder_that_cannot_be_played_is_refused() {
    let check = |rows: &str, message: &str| {
        let text = format!("voltage_kv = 1\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar,s_mva\n{rows}");
        let feeder = Feeder::parse("f.csv", &text).unwrap();
        let made = Grid::new("f", feeder.clone(), Profiles::synthetic(&feeder), GridOptions::default());
        assert_eq!(made.err().unwrap().to_string(), format!("feeder `f`: {message}"));
    };
    check("a,b,0.1,0.1,0.1,0,", "no bus has an inverter; give one a rating in the column `s_mva`");
    check("a,b,1,1,10,0,1", "it cannot carry its own loads; are they in MW and the lines in ohm?");
}

/// Mean return of 40 episodes, in the order of what they are worth.
#[test]
fn practices_earn_what_is_documented() {
    let mut env = make_env("grid-33bus").unwrap();
    let mut held = Vec::new();
    let mut mean = |quality: Quality| {
        let mut policy = behaviour_policy(env.task(), quality).unwrap();
        let played = evaluate(&mut *env, &mut *policy, 40, 0).unwrap();
        held.push((quality.name(), played.metrics.iter().map(|metric| metric.mean).collect::<Vec<_>>()));
        played.mean
    };
    let names = Quality::ALL.into_iter().chain(Practice::ALL.map(Quality::Practice));
    let found: Vec<(&str, f64)> = names.map(|quality| (quality.name(), mean(quality))).collect();
    println!("{found:.2?}");
    let of = |name: &str| found.iter().find(|(known, _)| *known == name).unwrap().1;
    assert!(of("volt-var-b") > of("volt-var-a") && of("volt-var-a") > of("no-control"));
    assert!(of("volt-var-b") > of("medium-replay") && of("medium-replay") > of("hunting"));
    assert!(of("hunting") > of("random"));
    let metrics = |name: &str| &held.iter().find(|(known, _)| *known == name).unwrap().1;
    let [none, full] = ["no-control", "volt-var-full"].map(metrics);
    assert!(none[0] < 0.9 && full[0] > 0.99, "the full curve holds the band");
    assert!(full[2] > 1.05 * none[2] && none[3] == 0.0, "at the price of losses and reactive energy");
    assert_eq!((of("medium"), of("expert")), (of("volt-var-b"), of("volt-var-full")));
}

#[test]
fn settled_curves_rest_and_delayed_ones_hunt() {
    let moved = |quality| {
        let mut env = make_env("grid-33bus").unwrap();
        let mut policy = behaviour_policy(env.task(), quality).unwrap();
        let (mut last, mut sum) = (Vec::new(), 0.0);
        rollout(&mut *env, &mut *policy, 4, &mut |step| {
            let JointAction::Continuous(now) = step.actions else { unreachable!() };
            sum += now.iter().zip(&last).map(|(a, b): (&f32, &f32)| f64::from((a - b).abs())).sum::<f64>();
            last.clone_from(now);
            Ok(())
        })
        .unwrap();
        sum
    };
    let (settled, hunting) = (moved(Quality::Medium), moved(Quality::Practice(Practice::Hunting)));
    assert!(hunting > 5.0 * settled, "{settled}, {hunting}");
}
