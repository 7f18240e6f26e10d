// A team of three pucks in C++17: the bundle is loaded once, every agent has a controller, a second thread watches.
//
//     control_loop BUNDLE
//
// BUNDLE is the shipped models/spread. Time is simulated: 2 s of a 1 kHz loop around policies that act every 100 ms. From
// 0.8 s to 1.2 s the second agent's velocity sensor fails.
//
// Exit codes: 0 every policy was in command at the end, 1 one was not, 2 the loop could not be started.
#include <omiga.hpp>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t MS = 1000000;
constexpr std::uint64_t TICKS = 2000;

// One agent: its controller, and where its sensors belong. Names are looked up once, before anything moves.
struct agent {
    omiga::controller controller;
    std::size_t velocity_x, push_left, push_right;
    std::vector<float> obs, action;
    float velocity;
};

agent bind(const omiga::team &team, std::size_t index) {
    const omiga::policy policy = team.policy(index);
    const omiga_info info = policy.info();
    std::printf("%s of %s: %s, %u observations, %u commands\n", info.agent, info.task, info.engine, info.obs_dim,
                info.action_dim);
    // What the actuators do when the policy must not act: no push. Only this machine's engineer can know it.
    omiga::controller_options options;
    options.fallback = OMIGA_FALLBACK_HOLD_THEN_SAFE;
    options.hold_ns = 150 * MS;
    options.safe_action.assign(info.action_dim, 0.0F);
    return {omiga::controller(policy, options),
            policy.obs_index("velocity.x"),
            policy.action_index("left"),
            policy.action_index("right"),
            std::vector<float>(info.obs_dim),
            std::vector<float>(info.action_dim),
            0.1F * static_cast<float>(index)};
}

// One tick of one agent. The plant is a puck of 1 kg with friction, pushed with up to 5 N.
bool tick(agent &a, std::uint64_t now_ns, bool broken) {
    a.obs[a.velocity_x] = broken ? NAN : a.velocity;
    const omiga::status status = a.controller.tick(now_ns, a.obs, now_ns, a.action);
    if (!status.has_action()) {
        return false; // stop the machine: status.flags and status.code say why
    }
    const float push = 5.0F * (a.action[a.push_right] - a.action[a.push_left]);
    a.velocity += (push - 2.5F * a.velocity) * 1e-3F;
    return status.source == OMIGA_SOURCE_POLICY;
}

int run(const char *bundle) {
    const omiga::team team = omiga::team::load(bundle);
    std::vector<agent> agents;
    for (std::size_t i = 0; i < team.info().n_agents; i++) {
        agents.push_back(bind(team, i));
    }

    // Telemetry beside the loop takes no tick away.
    std::atomic<bool> done{false};
    std::uint64_t seen = 0;
    std::thread watch([&] {
        for (bool last = false; !last;) {
            last = done.load();
            const omiga_stats stats = agents[1].controller.stats();
            seen = stats.native_ticks + stats.asked_again + stats.intermediate_ticks;
        }
    });
    bool in_command = false;
    for (std::uint64_t i = 0; i < TICKS; i++) {
        in_command = true;
        for (std::size_t k = 0; k < agents.size(); k++) {
            in_command &= tick(agents[k], (i + 1) * MS, k == 1 && i >= 800 && i < 1200);
        }
    }
    done.store(true);
    watch.join();

    for (const agent &a : agents) {
        const omiga_stats s = a.controller.stats();
        std::printf("%s: %u native, %u held, %u safe, %u refused\n", a.controller.policy().info().agent,
                    static_cast<unsigned>(s.native_ticks), static_cast<unsigned>(s.held), static_cast<unsigned>(s.safe),
                    static_cast<unsigned>(s.refused_ticks));
    }
    const omiga_selftest test = agents[0].controller.policy().run_selftest();
    std::printf("the watcher saw tick %u; the self-test repeats %u cases\n", static_cast<unsigned>(seen),
                static_cast<unsigned>(test.cases));
    return in_command ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: control_loop BUNDLE\n");
        return 2;
    }
    try {
        return run(argv[1]);
    } catch (const omiga::error &e) {
        std::fprintf(stderr, "control_loop: %s (code %u)\n", e.what(), e.code());
        return 2;
    }
}
