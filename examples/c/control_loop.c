/* A 1 kHz control loop around a policy that acts every 100 ms.
 *
 *     control_loop BUNDLE [--agent NAME] [--ticks N] [--fast]
 *
 * BUNDLE is the shipped models/spread: a puck on a table (its plant is simulated below) that five commands push. After
 * two fifths of the run the velocity sensor fails for 400 ms. --fast runs on simulated time, without sleeping.
 *
 * Exit codes: 0 the policy was in command at the end, 1 it was not, 2 the loop could not be started.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <omiga.h>

#define MS UINT64_C(1000000)
#define TICK_NS MS
#define FAILURE_TICKS 400
#define OBS 18
#define ACTIONS 5
#define BUCKETS 32
#define EVENTS 32

/* What the actuators do when the policy must not act: no push. Only this machine's engineer can know it. */
static const float SAFE[ACTIONS] = {0.0F, 0.0F, 0.0F, 0.0F, 0.0F};
/* No command may go from one end to the other in less than 50 ms. */
static const float MAX_RATE[ACTIONS] = {20.0F, 20.0F, 20.0F, 20.0F, 20.0F};

typedef struct {
    const char *bundle, *agent;
    uint64_t ticks;
    int fast;
} arguments;

/* The machine: a puck of 1 kg, pushed with up to 5 N, on a table with viscous friction. */
typedef struct {
    double x, y, vx, vy;
} plant;

static void move(plant *p, const float action[ACTIONS], double dt) {
    p->vx += (5.0 * ((double)action[2] - (double)action[1]) - 2.5 * p->vx) * dt;
    p->vy += (5.0 * ((double)action[4] - (double)action[3]) - 2.5 * p->vy) * dt;
    p->x += p->vx * dt;
    p->y += p->vy * dt;
}

/* Velocity, position, three landmarks and two resting pucks as seen from here, and their messages. */
static void sense(const plant *p, int broken, float obs[OBS]) {
    static const double others[5][2] = {{0.4, 0.3}, {-0.6, 0.5}, {0.1, -0.7}, {-0.6, 0.45}, {0.1, -0.65}};
    memset(obs, 0, OBS * sizeof *obs);
    obs[0] = broken ? NAN : (float)p->vx;
    obs[1] = (float)p->vy;
    obs[2] = (float)p->x;
    obs[3] = (float)p->y;
    for (int i = 0; i < 5; i++) {
        obs[4 + 2 * i] = (float)(others[i][0] - p->x);
        obs[5 + 2 * i] = (float)(others[i][1] - p->y);
    }
}

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns) {
    struct timespec t = {(time_t)(ns / UINT64_C(1000000000)), (long)(ns % UINT64_C(1000000000))};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static int refused(const char *what) {
    fprintf(stderr, "control_loop: %s: %s\n", what, omiga_last_error());
    return 2;
}

static int parse(int argc, char **argv, arguments *a) {
    const arguments defaults = {NULL, "agent_0", 5000, 0};
    *a = defaults;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--fast") == 0) {
            a->fast = 1;
        } else if (strcmp(argv[i], "--agent") == 0 && i + 1 < argc) {
            a->agent = argv[++i];
        } else if (strcmp(argv[i], "--ticks") == 0 && i + 1 < argc) {
            a->ticks = strtoull(argv[++i], &end, 10);
            if (*argv[i] == '\0' || *end != '\0') {
                return -1;
            }
        } else if (argv[i][0] != '-' && a->bundle == NULL) {
            a->bundle = argv[i];
        } else {
            return -1;
        }
    }
    return a->bundle == NULL || a->ticks == 0 ? -1 : 0;
}

