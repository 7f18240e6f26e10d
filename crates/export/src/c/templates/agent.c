/* Policy of agent `@agent@` in task `@task@`, see the header. */
#include "@stem@.h"

#define N_OBS @CONSTANT@_N_OBS
#define N_ACTIONS @CONSTANT@_N_ACTIONS

const float @stem@_obs_range[N_OBS][2] = @obs_range@;

@arrays@

/* From an observation to the last layer's outputs. */
static void forward(const float *OMIGA_RESTRICT obs, float *OMIGA_RESTRICT out)
{
    float a[@widest@u];
    float b[@hidden@u];
    omiga_copy(obs, N_OBS, a);
@transform@    omiga_dense@kind@(&fc1, a, b);
    omiga_relu(b, @hidden@u);
    omiga_dense@kind@(&fc2, b, a);
    omiga_relu(a, @hidden2@u);
    omiga_dense@kind@(&head, a, out);
}

