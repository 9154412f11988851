/* The commands that look at the board: status and slow. */
#ifndef ARBITER_CONTROL_STATUS_H
#define ARBITER_CONTROL_STATUS_H

#include "gateway/arbiter/control_command.h"

control_fn control_run_status;
control_fn control_run_slow;

/* Frees what was kept to compare with. */
void control_status_release(void);

#endif
