/* What the program that tests needs of a machine. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

/* Write a line: a name and a number in hexadecimal. */
void machine_say(const char *name, uint32_t number);

/* Fill the free part of the stack with a pattern. */
void machine_paint(void);

/* Bytes of the stack that were used since then, 0 where nobody knows. */
uint32_t machine_stack(void);

#endif
