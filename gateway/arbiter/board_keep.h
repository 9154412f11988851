/*
 * What the arbiter writes on the board (common/board.h): the state of the server and of
 * its applications, at the end of each round; why processes ended, when they do; and
 * what has to be asked of the kernel, when somebody looks.
 */
#ifndef ARBITER_BOARD_KEEP_H
#define ARBITER_BOARD_KEEP_H

#include "gateway/arbiter/child.h"

struct arbiter;

/* What does not change; -1 and errno. */
int board_keep_init(struct family *f);

/* The row of the pool's application; NULL: there was none left. */
struct board_app *board_keep_row(struct board *b, const struct pool *pool);
enum board_kind board_keep_kind(const struct pool *pool);

/* Connections that wait to be accepted; -1: unix sockets do not tell. */
int64_t board_keep_backlog(const struct pool *pool);

/* It is about to be started, with its slot, if it has one: readers shall know whose
 * that is. Applications have rows in the order in which this is called. */
void board_keep_child(struct family *f, const struct child *child);

/* It has died: what was counted in its slot goes to its application, and the slot is
 * free. */
void board_keep_return(struct family *f, const struct child *child);

/* The arbiter has answered the request that it is in, in its place: it is counted as if
 * the worker had, which never will. */
void board_keep_answered(const struct child *child, unsigned status, uint64_t now);

/* It has died, as wait4() says; unborn ones have no status. */
void board_keep_death(struct family *f, const struct child *child, int status);
void board_keep_unborn(struct family *f, const struct child *child);

/* Somebody looks, also at memory: then what has to be measured is, the next time. */
void board_keep_look(struct family *f, bool memory);

/* How things are now. */
void board_keep_publish(struct arbiter *a, uint64_t now);

/* Backlogs, unless they were just measured, and memory. What processes share of it is
 * costly to tell, so it is asked of a few at a time. */
void board_keep_measure(struct arbiter *a, uint64_t now);

#endif
