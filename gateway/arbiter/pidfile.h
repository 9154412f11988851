/* The file that holds the arbiter's pid. */
#ifndef ARBITER_PIDFILE_H
#define ARBITER_PIDFILE_H

/* Writes our pid, in whole: by another file that is renamed. Returns NULL, or why not:
 * in the way may be a file with the pid of another process that lives. The text lives
 * until the next call. */
const char *pidfile_write(const char *path);

/* Removes the file if it holds our pid. */
void pidfile_remove(const char *path);

#endif
