/* ARM's MPS2 board with a Cortex-M4F, as QEMU emulates it: start, stack, and output through the debugger's interface. */
#include "machine.h"

#define PATTERN 0xa5a5a5a5u
/* Frames of the functions that paint and look. */
#define MARGIN 16

extern uint32_t stack_bottom[];
extern uint32_t stack_top[];
extern uint32_t data_start[];
extern uint32_t data_end[];
extern const uint32_t data_stored[];
extern uint32_t bss_start[];
extern uint32_t bss_end[];

int main(void);
void reset(void);

static uint32_t debugger(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void write(const char *text)
{
    (void)debugger(0x04u, text);
}

void machine_say(const char *name, uint32_t number)
{
    char digits[] = " 00000000\n";
    for (int i = 0; i < 8; i++) {
        digits[8 - i] = "0123456789abcdef"[(number >> (4 * i)) & 15u];
    }
    write(name);
    write(digits);
}

static uint32_t *stack_pointer(void)
{
    uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    return here;
}

static uint32_t *painted_from;

void machine_paint(void)
{
    painted_from = stack_pointer() - MARGIN;
    for (uint32_t *place = stack_bottom; place < painted_from; place++) {
        *place = PATTERN;
    }
}

uint32_t machine_stack(void)
{
    const uint32_t *place = stack_bottom;
    while ((place < painted_from) && (*place == PATTERN)) {
        place++;
    }
    return (uint32_t)(stack_pointer() - place) * 4u;
}

void reset(void)
{
    /* The floating-point unit is off at first. */
    *(volatile uint32_t *)0xe000ed88u |= 0x00f00000u;
    __asm__ volatile("dsb\n\tisb");
    const uint32_t *stored = data_stored;
    for (uint32_t *place = data_start; place < data_end; place++) {
        *place = *stored;
        stored++;
    }
    for (uint32_t *place = bss_start; place < bss_end; place++) {
        *place = 0u;
    }
    machine_paint();
    const uint32_t result[2] = {0x20026u, (uint32_t)main()};
    (void)debugger(0x20u, result);
    for (;;) {
    }
}

/* A fault ends the program, too. */
static void fault(void)
{
    write("fault\n");
    const uint32_t result[2] = {0x20026u, 3u};
    (void)debugger(0x20u, result);
    for (;;) {
    }
}

struct vectors {
    const uint32_t *stack;
    void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault},
};
