"""Writes log.csv: two drives of one belt, as a plant might have logged them. `python3 generate.py` repeats it exactly.

The belt between the drives is a spring with damping, so the drives feel each other (solved every 10 ms):

    pull = tension + D (v_head - v_tail)                           D = 1 kN/(m/s)
    m dv_head/dt = torque_head / R - pull - load - c v_head        m = 1 t, R = 0.25 m, load = 0.6 kN
    m dv_tail/dt = torque_tail / R + pull - load - c v_tail        c = 0.4 kN/(m/s)
      dtension/dt = K (v_head - v_tail)                            K = 4 kN/m

Every 200 ms each drive's controller sets its torque from its own speed and the tension, and an operator adds an
unsteady hand; the drives limit themselves to 5 to 595 N m:

    torque_head = 350 + g (target - v_head) + h (0.4 - tension) + noise     g = 100 to 400 N m/(m/s), one an episode
    torque_tail = 150 + g (target - v_tail) - h (0.4 - tension) + noise     h = 80 N m/kN, noise = -40 to 40 N m

An episode lasts 24 commands, or until the belt is slack (below 0.1 kN) or too tight (above 0.7 kN): the drives trip.
In episodes 3 and 8 a box jams at the tail after 2 s and adds 0.8 kN to its load.
"""
import random

rng = random.Random(7)
lines = ["episode,t,agent,speed,target,tension,torque,event"]
for episode in range(12):
    target, gain = rng.uniform(0.5, 1.5), rng.uniform(100, 400)
    start, tension = rng.uniform(0.2, 1.4), rng.uniform(0.2, 0.6)
    speed = {"head": start, "tail": start}
    for step in range(25):
        event = "trip" if not 0.1 <= tension <= 0.7 else "end" if step == 24 else ""
        torque = {}
        for agent, base, sign in (("head", 350, 1), ("tail", 150, -1)):
            t = base + gain * (target - speed[agent]) + sign * 80 * (0.4 - tension) + rng.uniform(-40, 40)
            torque[agent] = min(max(t, 5.0), 595.0)
            logged = "" if event else f"{torque[agent]:.1f}"
            lines.append(
                f"{episode},{0.2 * step:.1f},{agent},{speed[agent]:.4f},{target:.2f},{tension:.3f},{logged},{event}"
            )
        if event:
            break
        load_tail = 1.4 if episode in (3, 8) and step >= 10 else 0.6
        for _ in range(20):
            slip = speed["head"] - speed["tail"]
            head = torque["head"] / 250 - (tension + slip) - 0.6 - 0.4 * speed["head"]
            tail = torque["tail"] / 250 + (tension + slip) - load_tail - 0.4 * speed["tail"]
            tension += 0.01 * 4 * slip
            speed["head"] += 0.01 * head
            speed["tail"] += 0.01 * tail

with open("log.csv", "w", newline="\n") as file:
    file.write("\n".join(lines) + "\n")
