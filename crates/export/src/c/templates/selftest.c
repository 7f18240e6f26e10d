/* Recorded inputs and outputs of agent `@agent@` in task `@task@`. */
#include "@stem@.h"

#define N_OBS @CONSTANT@_N_OBS
#define N_ACTIONS @CONSTANT@_N_ACTIONS
#define N_CASES @cases@u

@arrays@