/* Names, units and bounds: compare them with the wiring before anything moves. */
static int describe(const omiga_policy *policy, omiga_info *info) {
    omiga_field field;
    if (omiga_policy_get_info(policy, info, sizeof *info) != OMIGA_OK) {
        return refused("info");
    }
    printf("%s of %s (%" PRIu32 " of %" PRIu32 "), %s, period %" PRIu64 " ms\n", info->agent, info->task,
           info->agent_index + 1, info->n_agents, info->engine, info->period_ns / MS);
    printf("self-test: %" PRIu64 " cases, largest difference %g\n", info->selftest_cases,
           (double)info->selftest_max_abs_difference);
    for (uint32_t i = 0; i < info->obs_dim; i++) {
        if (omiga_policy_get_obs_field(policy, i, &field, sizeof field) != OMIGA_OK) {
            return refused("observation");
        }
        printf("  observes %s [%s]", field.name, field.unit);
        field.has_range ? printf(" between %g and %g\n", (double)field.low, (double)field.high) : printf("\n");
    }
    for (uint32_t i = 0; i < info->action_dim; i++) {
        if (omiga_policy_get_action_field(policy, i, &field, sizeof field) != OMIGA_OK) {
            return refused("action");
        }
        printf("  commands %s [%s] between %g and %g\n", field.name, field.unit, (double)field.low, (double)field.high);
    }
    if (strcmp(info->task, "spread") != 0 || info->discrete || info->obs_dim != OBS || info->action_dim != ACTIONS) {
        fprintf(stderr, "control_loop: the task is `%s`, expected `spread` with continuous actions; this example "
                        "simulates no other machine\n", info->task);
        return 2;
    }
    return 0;
}

/* The policy in its control loop. The policy's own handle is not needed afterwards. */
static int start(const arguments *a, omiga_controller **controller) {
    omiga_policy *policy = NULL;
    omiga_info info;
    omiga_controller_options options;
    int code;
    if (omiga_policy_load(a->bundle, a->agent, NULL, &policy) != OMIGA_OK) {
        return refused(a->bundle);
    }
    code = describe(policy, &info);
    if (code == 0 && omiga_controller_options_default(&options, sizeof options) != OMIGA_OK) {
        code = refused("options");
    }
    if (code == 0) {
        options.fallback = OMIGA_FALLBACK_HOLD_THEN_SAFE;
        options.hold_ns = 150 * MS;
        options.safe_action = SAFE;
        options.safe_action_len = ACTIONS;
        options.max_rate = MAX_RATE;
        options.max_rate_len = ACTIONS;
        options.max_obs_age_ns = 5 * MS;
        options.max_lateness_ns = MS / 2;
        options.max_jitter_ns = MS;
        if (omiga_controller_new(policy, &options, controller) != OMIGA_OK) {
            code = refused("controller");
        }
    }
    omiga_policy_free(policy);
    return code;
}

/* What changed and when: kept in the loop, written after it, since printing is not real-time. */
typedef struct {
    uint64_t tick[EVENTS];
    omiga_status status[EVENTS];
    size_t count;
} events;

static void keep(events *e, uint64_t tick, const omiga_status *now) {
    const uint32_t told = OMIGA_FLAGS_FAULTS | OMIGA_FLAG_GAP; /* the other reports are counted */
    const omiga_status *last = e->count > 0 ? &e->status[e->count - 1] : NULL;
    if (last != NULL && last->source == now->source && (last->flags & told) == (now->flags & told)) {
        return;
    }
    if (e->count < EVENTS) {
        e->tick[e->count] = tick;
        e->status[e->count++] = *now;
    }
}

static void report(const events *e, const uint64_t histogram[BUCKETS], const omiga_controller *controller) {
    omiga_stats s;
    char line[OMIGA_STATUS_TEXT_SIZE];
    for (size_t i = 0; i < e->count; i++) {
        omiga_status_text(&e->status[i], line, sizeof line);
        printf("tick %5" PRIu64 ": %s\n", e->tick[i], line);
    }
    if (e->count == EVENTS) {
        printf("... and perhaps more\n");
    }
    printf("time of a tick:\n");
    for (int i = 0; i < BUCKETS; i++) {
        if (histogram[i] > 0) {
            printf("  %9" PRIu64 " ns and more: %" PRIu64 "\n", UINT64_C(1) << i, histogram[i]);
        }
    }
    if (omiga_controller_get_stats(controller, &s, sizeof s) == OMIGA_OK) {
        printf("native ticks %" PRIu64 ", asked again %" PRIu64 ", between %" PRIu64 ", late %" PRIu64 ", jitter %" PRIu64 ", skipped %" PRIu64
               ", gaps %" PRIu64 "\n", s.native_ticks, s.asked_again, s.intermediate_ticks, s.late_ticks, s.jitter_ticks,
               s.skipped_periods, s.gaps);
        printf("faults %" PRIu64 ", held %" PRIu64 ", safe %" PRIu64 ", no action %" PRIu64 "\n", s.faults, s.held,
               s.safe, s.none);
        printf("lateness: mean %" PRIu64 " us, max %" PRIu64 " us; jitter: mean %" PRIu64 " us, max %" PRIu64 " us\n",
               s.mean_lateness_ns / 1000, s.max_lateness_ns / 1000, s.mean_jitter_ns / 1000, s.max_jitter_ns / 1000);
    }
}

