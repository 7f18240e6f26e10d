// Everything of omiga.hpp that the example does not use.
#include <omiga.hpp>
#include <omiga.hpp>

#include <cstdio>

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            std::fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                                    \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

template <typename T>
constexpr bool moves_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                            !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(moves_only<omiga::policy> && moves_only<omiga::team> && moves_only<omiga::controller>);
static_assert(!std::is_constructible_v<omiga::span<float>, const std::vector<float> &>, "nothing writes to a constant");
static_assert(std::is_convertible_v<omiga::span<float>, omiga::span<const float>>);

template <typename Call> omiga_code code_of(Call call) {
    try {
        call();
    } catch (const omiga::error &e) {
        return e.code();
    }
    return OMIGA_OK;
}

int main(int, char **argv) {
    const std::string bundle = argv[1];
    omiga::load_options wrong;
    wrong.task = "valve";
    CHECK(code_of([&] { omiga::policy::load(bundle, "agent_0", wrong); }) == OMIGA_IDENTITY);
    CHECK(code_of([&] { omiga::policy::load(bundle, ""); }) == OMIGA_ARGUMENT);
    CHECK(code_of([&] { omiga::team::load("no such"); }) == OMIGA_IO);
    CHECK(code_of([&] { omiga::team::load(omiga::span<const omiga_file>()); }) == OMIGA_DAMAGED);

    omiga::policy policy = omiga::policy::load(bundle, "agent_0");
    omiga::load_options right;
    right.contract_sha256 = policy.identity().contract_sha256;
    policy = omiga::policy::load(bundle, "agent_1", right);
    CHECK(std::string(policy.info().agent) == "agent_1" && std::string(policy.identity().task) == "spread");
    CHECK(std::string(policy.obs_field(0).name) == "velocity.x" && policy.obs_index("velocity.y") == 1);
    CHECK(std::string(policy.action_field(policy.action_index("left")).name) == "left");
    CHECK(code_of([&] { policy.obs_index("no such"); }) == OMIGA_ARGUMENT);
    CHECK(policy.run_selftest().cases == policy.info().selftest_cases);

    // Arrays of all kinds; what was moved goes on.
    const std::vector<float> obs(18, 0.1F);
    float from_array[5];
    std::array<float, 5> from_fork{};
    omiga::policy moved = std::move(policy);
    CHECK(moved.step(obs, from_array).ok() && moved.fork().step(obs, from_fork).ok() && moved.reset() == OMIGA_OK);
    CHECK(std::equal(from_fork.begin(), from_fork.end(), from_array));
    const omiga::status narrow = moved.step({obs.data(), 17}, from_array);
    CHECK(!narrow.ok() && !narrow.has_action() && narrow.text().find("OBS_WIDTH") != std::string::npos);
    std::uint32_t choice = 7;
    const std::uint8_t mask[5] = {1, 1, 1, 1, 1};
    CHECK((moved.choose(obs, mask, choice).flags & OMIGA_FLAG_WRONG_KIND) != 0 && choice == 7);

    omiga::team team = omiga::team::load(bundle);
    const omiga_team_info info = team.info();
    const std::vector<float> rows(std::size_t{info.n_agents} * info.obs_dim, 0.1F);
    std::vector<float> actions(std::size_t{info.n_agents} * info.action_dim);
    CHECK(team.step(rows, actions).ok() && team.reset() == OMIGA_OK && team.agent_index("agent_1") == 1);
    CHECK(std::equal(from_fork.begin(), from_fork.end(), actions.begin() + 5));
    std::uint32_t choices[3];
    CHECK((team.choose(rows, {}, choices).flags & OMIGA_FLAG_WRONG_KIND) != 0);
    CHECK(code_of([&] { team.policy(3); }) == OMIGA_ARGUMENT);

    omiga::controller_options options;
    options.safe_action = {0.0F, 1.0F};
    options.fallback = OMIGA_FALLBACK_SAFE;
    CHECK(code_of([&] { omiga::controller refused(moved, options); }) == OMIGA_ARGUMENT);
    options.safe_action.assign(5, 0.25F);
    options.max_rate.assign(5, 2.0F);
    options.out_of_range_of.assign(18, OMIGA_OUT_OF_RANGE_REFUSE);
    omiga::controller controller(moved, options);
    CHECK(controller.next_tick_ns() == 0 && controller.period_ns() == 100000000);
    CHECK(controller.reset_to(options.safe_action) == OMIGA_OK && controller.reset_to({}) == OMIGA_ARGUMENT);
    CHECK(controller.tick(1, obs, 1, actions).source == OMIGA_SOURCE_NONE);
    CHECK(controller.tick(2, obs, 2, from_array).source == OMIGA_SOURCE_POLICY && controller.reset() == OMIGA_OK);
    CHECK((controller.tick(3, obs, 3, mask, choice).flags & OMIGA_FLAG_WRONG_KIND) != 0);
    omiga::controller other = std::move(controller);
    CHECK(other.stats().native_ticks >= 1 && std::string(other.policy().info().agent) == "agent_1");
    std::printf("done\n");
    return 0;
}
