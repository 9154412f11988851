/*
 * Forks of the process, when it is a prototype. All three are called with the
 * interpreter's lock, the first in the prototype, which keeps the lock from there to
 * the others: so no other thread of the application is within Python meanwhile, and
 * whoever is forked has a Python that is whole.
 */
#ifndef PYTHON_FORK_H
#define PYTHON_FORK_H

void fork_begin(void);
void fork_end_in_parent(void);
void fork_end_in_child(void);

#endif
