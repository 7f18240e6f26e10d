/* What the simulator alone can do: steps of a robot per second without observations, rewards or bounds, its controls made
 * beforehand; prints one line of JSON. The floor of `make bench-env`.
 *
 *     physics .deps/mujoco/assets/hopper.xml 4 20 40000    model, frames a step, steps an episode, steps
 */
#include <mujoco/mujoco.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Controls that are taken in turns. */
enum { CONTROLS = 1000 };

static void ignore(const mjLogMessage *message) { (void)message; }

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "physics: expected: model, frames a step, steps an episode, steps\n");
        return 2;
    }
    const int frames = atoi(argv[2]), episode = atoi(argv[3]), steps = atoi(argv[4]);
    /* Old words in the models: without this a file is written where it is run. */
    mju_setLogHandler(ignore);
    char message[1024] = "";
    mjModel *model = mj_loadXML(argv[1], NULL, message, sizeof message);
    mjData *data = model ? mj_makeData(model) : NULL;
    const int n = model ? (int)model->nu : 0;
    double *controls = malloc(sizeof(double) * CONTROLS * (size_t)(n + 1));
    if (!data || !controls) {
        fprintf(stderr, "physics: %s\n", message);
        return 2;
    }
    srand(0);
    for (int i = 0; i < CONTROLS * n; i++)
        controls[i] = 2.0 * rand() / RAND_MAX - 1.0;
    const double begin = seconds();
    for (int step = 0; step < steps; step++) {
        if (step % (episode > 1 ? episode : 1) == 0) {
            mj_resetData(model, data);
            mj_forward(model, data);
        }
        for (int i = 0; i < n; i++)
            data->ctrl[i] = controls[step % CONTROLS * n + i];
        for (int frame = 0; frame < frames; frame++)
            mj_step(model, data);
    }
    printf("{\"steps_per_s\": %f}\n", steps / (seconds() - begin));
    free(controls);
    mj_deleteData(data);
    mj_deleteModel(model);
    return 0;
}
