/* A program of the first release. Every struct that the library writes has bytes behind it that must stay as they are. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <omiga.h>

#define MS UINT64_C(1000000)
#define AS_IT_WAS 0x5a

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, omiga_last_error());                                 \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

#define GUARDED(type)                                                                                                  \
    struct {                                                                                                           \
        type value;                                                                                                    \
        unsigned char behind[64];                                                                                      \
    }

static const float SAFE[5] = {0.0F, 0.125F, 0.25F, 0.5F, 1.0F};

static int untouched(const unsigned char behind[64]) {
    for (int i = 0; i < 64; i++) {
        if (behind[i] != AS_IT_WAS) {
            return 0;
        }
    }
    return 1;
}

static int policies(omiga_policy *policy) {
    GUARDED(omiga_info) info;
    GUARDED(omiga_field) field;
    GUARDED(omiga_selftest) test;
    float obs[18] = {0.1F}, action[5];
    omiga_status status;
    omiga_policy *fork;
    memset(&info, AS_IT_WAS, sizeof info);
    memset(&field, AS_IT_WAS, sizeof field);
    memset(&test, AS_IT_WAS, sizeof test);
    CHECK(omiga_policy_info(policy, &info.value) == OMIGA_OK && untouched(info.behind));
    CHECK(strcmp(info.value.agent, "agent_0") == 0 && strcmp(info.value.task, "spread") == 0);
    CHECK(info.value.obs_dim == 18 && info.value.action_dim == 5 && info.value.n_agents == 3);
    CHECK(info.value.period_ns == 100 * MS && info.value.has_contract == 1 && info.value.selftest_cases > 0);
    CHECK(omiga_policy_obs_field(policy, 0, &field.value) == OMIGA_OK && untouched(field.behind));
    CHECK(strcmp(field.value.name, "velocity.x") == 0 && strcmp(field.value.unit, "m/s") == 0);
    CHECK(omiga_policy_action_field(policy, 1, &field.value) == OMIGA_OK && untouched(field.behind));
    CHECK(strcmp(field.value.name, "left") == 0 && field.value.has_range == 1);
    CHECK(omiga_policy_selftest(policy, &test.value) == OMIGA_OK && untouched(test.behind));
    CHECK(omiga_policy_selftest(policy, NULL) == OMIGA_OK && test.value.cases == info.value.selftest_cases);
    status = omiga_policy_step(policy, obs, 18, action, 5);
    CHECK(status.code == OMIGA_OK && status.source == OMIGA_SOURCE_POLICY);
    CHECK(omiga_policy_reset(policy) == OMIGA_OK);
    CHECK(omiga_policy_fork(policy, &fork) == OMIGA_OK && omiga_policy_free(fork) == OMIGA_OK);
    return 0;
}

static int controllers(omiga_policy *policy) {
    omiga_controller_options options;
    omiga_controller *controller;
    GUARDED(omiga_stats) stats;
    char line[OMIGA_STATUS_TEXT_SIZE];
    float obs[18] = {0.0F}, action[5];
    uint64_t next_ns, now_ns;
    omiga_status status;
    memset(&stats, AS_IT_WAS, sizeof stats);
    CHECK(omiga_controller_options_default(&options, sizeof options) == OMIGA_OK);
    CHECK(options.struct_size == sizeof options && options.safe_choice == OMIGA_NO_CHOICE);
    options.fallback = OMIGA_FALLBACK_SAFE;
    options.safe_action = SAFE;
    options.safe_action_len = 5;
    CHECK(omiga_controller_new(policy, &options, &controller) == OMIGA_OK);
    CHECK(omiga_controller_period_ns(controller) == 100 * MS);
    for (now_ns = 100 * MS; now_ns <= 1000 * MS; now_ns += 100 * MS) {
        obs[2] = now_ns > 500 * MS ? NAN : 0.3F;
        status = omiga_controller_tick(controller, now_ns, obs, 18, now_ns, action, 5);
        CHECK(status.source == (now_ns > 500 * MS ? OMIGA_SOURCE_SAFE : OMIGA_SOURCE_POLICY));
    }
    CHECK(status.code == OMIGA_FAULT && (status.flags & OMIGA_FLAG_OBS_NOT_FINITE) && status.index == 2);
    CHECK(memcmp(action, SAFE, sizeof SAFE) == 0);
    CHECK(omiga_status_text(&status, line, sizeof line) > 0 && strncmp(line, "safe: OBS_NOT_FINITE", 20) == 0);
    CHECK(omiga_controller_stats(controller, &stats.value) == OMIGA_OK && untouched(stats.behind));
    CHECK(stats.value.native_ticks == 10 && stats.value.safe == 5 && stats.value.faults == 5);
    CHECK(omiga_controller_next_tick_ns(controller, &next_ns) == OMIGA_OK && next_ns > 0);
    CHECK(omiga_controller_reset_to(controller, SAFE, 5) == OMIGA_OK);
    CHECK(omiga_controller_reset(controller) == OMIGA_OK);
    CHECK(omiga_controller_free(controller) == OMIGA_OK);
    return 0;
}

int main(int argc, char **argv) {
    omiga_load_options options;
    omiga_policy *policy;
    CHECK(argc == 2 && omiga_abi_version() == OMIGA_ABI_VERSION);
    CHECK(omiga_load_options_default(&options, sizeof options) == OMIGA_OK && options.struct_size == sizeof options);
    CHECK(omiga_policy_load(argv[1], "nobody", &options, &policy) != OMIGA_OK && policy == NULL);
    CHECK(omiga_policy_load(argv[1], "agent_0", &options, &policy) == OMIGA_OK);
    if (policies(policy) != 0 || controllers(policy) != 0) {
        return 1;
    }
    CHECK(omiga_policy_free(policy) == OMIGA_OK);
    printf("done\n");
    return 0;
}
