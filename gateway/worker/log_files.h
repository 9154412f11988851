/* The files of sinks that take requests, as this process writes them itself. */
#ifndef WORKER_LOG_FILES_H
#define WORKER_LOG_FILES_H

/* Opens one for log_put(). NULL, or why not. */
const char *log_files_open(unsigned sink, const char *path);

/* All of them anew, after they were renamed. */
void log_files_reopen(void);

#endif
