/*
 * A fork whose child becomes the child of another: of the nearest process above that
 * has declared itself the reaper of orphans (PR_SET_CHILD_SUBREAPER).
 */
#ifndef COMMON_OFFSPRING_H
#define COMMON_OFFSPRING_H

/* Returns 0 in the new process, whose parent is the reaper from then on; 1 in the
 * caller, which has nothing to wait for; -1 and errno. */
int offspring_fork(void);

#endif
