/* Self-test, then answers to observations: what there is to compare, on any machine. */
#include "machine.h"
#include "@stem@.h"

#define N_OBS @CONSTANT@_N_OBS
#define N_ACTIONS @CONSTANT@_N_ACTIONS
#define N_CASES @cases@u

@arrays@
static int statuses[N_CASES];
static uint32_t choices[N_CASES];
static float answers[N_CASES * N_ACTIONS];

union bits {
    float value;
    uint32_t bits;
};

int main(void)
{
    (void)masks;
    const int passed = @stem@_selftest();
    const uint32_t stack_of_selftest = machine_stack();
    machine_paint();
    for (size_t i = 0u; i < N_CASES; i++) {
        float obs[N_OBS];
        for (size_t k = 0u; k < N_OBS; k++) {
            obs[k] = questions[(i * N_OBS) + k].value;
        }
        @step@
    }
    const uint32_t stack = machine_stack();
    machine_say("selftest", (uint32_t)passed);
    machine_say("stack", stack);
    machine_say("stack_of_selftest", stack_of_selftest);
    for (size_t i = 0u; i < N_CASES; i++) {
        machine_say("status", (uint32_t)statuses[i]);
        machine_say("choice", choices[i]);
        for (size_t k = 0u; k < N_ACTIONS; k++) {
            union bits answer;
            answer.value = answers[(i * N_ACTIONS) + k];
            machine_say("answer", answer.bits);
        }
    }
    return 0;
}
