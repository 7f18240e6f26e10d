#include "machine.h"

#include <stdio.h>

void machine_say(const char *name, uint32_t number)
{
    (void)printf("%s %lx\n", name, (unsigned long)number);
}

void machine_paint(void)
{
}

uint32_t machine_stack(void)
{
    return 0u;
}