static int control(const arguments *a, omiga_controller *controller) {
    static events log;
    static uint64_t histogram[BUCKETS];
    float obs[OBS], action[ACTIONS], actuators[ACTIONS];
    plant machine = {-0.2, -0.1, 0.0, 0.0};
    omiga_status status = {0};
    const uint64_t fails = a->ticks / 5 * 2;
    uint64_t due = a->fast ? MS : clock_ns() + TICK_NS;

    /* The actuators hold this now; the limits of rate start here. */
    memcpy(actuators, SAFE, sizeof actuators);
    if (omiga_controller_reset_to(controller, actuators, ACTIONS) != OMIGA_OK) {
        return refused("reset");
    }
    for (uint64_t tick = 0; tick < a->ticks; tick++, due += TICK_NS) {
        uint64_t stamp, now, began, took;
        int bucket = 0;
        if (!a->fast) {
            sleep_until(due);
        }
        /* The first tick counts as on time: the controller's grid starts there, and no later one is before its time. */
        stamp = a->fast || tick == 0 ? due : clock_ns();
        sense(&machine, tick >= fails && tick < fails + FAILURE_TICKS, obs);
        now = a->fast || tick == 0 ? due : clock_ns();

        began = clock_ns();
        status = omiga_controller_tick(controller, now, obs, OBS, stamp, action, ACTIONS);
        took = clock_ns() - began;

        switch (status.source) {
        case OMIGA_SOURCE_POLICY: /* its action, in bounds and within the rates */
        case OMIGA_SOURCE_HELD:   /* its last one, until 150 ms after the next was due */
        case OMIGA_SOURCE_SAFE:   /* ours, chosen above */
            memcpy(actuators, action, sizeof actuators);
            break;
        default: /* nobody's: a defect of this program (a wrong width, a poisoned handle). `action` means nothing. */
            memcpy(actuators, SAFE, sizeof actuators);
            keep(&log, tick, &status);
            report(&log, histogram, controller);
            fprintf(stderr, "control_loop: stopped at tick %" PRIu64 ": %s\n", tick, omiga_code_text(status.code));
            return 1;
        }
        move(&machine, actuators, 1e-3);
        keep(&log, tick, &status);
        while (bucket < BUCKETS - 1 && took >> (bucket + 1) > 0) {
            bucket++;
        }
        histogram[bucket]++;
    }
    report(&log, histogram, controller);
    printf("the puck is at (%.2f, %.2f) m\n", machine.x, machine.y);
    return status.source == OMIGA_SOURCE_POLICY ? 0 : 1;
}

int main(int argc, char **argv) {
    arguments a;
    omiga_controller *controller = NULL;
    int code;
    if (parse(argc, argv, &a) != 0) {
        fprintf(stderr, "usage: control_loop BUNDLE [--agent NAME] [--ticks N] [--fast]\n");
        return 2;
    }
    if (omiga_abi_version() != OMIGA_ABI_VERSION) {
        fprintf(stderr, "control_loop: the library's interface is %" PRIu32 ", expected %d; compile it again\n",
                omiga_abi_version(), OMIGA_ABI_VERSION);
        return 2;
    }
    code = start(&a, &controller);
    if (code == 0) {
        /* No page of this program leaves memory while it controls; a machine would also ask for SCHED_FIFO. */
        if (!a.fast && mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
            fprintf(stderr, "control_loop: memory is not locked (%s); expect late ticks\n", strerror(errno));
        }
        code = control(&a, controller);
    }
    omiga_controller_free(controller);
    return code;
}
