/*
 * Errands: what any thread of the process asks the main thread to do between two rounds
 * of its loop, with the lock, in the order in which it was asked for.
 */
#ifndef WORKER_ERRANDS_H
#define WORKER_ERRANDS_H

/* Embedded in what it is about. */
struct errand {
	void (*run)(struct errand *errand);
	struct errand *next;
};

/* From any thread, with the lock or without. */
void errand_ask(struct errand *errand);

/* The main thread: does all there is. */
void errands_run(void);

#endif
