/* What the script is doing, told when it takes long, or when its process is about to
 * end in the middle of it. */
#ifndef PHP_BINDING_STACK_H
#define PHP_BINDING_STACK_H

/* Writes the calls that are being made, the innermost first; nothing when no script
 * runs. Calls only what a signal handler may. */
void stack_write(int fd);

#endif
