/* What the application is doing, for the log: slow_stack_after. */
#ifndef WORKER_STACK_H
#define WORKER_STACK_H

/* From now on SIGNAL_SHOW_STACK has it told. */
void stack_arm(void);

#endif
