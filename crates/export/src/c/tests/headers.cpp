// The header in C++, beside another agent's.
#include "omiga_agent_0.h"
#include "omiga_agent_2.h"

int main()
{
    static_assert(OMIGA_AGENT_0_N_OBS == 5 && OMIGA_AGENT_2_N_OBS == 1, "widths");
    static_assert(OMIGA_AGENT_2_PERIOD_NS == 20000000, "period");
    return omiga_agent_0_selftest() + omiga_agent_2_selftest();
}
